//! File metadata that only Linux hosts provide.

use std::path::Path;

/// Returns the sorted names of the extended attributes of `path`, without following links. The list
/// is empty if they cannot be read.
///
/// `security.selinux` is left out, because every file on an SELinux host has it.
pub fn extended_attribute_names(path: &Path) -> Vec<String> {
    let mut buffer = Vec::new();
    let Ok(size) = rustix::fs::llistxattr(path, &mut [0_u8; 0]) else { return Vec::new() };
    buffer.resize(size, 0);
    let Ok(size) = rustix::fs::llistxattr(path, &mut buffer) else { return Vec::new() };
    buffer.truncate(size);
    let mut names: Vec<String> = buffer
        .split(|&byte| byte == 0)
        .filter(|name| !name.is_empty())
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .filter(|name| name != "security.selinux")
        .collect();
    names.sort();
    names
}
