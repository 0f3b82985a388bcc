//! Parser for single ELF files: headers, dynamic section, symbols, versions, notes, and stripping.
//!
//! Like a loader, it follows program headers and addresses. Section headers are used only for
//! stripping, notes and advice. Every offset, count and string length is bounded. Source: the gABI,
//! and `elf.h` of glibc.

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

use coracle_core::content::Reader;
use coracle_core::fs;
use coracle_core::path::Spelled;

/// The error for a file that is not a valid ELF file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file does not start with the ELF magic.
    #[error("it is not an ELF file")]
    NotElf,
    /// The file ends before the named part.
    #[error("it is truncated: its {0} would end after the end of the file")]
    Truncated(&'static str),
    /// The file is inconsistent.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] fs::Error),
}

/// The result type of this module.
pub type Result<T> = std::result::Result<T, Error>;

/// The parts of an ELF file that a loader reads.
#[derive(Clone, Debug)]
pub struct Object {
    /// The ELF header.
    pub header: Header,
    /// The path in `PT_INTERP`.
    pub interpreter: Option<Spelled>,
    /// The dynamic section; empty if there is none, as in static programs.
    pub dynamic: Dynamic,
    /// Whether it has loaded segments and a dynamic section, as loaders require of a library.
    pub is_loadable: bool,
    /// The `PT_LOAD` segments.
    segments: Vec<ProgramHeader>,
    /// The `PT_NOTE` segments.
    notes: Vec<notes::Range>,
}

impl Object {
    /// Reads an ELF file.
    ///
    /// # Errors
    /// Fails if it is not an ELF file, or is too damaged for a loader.
    pub fn read(file: &Reader) -> Result<Self> {
        Self::read_after(file, Header::read(file)?)
    }

    /// Like [`Object::read`], with a header that was already read.
    ///
    /// # Errors
    /// See [`Object::read`].
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

/// Reads exactly `size` bytes at `offset`. `what` names them in the error.
fn exactly(file: &Reader, offset: u64, size: usize, what: &'static str) -> Result<Vec<u8>> {
    let end = offset.checked_add(size as u64).ok_or(Error::Truncated(what))?;
    if end > file.size() {
        return Err(Error::Truncated(what));
    }
    Ok(file.bytes_at(offset, size)?)
}

/// Maximum number of string bytes to read of one file.
const MAX_STRINGS: usize = 1 << 20;

/// Reads strings of one file, with a limit on their total size.
struct Strings<'a> {
    file: &'a Reader,
    left: usize,
}

impl<'a> Strings<'a> {
    fn of(file: &'a Reader) -> Self {
        Self { file, left: MAX_STRINGS }
    }

    /// Reads the string at `offset`, without its NUL.
    fn at(&mut self, offset: u64) -> Result<Vec<u8>> {
        let mut string = Vec::new();
        loop {
            let chunk = self.file.bytes_at(offset.saturating_add(string.len() as u64), 256)?;
            let end = chunk.iter().position(|&byte| byte == 0);
            let taken = end.unwrap_or(chunk.len());
            self.left = self.left.checked_sub(taken + 1).ok_or(Error::Damaged("its strings are too long"))?;
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
    use coracle_core::content::Content;

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
    fn reads_headers_and_dynamic_section() {
        let object = read(sample().bytes()).unwrap();
        assert_eq!(object.interpreter.unwrap().to_string(), "/lib64/ld-linux-x86-64.so.2");
        assert_eq!(object.dynamic.needed().collect::<Vec<_>>(), [&b"liba.so.1"[..], b"libc.so.6"]);
        assert_eq!(object.dynamic.soname.as_deref(), Some(&b"libx.so"[..]));
        assert_eq!(object.dynamic.runpath.as_deref(), Some(&b"$ORIGIN/../lib"[..]));
        assert_eq!(object.header.machine.platform().unwrap().to_string(), "linux/amd64");
    }

    #[test]
    fn rejects_truncated_files() {
        let bytes = sample().bytes();
        for end in 0..bytes.len() {
            let error = read(bytes[..end].to_vec()).unwrap_err();
            assert!(matches!(error, Error::NotElf | Error::Truncated(_)), "{end}: {error}");
        }
    }

    proptest! {
        #[test]
        fn corrupted_bytes_never_panic(at in 0_usize..400, byte: u8, second in 0_usize..400, other: u8) {
            let mut bytes = sample().bytes();
            let size = bytes.len();
            bytes[at % size] = byte;
            bytes[second % size] = other;
            let _ = read(bytes.clone());
            let _ = stripped(&Content::bytes(bytes));
        }
    }
}
