//! Constants compiled into a glibc loader: default directories, `$LIB`, the path of the cache.
//!
//! The loader's file holds them as NUL-terminated strings. The directories are adjacent, each with
//! a trailing slash. Distributions use different values, so they are read from the file. If it has
//! none, a table of upstream's defaults is used.

use goblin::elf::header as h;

use crate::elf::Machine;
use coracle_core::content::OpenContent;
use coracle_core::fs;

/// The constants of one loader.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct GlibcConstants {
    /// Default directories in order, each with a trailing slash.
    pub(super) default_directories: Vec<Vec<u8>>,
    /// The value of `$LIB`.
    pub(super) lib_token: Option<Vec<u8>>,
    /// The path of the cache.
    pub(super) cache_path: Vec<u8>,
    /// Names of the directories below `glibc-hwcaps`, best first. Empty before glibc 2.33.
    pub(super) hwcaps_names: Vec<Vec<u8>>,
    /// The minor version of glibc (36 for 2.36). `None` if the file does not have it, as in old
    /// releases.
    pub(super) glibc_minor: Option<u32>,
}

/// Maximum size of a loader. Typical loaders have 200 kB.
pub(super) const MAX_LOADER_SIZE: u64 = 16 << 20;

const DEFAULT_CACHE_PATH: &[u8] = b"/etc/ld.so.cache";

impl GlibcConstants {
    /// Reads the constants from the loader's file.
    pub(super) fn read(loader: &OpenContent, machine: Machine) -> fs::Result<Self> {
        let size = usize::try_from(loader.size().min(MAX_LOADER_SIZE)).unwrap_or_default();
        Ok(Self::from_file_bytes(&loader.read_bytes_at(0, size)?, machine))
    }

    fn from_file_bytes(bytes: &[u8], machine: Machine) -> Self {
        let strings: Vec<&[u8]> = bytes.split(|&byte| byte == 0).collect();
        let mut default_directories = find_default_directories(&strings);
        if default_directories.is_empty() {
            default_directories = upstream_default_directories(machine);
        }
        let lib_token = find_lib_token(&strings, &default_directories);
        let cache =
            strings.iter().find(|string| string.starts_with(b"/") && string.ends_with(b"/ld.so.cache"));
        let hwcaps_names = strings.iter().find_map(|string| parse_hwcaps_names(string)).unwrap_or_default();
        let glibc_minor = strings.iter().find_map(|string| parse_glibc_minor(string));
        Self {
            default_directories,
            lib_token,
            cache_path: cache.unwrap_or(&DEFAULT_CACHE_PATH).to_vec(),
            hwcaps_names,
            glibc_minor,
        }
    }
}

/// Returns the first run of two or more adjacent strings `/…/`.
fn find_default_directories(strings: &[&[u8]]) -> Vec<Vec<u8>> {
    let directories: Vec<&[u8]> = strings.iter().map(|string| parse_directory_string(string)).collect();
    let mut runs = directories.split(|directory| directory.is_empty());
    let run = runs.find(|run| run.len() > 1).unwrap_or_default();
    run.iter().map(|directory| directory.to_vec()).collect()
}

/// Returns `string` if it has the form `/…/`, else an empty slice. The first directory may follow
/// code instead of a NUL.
fn parse_directory_string(string: &[u8]) -> &[u8] {
    let code = string.iter().rposition(|byte| !byte.is_ascii_graphic()).map_or(0, |last| last + 1);
    let text = string.get(code..).unwrap_or_default();
    let slash = text.iter().position(|&byte| byte == b'/').filter(|&at| at == 0 || code > 0);
    let directory = slash.and_then(|slash| text.get(slash..)).unwrap_or_default();
    if directory.len() > 2 && directory.ends_with(b"/") { directory } else { &[] }
}

/// Returns the value of `$LIB`: the loader's first default directory without its prefix, such as
/// `lib64` or `lib/x86_64-linux-gnu`.
fn find_lib_token(strings: &[&[u8]], directories: &[Vec<u8>]) -> Option<Vec<u8>> {
    let first = directories.first()?;
    let names: Vec<&[u8]> = first.split(|&byte| byte == b'/').filter(|name| !name.is_empty()).collect();
    (0..names.len())
        .filter_map(|start| names.get(start..))
        .map(|tail| tail.join(&b'/'))
        .find(|tail| strings.contains(&tail.as_slice()))
}

