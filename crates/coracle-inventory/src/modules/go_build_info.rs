//! The section `.go.buildinfo`, which Go's linker writes.
//!
//! Source: Go, `src/debug/buildinfo/buildinfo.go` and `src/runtime/debug/mod.go`. The format with
//! pointers, of Go before 1.18, is not read.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use coracle_ld::elf::Toolchain;

use super::{MAX_MODULES, Module, ModuleList};
use crate::checksum::{Checksum, ChecksumAlgorithm};

const MAGIC: &[u8] = b"\xff Go buildinf:";
/// The offset of the byte with flags, and the flag of strings that follow the header.
const FLAGS_OFFSET: usize = 15;
const INLINE_STRINGS: u8 = 2;
const HEADER_SIZE: usize = 32;
/// The size of the markers around the text of modules.
const MARKER_SIZE: usize = 16;

/// Returns the modules of the program. `None` if it has none, or the section is damaged.
pub(super) fn parse(section: &[u8]) -> Option<ModuleList> {
    if !section.starts_with(MAGIC) || section.get(FLAGS_OFFSET)? & INLINE_STRINGS == 0 {
        return None;
    }
    let (version, rest) = string(section.get(HEADER_SIZE..)?)?;
    let (text, _) = string(rest)?;
    let text = text.get(MARKER_SIZE..text.len().checked_sub(MARKER_SIZE)?)?;
    let modules = modules(std::str::from_utf8(text).ok()?)?;
    let compiler = Some(String::from_utf8_lossy(version).into_owned());
    Some(ModuleList { toolchain: Toolchain::Go, compiler, modules })
}

/// Splits a string, which its length precedes, from the rest.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut length, mut shift) = (0_usize, 0);
    for (index, byte) in bytes.iter().take(5).enumerate() {
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return bytes.get(index + 1..)?.split_at_checked(length);
        }
    }
    None
}

/// Parses lines of tab-separated fields. `=>` replaces the module of the line before.
fn modules(text: &str) -> Option<Vec<Module>> {
    let mut modules: Vec<Module> = Vec::new();
    for line in text.lines() {
        let mut fields = line.split('\t');
        let kind = fields.next().unwrap_or_default();
        if !matches!(kind, "mod" | "dep" | "=>") {
            continue;
        }
        let (name, version) = (fields.next()?, fields.next().unwrap_or_default());
        // A replacement by a directory has no version.
        let is_local = version.is_empty() || version == "(devel)" || name.starts_with(['.', '/']);
        let module = Module {
            name: name.to_owned(),
            version: if version == "(devel)" { String::new() } else { version.to_owned() },
            checksum: fields.next().and_then(checksum),
            is_from_registry: !is_local,
            is_main: kind == "mod",
            dependencies: Vec::new(),
        };
        if kind == "=>" {
            let replaced = modules.last_mut()?;
            let is_main = replaced.is_main;
            *replaced = Module { is_main, ..module };
        } else {
            modules.push(module);
        }
        if modules.len() > MAX_MODULES {
            return None;
        }
    }
    (!modules.is_empty()).then_some(modules)
}

/// Parses Go's checksum of a module: `h1:` and the digest in base64.
fn checksum(text: &str) -> Option<Checksum> {
    let bytes = BASE64_STANDARD.decode(text.strip_prefix("h1:")?).ok()?;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Checksum::parse(ChecksumAlgorithm::Sha256, hex.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(text: &str) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([8, INLINE_STRINGS]);
        bytes.resize(HEADER_SIZE, 0);
        let marked = ["0123456789abcdef", text, "0123456789abcdef"].concat();
        for string in ["go1.22.0", &marked] {
            let length = string.len();
            bytes.extend([u8::try_from(length & 0x7f).unwrap() | 0x80, u8::try_from(length >> 7).unwrap()]);
            bytes.extend(string.as_bytes());
        }
        bytes
    }

    #[test]
    fn reads_modules_and_replacements() {
        let text = "path\tx/cmd\nmod\tx\t(devel)\t\ndep\tgolang.org/x/sys\tv0.1.0\th1:AAAA\ndep\ta\tv1.0.0\n=>\tb\tv2.0.0\nbuild\tCGO_ENABLED=0\n";
        let list = parse(&section(text)).unwrap();
        let names: Vec<String> = list.modules.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["x ", "golang.org/x/sys v0.1.0", "b v2.0.0"]);
        assert_eq!(list.compiler.as_deref(), Some("go1.22.0"));
        assert!(list.modules[0].is_main && !list.modules[0].is_from_registry);
    }

    #[test]
    fn damaged_sections_are_no_list() {
        for bytes in [&b""[..], MAGIC, &section(""), &section("mod"), &section("=>\ta\tb")] {
            assert_eq!(parse(bytes), None, "{bytes:?}");
        }
        let whole = section("mod\tx\tv1\n");
        assert!(parse(&whole).is_some());
        for length in 0..whole.len() {
            assert_eq!(parse(&whole[..length]), None, "{length}");
        }
    }
}
