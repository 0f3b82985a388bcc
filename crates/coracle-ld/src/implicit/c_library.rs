//! The C library as a caller of `dlopen`.

use crate::closure::{Mapped, Opener};
use crate::elf::{self, Versions};

pub(super) fn opener(libc: &Mapped) -> Opener {
    Opener::Library(libc.object.dynamic.soname.clone().unwrap_or_else(|| libc.spelled.as_bytes().to_vec()))
}

/// Returns whether glibc defines the version `name`, and is therefore at least that new.
pub(super) fn has_version(libc: &Mapped, name: &[u8]) -> elf::Result<bool> {
    let versions = Versions::read(&libc.file.content.open()?, &libc.object)?;
    Ok(versions.defined.iter().any(|defined| defined.name == name))
}
