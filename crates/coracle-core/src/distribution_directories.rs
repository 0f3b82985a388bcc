//! The directories in which distributions install programs and libraries.

use crate::path::ImagePath;

/// Directories whose contents have the same path on every machine.
const SYSTEM_DIRECTORIES: [&str; 16] = [
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/libexec",
    "/opt",
    "/nix/store",
    "/gnu/store",
    "/usr/bin",
    "/usr/sbin",
    "/usr/libexec",
    "/usr/local",
    "/usr/share",
    "/usr/games",
];

/// Returns whether `path` is in a directory where distributions install programs and libraries.
pub fn is_system_path(path: &ImagePath) -> bool {
    let bytes = path.as_bytes();
    SYSTEM_DIRECTORIES.iter().any(|directory| {
        bytes.strip_prefix(directory.as_bytes()).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    }) || bytes.starts_with(b"/usr/lib")
        || path.strip_prefix(&ImagePath::root()).is_some_and(|mut names| is_cross_toolchain(&mut names))
}

/// Returns whether the path is in a directory of a cross toolchain, such as
/// `/usr/aarch64-linux-gnu`.
fn is_cross_toolchain<'a>(names: &mut impl Iterator<Item = &'a [u8]>) -> bool {
    names.next() == Some(b"usr")
        && names.next().is_some_and(|name| name.windows(7).any(|part| part == b"-linux-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_system_directories() {
        for text in [
            "/usr/bin/x",
            "/bin",
            "/usr/lib64/x",
            "/opt/x/y",
            "/usr/aarch64-linux-gnu/lib",
            "/usr/local/bin/x",
        ] {
            assert!(is_system_path(&text.parse().unwrap()), "{text}");
        }
        for text in ["/", "/home/u/x", "/usr/src/app/x", "/binary", "/usr", "/srv/x", "/root/x"] {
            assert!(!is_system_path(&text.parse().unwrap()), "{text}");
        }
    }
}