/// Parses `_dl_hwcaps_subdirs`: names separated by colons, such as `x86-64-v4:x86-64-v3:x86-64-v2`.
fn parse_hwcaps_names(string: &[u8]) -> Option<Vec<Vec<u8>>> {
    let names = string.split(|&byte| byte == b':').map(<[u8]>::to_vec).collect::<Vec<_>>();
    (names.len() > 1 && names.iter().all(|name| is_hwcaps_name(name))).then_some(names)
}

/// Returns whether any glibc has this name below `glibc-hwcaps` (`sysdeps/*/dl-hwcaps-subdirs.c`).
fn is_hwcaps_name(name: &[u8]) -> bool {
    hwcaps_machine(name).is_some()
}

/// Returns whether this glibc-hwcaps name belongs to another machine.
pub(super) fn is_hwcaps_name_of_other_machine(name: &[u8], machine: Machine) -> bool {
    hwcaps_machine(name).is_some_and(|number| number != machine.e_machine)
}

/// Returns the `e_machine` that has this glibc-hwcaps name.
fn hwcaps_machine(name: &[u8]) -> Option<u16> {
    let number = |prefix: &[u8]| {
        name.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && rest.iter().all(u8::is_ascii_digit))
    };
    let machines = [(&b"x86-64-v"[..], h::EM_X86_64), (b"power", h::EM_PPC64), (b"z", h::EM_S390)];
    machines.into_iter().find(|(prefix, _)| number(prefix)).map(|(_, machine)| machine)
}

/// Parses `36` from `ld.so (…) stable release version 2.36.`
fn parse_glibc_minor(string: &[u8]) -> Option<u32> {
    let start = b" release version 2.";
    let at = string.windows(start.len()).position(|part| part == start)?;
    let number = string.get(at + start.len()..)?.split(|byte| !byte.is_ascii_digit()).next()?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// Returns the directories of an unpatched glibc (`sysdeps/unix/sysv/linux/*/shlib-versions`,
/// `configure`).
fn upstream_default_directories(machine: Machine) -> Vec<Vec<u8>> {
    let lib = if machine.is_64 { "lib64" } else { "lib" };
    vec![format!("/{lib}/").into_bytes(), format!("/usr/{lib}/").into_bytes()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: Machine = Machine { is_64: true, is_little_endian: true, e_machine: 62, e_flags: 0 };

    #[test]
    fn reads_directories_lib_and_cache() {
        let debian =
            b"x\0x86-64-v4:x86-64-v3\0ld.so (D 2.36-9) stable release version 2.36.\n\0/\0lib/x86_64-linux-gnu\0/etc/ld.so.cache\0/lib/x86_64-linux-gnu/\0/usr/lib/\0/tmp\0";
        let constants = GlibcConstants::from_file_bytes(debian, MACHINE);
        assert_eq!(constants.default_directories, [&b"/lib/x86_64-linux-gnu/"[..], b"/usr/lib/"]);
        assert_eq!(constants.lib_token.as_deref(), Some(&b"lib/x86_64-linux-gnu"[..]));
        assert_eq!(constants.cache_path, b"/etc/ld.so.cache");
        assert_eq!(constants.hwcaps_names, [b"x86-64-v4", b"x86-64-v3"]);
        assert_eq!(constants.glibc_minor, Some(36));

        let arm = b"\xe5\xff\xff/lib/arm-linux-gnueabihf/\0/usr/lib/\0\x19\0";
        let constants = GlibcConstants::from_file_bytes(arm, MACHINE);
        assert_eq!(constants.default_directories, [&b"/lib/arm-linux-gnueabihf/"[..], b"/usr/lib/"]);

        let nix = b"\0/nix/store/abc-glibc/etc/ld.so.cache\0lib\0/nix/store/abc-glibc/lib/\0/nix/store/x-gcc/lib/\0";
        let constants = GlibcConstants::from_file_bytes(nix, MACHINE);
        assert_eq!(constants.lib_token.as_deref(), Some(&b"lib"[..]));
        assert_eq!(constants.glibc_minor, None);
        assert_eq!(constants.cache_path, b"/nix/store/abc-glibc/etc/ld.so.cache");
    }

    #[test]
    fn falls_back_to_upstream_directories() {
        assert_eq!(
            GlibcConstants::from_file_bytes(b"", MACHINE).default_directories,
            [&b"/lib64/"[..], b"/usr/lib64/"]
        );
    }
}
