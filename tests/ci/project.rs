//! A folder with programs whose images have the same bytes everywhere.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::static_program;

/// Puts a program for x86-64 there, which is a few hundred bytes in an image.
pub(crate) fn program(folder: &Path, name: &str) {
    program_for(folder, name, 62);
}

/// The same for another machine.
pub(crate) fn program_for(folder: &Path, name: &str, machine: u8) {
    let path = folder.join(name);
    fs::write(&path, static_program(machine)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Bytes that no encoder makes smaller, the same each time.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(&mut next).flatten().take(length).collect()
}

/// A file of [`noise`].
pub(crate) fn data(folder: &Path, name: &str, length: usize) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, noise(length)).unwrap();
}
