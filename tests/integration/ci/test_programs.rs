//! A folder with programs whose images have the same bytes everywhere.

use std::fs;
use std::path::Path;

use coracle_testing::{static_program, write_executable};

/// Puts a program for x86-64 there, which is a few hundred bytes in an image.
pub(crate) fn program(folder: &Path, name: &str) {
    program_for(folder, name, 62);
}

/// The same for another machine.
pub(crate) fn program_for(folder: &Path, name: &str, machine: u8) {
    write_executable(&folder.join(name), static_program(machine));
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
