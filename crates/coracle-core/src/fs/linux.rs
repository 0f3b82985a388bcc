//! What only Linux hosts tell about files.

use std::path::Path;

/// Names of the extended attributes of `path`, links not followed, sorted; none when they can't be listed.
///
/// `security.selinux` is left out: every file of such a host has it, and it says nothing about the file.
pub fn extended_attributes(path: &Path) -> Vec<String> {
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
