//! The C library, as one that opens other libraries.

use crate::closure::{Mapped, Opener};
use crate::elf::{self, Versions};

pub(super) fn opener(libc: &Mapped) -> Opener {
    Opener::Library(libc.object.dynamic.soname.clone().unwrap_or_else(|| libc.spelled.as_bytes().to_vec()))
}

/// Whether glibc is at least of this version: it defines a version of that name.
pub(super) fn has_version(libc: &Mapped, name: &[u8]) -> elf::Result<bool> {
    let versions = Versions::read(&libc.file.content.open()?, &libc.object)?;
    Ok(versions.defined.iter().any(|defined| defined.name == name))
}
