//! The C library as a caller of `dlopen`.

use crate::closure::{DlopenCaller, MappedObject};
use crate::elf::{self, SymbolVersions};

pub(super) fn dlopen_caller(libc: &MappedObject) -> DlopenCaller {
    DlopenCaller::Library(
        libc.object.dynamic.soname.clone().unwrap_or_else(|| libc.raw_path.as_bytes().to_vec()),
    )
}

/// Returns whether glibc defines the version `name`, and is therefore at least that new.
pub(super) fn defines_version(libc: &MappedObject, name: &[u8]) -> elf::Result<bool> {
    let versions = SymbolVersions::read(&libc.file.content.open()?, &libc.object)?;
    Ok(versions.defined.iter().any(|defined| defined.name == name))
}
