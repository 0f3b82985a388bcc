//! Facts of one ELF file, read by position: header, program headers, dynamic section, and what can be stripped.
//!
//! It knows no other file. What is read is what a loader reads: program headers and addresses, never section headers
//! (but for stripping). Every offset, count and string is bounded. Source: the gABI, and `elf.h` of glibc.

mod dlopen;
mod dynamic;
mod exports;
mod header;
mod isa;
mod machine;
mod memory;
mod notes;
mod relocations;
mod sections;
mod strings;
mod strip;
#[cfg(test)]
mod symbol_tests;
mod symbols;
mod tables;
mod toolchain;
mod versions;

pub use dlopen::{DlopenNote, Priority, dlopen_notes};
pub use dynamic::{Dependency, Dynamic};
pub use exports::{Exports, Lookup, Manner};
pub use header::{Header, Type};
pub use isa::{IsaLevel, isa_needed};
pub use machine::Machine;
pub use notes::{Note, notes};
pub use relocations::Class;
pub use strings::{texts_in, words_in, words_with};
pub use strip::stripped;
pub use symbols::{Reference, gnu_hash, references};
pub use toolchain::{RustTargets, Toolchain, rust_targets, toolchain};
pub use versions::{DefinedVersion, NeededVersion, Version, Versions};

use goblin::elf::program_header::{PT_DYNAMIC, PT_LOAD, PT_NOTE, ProgramHeader};

use crate::content::Reader;
use crate::fs;
use crate::path::Spelled;

/// Why a file is not taken for ELF, or not for a sound one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It starts otherwise.
    #[error("it is no ELF file")]
    NotElf,
    /// It ends before something that it announces.
    #[error("it is truncated: its {0} would end after the end of the file")]
    Truncated(&'static str),
    /// Something in it can't be true.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    /// It could not be read.
    #[error(transparent)]
    Io(#[from] fs::Error),
}

/// A result of this floor.
pub type Result<T> = std::result::Result<T, Error>;

/// What a loader learns of one file.
#[derive(Clone, Debug)]
pub struct Object {
    /// Identification and kind.
    pub header: Header,
    /// `PT_INTERP`.
    pub interpreter: Option<Spelled>,
    /// The dynamic section; a static program may have none.
    pub dynamic: Dynamic,
    /// Something is mapped of it and it has a dynamic section: what loaders demand of a library.
    pub is_loadable: bool,
    /// What is mapped.
    segments: Vec<ProgramHeader>,
    /// `PT_NOTE`.
    notes: Vec<notes::Range>,
}

impl Object {
    /// Reads what a loader reads of `file`.
    ///
    /// # Errors
    /// When it is no ELF file, or one that a loader could not read either.
    pub fn read(file: &Reader) -> Result<Self> {
        Self::read_after(file, Header::read(file)?)
    }

    /// As [`Object::read`], for a header that was read before.
    ///
    /// # Errors
    /// As [`Object::read`].
    pub fn read_after(file: &Reader, header: Header) -> Result<Self> {
        let mut segments = header.segments(file)?;
        let interpreter = header::interpreter(file, &segments)?;
        let dynamic = Dynamic::read(file, &header, &segments)?;
        let is_dynamic = segments.iter().any(|segment| segment.p_type == PT_DYNAMIC);
        let notes = segments.iter().filter(|segment| segment.p_type == PT_NOTE).map(|segment| notes::Range {
            offset: segment.p_offset,
            size: segment.p_filesz,
            align: segment.p_align,
        });
        let notes = notes.collect();
        segments.retain(|segment| segment.p_type == PT_LOAD);
        let is_loadable = is_dynamic && !segments.is_empty();
        Ok(Self { header, interpreter, dynamic, is_loadable, segments, notes })
    }
}

/// `size` bytes at `offset`, all of them.
fn exactly(file: &Reader, offset: u64, size: usize, what: &'static str) -> Result<Vec<u8>> {
    let end = offset.checked_add(size as u64).ok_or(Error::Truncated(what))?;
    if end > file.size() {
        return Err(Error::Truncated(what));
    }
    Ok(file.bytes_at(offset, size)?)
}

/// Bytes of strings that are read of one file: far above what any linker writes, far below what hurts.
const MAX_STRINGS: usize = 1 << 20;

/// The strings of one file, read one by one within a bound that they share.
struct Strings<'a> {
    file: &'a Reader,
    left: usize,
}

impl<'a> Strings<'a> {
    fn of(file: &'a Reader) -> Self {
        Self { file, left: MAX_STRINGS }
    }

    /// The string at `offset`, without its NUL.
    fn at(&mut self, offset: u64) -> Result<Vec<u8>> {
        let mut string = Vec::new();
        loop {
            let chunk = self.file.bytes_at(offset.saturating_add(string.len() as u64), 256)?;
            let end = chunk.iter().position(|&byte| byte == 0);
            let taken = end.unwrap_or(chunk.len());
            self.left = self
                .left
                .checked_sub(taken + 1)
                .ok_or(Error::Damaged("its strings are longer than any linker writes"))?;
            if chunk.is_empty() {
                return Err(Error::Truncated("string table"));
            }
            string.extend(chunk.into_iter().take(taken));
            if end.is_some() {
                return Ok(string);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use coracle_testing::SyntheticElf;

    use super::*;
    use crate::content::Content;

    fn read(bytes: Vec<u8>) -> Result<Object> {
        Object::read(&Content::bytes(bytes).open()?)
    }

    fn sample() -> SyntheticElf {
        SyntheticElf {
            interpreter: Some("/lib64/ld-linux-x86-64.so.2"),
            needed: vec!["liba.so.1", "libc.so.6"],
            soname: Some("libx.so"),
            runpath: Some("$ORIGIN/../lib"),
            ..SyntheticElf::default()
        }
    }

    #[test]
    fn facts_are_read() {
        let object = read(sample().bytes()).unwrap();
        assert_eq!(object.interpreter.unwrap().to_string(), "/lib64/ld-linux-x86-64.so.2");
        assert_eq!(object.dynamic.needed().collect::<Vec<_>>(), [&b"liba.so.1"[..], b"libc.so.6"]);
        assert_eq!(object.dynamic.soname.as_deref(), Some(&b"libx.so"[..]));
        assert_eq!(object.dynamic.runpath.as_deref(), Some(&b"$ORIGIN/../lib"[..]));
        assert_eq!(object.header.machine.platform().unwrap().to_string(), "linux/amd64");
    }

    #[test]
    fn a_file_cut_anywhere_is_an_error() {
        let bytes = sample().bytes();
        for end in 0..bytes.len() {
            let error = read(bytes[..end].to_vec()).unwrap_err();
            assert!(matches!(error, Error::NotElf | Error::Truncated(_)), "{end}: {error}");
        }
    }

    proptest! {
        #[test]
        fn bytes_that_lie_never_panic(at in 0_usize..400, byte: u8, second in 0_usize..400, other: u8) {
            let mut bytes = sample().bytes();
            let size = bytes.len();
            bytes[at % size] = byte;
            bytes[second % size] = other;
            let _ = read(bytes.clone());
            let _ = stripped(&Content::bytes(bytes));
        }
    }
}
