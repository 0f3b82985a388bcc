//! Tells programs from other files by their first bytes.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use coracle_core::content::Content;
use coracle_ld::elf::Header;

/// The size of the largest ELF header, in bytes.
const MAX_ELF_HEADER: u64 = 64;

/// The kind of a file, by its first bytes.
pub(super) enum FileKind {
    Elf(Header),
    /// Starts with `#!`.
    Script,
    Other,
}

/// Reads the kind of the file at `path`.
pub(super) fn read_file_kind(path: &Path) -> io::Result<FileKind> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_ELF_HEADER).read_to_end(&mut bytes)?;
    if bytes.starts_with(b"#!") {
        return Ok(FileKind::Script);
    }
    let reader = Content::from_bytes(bytes).open().map_err(io::Error::other)?;
    Ok(Header::read(&reader).map_or(FileKind::Other, FileKind::Elf))
}
