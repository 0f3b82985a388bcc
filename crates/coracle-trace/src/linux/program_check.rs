//! Checks from a program's file alone whether the program can be recorded.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use nix::unistd::{getegid, geteuid};

use crate::TraceError;

const SET_USER_ID: u32 = 0o4000;
const SET_GROUP_ID: u32 = 0o2000;

/// The architecture of this process, as in ELF headers: class, machine, name.
#[cfg(target_arch = "x86_64")]
const OWN_ARCHITECTURE: (u8, u16, &str) = (2, 62, "x86-64");
#[cfg(target_arch = "aarch64")]
const OWN_ARCHITECTURE: (u8, u16, &str) = (2, 183, "arm64");

/// Names of machines. Source: elf.h.
const MACHINES: &[(u16, &str)] = &[
    (3, "x86"),
    (8, "MIPS"),
    (20, "PowerPC"),
    (21, "ppc64"),
    (22, "s390x"),
    (40, "ARM"),
    (62, "x86-64"),
    (183, "arm64"),
    (243, "RISC-V"),
    (258, "LoongArch"),
];

/// Checks from its file alone that a program can be recorded. [`crate::record`] does the same.
///
/// # Errors
/// Fails if it does not exist, is not executable, is for another machine, or is set-user-ID.
pub fn check_program(program: &Path) -> Result<(), TraceError> {
    let metadata = std::fs::metadata(program).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => TraceError::NotFound(program.to_owned()),
        _ => TraceError::CannotExecute { program: program.to_owned(), source },
    })?;
    if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 {
        let source = io::ErrorKind::PermissionDenied.into();
        return Err(TraceError::CannotExecute { program: program.to_owned(), source });
    }
    if let Some((what, id)) = set_id_owner(&metadata) {
        return Err(TraceError::SetId { program: program.to_owned(), what, id });
    }
    match foreign_machine_name(program) {
        Some(machine) => Err(TraceError::ForeignArchitecture {
            program: program.to_owned(),
            machine,
            own: OWN_ARCHITECTURE.2,
        }),
        None => Ok(()),
    }
}

/// Returns `user` or `group` and the ID that a set-ID program runs as. `None` if executing the
/// program changes neither.
pub(super) fn set_id_owner(metadata: &Metadata) -> Option<(&'static str, u32)> {
    let mode = metadata.permissions().mode();
    if mode & SET_USER_ID != 0 && metadata.uid() != geteuid().as_raw() {
        return Some(("user", metadata.uid()));
    }
    (mode & SET_GROUP_ID != 0 && metadata.gid() != getegid().as_raw()).then(|| ("group", metadata.gid()))
}

/// Returns the name of the program's architecture, if this process has another one. `None` for
/// scripts and unreadable files.
pub(super) fn foreign_machine_name(program: &Path) -> Option<String> {
    let mut header = [0; 20];
    File::open(program).and_then(|mut file| file.read_exact(&mut header)).ok()?;
    let [b'\x7f', b'E', b'L', b'F', class, order, .., low, high] = header else { return None };
    let is_big_endian = order == 2;
    let machine =
        if is_big_endian { u16::from_be_bytes([low, high]) } else { u16::from_le_bytes([low, high]) };
    let (own_class, own_machine, _) = OWN_ARCHITECTURE;
    if class == own_class && machine == own_machine {
        return None;
    }
    let name = MACHINES.iter().find(|(number, _)| *number == machine).map(|(_, name)| (*name).to_owned());
    let name = name.unwrap_or_else(|| format!("the machine {machine} of ELF headers"));
    // The x32 ABI.
    Some(if machine == own_machine { format!("{name} with 32-bit addresses") } else { name })
}
