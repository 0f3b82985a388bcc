//! Which compiler a program was made with, as far as its sections tell. No loader reads them, so what they say is for advice
//! and defaults alone.

use super::sections::sections;
use super::{Error, Object};
use crate::content::Reader;
use crate::fs;

/// A compiler that links a C library statically or dynamically as it is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Toolchain {
    /// `rustc` writes its name into `.comment`, and what strips programs leaves it there.
    Rust,
    /// Go's linker always writes `.go.buildinfo` (`debug/buildinfo`); its note about the build ID can be left out.
    Go,
}

/// How much of `.comment` is read: each compiler adds a line.
const COMMENT: u64 = 1 << 12;

/// The toolchain of `object`, whose bytes are `file`; none that is known, or section headers that are damaged, are nothing.
///
/// # Errors
/// When the file can't be read.
pub fn toolchain(file: &Reader, object: &Object) -> fs::Result<Option<Toolchain>> {
    let sections = match sections(file, &object.header) {
        Err(Error::Io(error)) => return Err(error),
        sections => sections.unwrap_or_default(),
    };
    if sections.iter().any(|section| section.name == b".go.buildinfo") {
        return Ok(Some(Toolchain::Go));
    }
    let Some(comment) = sections.iter().find(|section| section.name == b".comment") else { return Ok(None) };
    let size = comment.header.sh_size.min(COMMENT).min(file.size());
    let text = file.bytes_at(comment.header.sh_offset, usize::try_from(size).unwrap_or_default())?;
    let mut words = text.split(|byte| *byte == 0);
    Ok(words.any(|word| word.starts_with(b"rustc version ")).then_some(Toolchain::Rust))
}
