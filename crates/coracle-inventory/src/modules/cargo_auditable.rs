//! The section `.dep-v0`, which `cargo auditable` writes: JSON, compressed with zlib.
//!
//! Source: cargo-auditable, `PARSING.md`.

use std::io::Read as _;

use flate2::read::ZlibDecoder;
use serde::Deserialize;

use super::{MAX_MODULES, Module};

/// The maximum size of the JSON, in bytes.
const MAX_JSON_SIZE: u64 = 8 << 20;

#[derive(Deserialize)]
struct Document {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    dependencies: Vec<usize>,
    #[serde(default)]
    root: bool,
}

/// Returns the crates of the program, without those of its build scripts. `None` if the section is
/// damaged.
pub(super) fn parse(section: &[u8]) -> Option<Vec<Module>> {
    let mut json = Vec::new();
    ZlibDecoder::new(section).take(MAX_JSON_SIZE).read_to_end(&mut json).ok()?;
    let Document { packages } = serde_json::from_slice(&json).ok()?;
    if packages.len() > MAX_MODULES {
        return None;
    }
    let is_runtime = |package: &Package| package.kind.as_deref().is_none_or(|kind| kind == "runtime");
    let mut next = 0;
    let new_indices: Vec<Option<usize>> = packages
        .iter()
        .map(|package| {
            is_runtime(package).then(|| {
                next += 1;
                next - 1
            })
        })
        .collect();
    let module = |package: Package| Module {
        name: package.name,
        version: package.version,
        checksum: None,
        is_from_registry: matches!(package.source.as_str(), "crates.io" | "registry"),
        is_main: package.root,
        dependencies: package
            .dependencies
            .into_iter()
            .filter_map(|index| new_indices.get(index).copied().flatten())
            .collect(),
    };
    Some(packages.into_iter().filter(is_runtime).map(module).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::ZlibEncoder;
    use std::io::Write as _;

    fn compressed(json: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(json).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn reads_runtime_crates_and_their_dependencies() {
        let json = br#"{"packages":[
            {"name":"cc","version":"1.0.0","source":"crates.io","kind":"build"},
            {"name":"libc","version":"0.2.1","source":"crates.io","dependencies":[0]},
            {"name":"app","version":"1.2.3","source":"local","dependencies":[0,1,9],"root":true}]}"#;
        let modules = parse(&compressed(json)).unwrap();
        let names: Vec<String> = modules.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["libc 0.2.1", "app 1.2.3"]);
        assert_eq!((modules[1].dependencies.as_slice(), modules[1].is_main), (&[0][..], true));
        assert!(modules[0].is_from_registry && !modules[1].is_from_registry);
    }

    #[test]
    fn damaged_and_endless_sections_are_no_list() {
        assert_eq!(parse(b"not zlib"), None);
        assert_eq!(parse(&compressed(b"{}")), None);
        // 1 GiB of spaces would be a bomb: reading ends, and what was read is no JSON.
        assert_eq!(parse(&compressed(&vec![b' '; 64 << 20])), None);
    }
}
