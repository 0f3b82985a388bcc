//! Programs that tests write and run.

use std::path::Path;
use std::process::Command;

/// Writes a program or a script that this process can execute at once.
///
/// The kernel does not execute a file that is open for writing. A child that another test forks
/// meanwhile has all files of this process open until it executes its own program, so another
/// process writes the file.
pub fn write_executable(path: &Path, content: impl AsRef<[u8]>) {
    let directory = path.parent().unwrap();
    std::fs::create_dir_all(directory).unwrap();
    let draft = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(draft.path(), content).unwrap();
    let status = Command::new("install").args(["-m", "755"]).arg(draft.path()).arg(path).status().unwrap();
    assert!(status.success(), "cannot write {}", path.display());
}

/// Returns a static program that does nothing, for a machine by its number in ELF headers: 62 is
/// x86-64, 183 is aarch64.
pub fn static_program(machine: u8) -> Vec<u8> {
    let mut bytes = vec![0; 120];
    bytes[..20]
        .copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, machine, 0]);
    bytes[20] = 1;
    bytes[24] = 64;
    // Offset and size of the program headers, size of the header, and one PT_LOAD of the whole file.
    bytes[32] = 64;
    bytes[52] = 64;
    bytes[54] = 56;
    bytes[56] = 1;
    bytes[64] = 1;
    bytes[68] = 5;
    bytes[96] = 120;
    bytes[104] = 120;
    bytes
}
