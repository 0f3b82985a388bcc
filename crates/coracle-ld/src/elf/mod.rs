//! Parser for single ELF files: headers, dynamic section, symbols, versions, notes, and stripping.
//!
//! Like a loader, it follows program headers and addresses. Section headers are used only for
//! stripping, notes and advice. Every offset, count and string length is bounded. Source: the gABI,
//! and `elf.h` of glibc.

mod dlopen_notes;
mod dynamic;
mod embedded_strings;
mod header;
mod isa_level;
mod machine;
mod mapped_file;
mod notes;
mod relocations;
mod sections;
mod strip;
mod symbol_lookup;
#[cfg(test)]
mod symbol_tests;
mod symbols;
mod table_addresses;
mod toolchain;
mod versions;

pub use dlopen_notes::{DlopenNote, DlopenPriority, dlopen_notes};
pub use dynamic::{DynamicDependency, DynamicSection};
pub use embedded_strings::{data_strings_containing, printable_data_strings_containing, strings_containing};
pub use header::{ElfType, Header};
pub use isa_level::{IsaLevel, required_isa_level};
pub use machine::Machine;
pub use notes::{ElfNote, read_notes};
pub use relocations::RelocationClass;
pub use strip::strip;
pub use symbol_lookup::{ExportedSymbols, LookupResult, LookupRules};
pub use symbols::{SymbolReference, gnu_hash, symbol_references};
pub use toolchain::{RustTargets, Toolchain, detect_toolchain, rust_targets};
pub use versions::{DefinedVersion, NeededVersion, SymbolVersion, SymbolVersions};

use goblin::elf::program_header::{PT_DYNAMIC, PT_LOAD, PT_NOTE, ProgramHeader};

use coracle_core::content::ContentReader;
use coracle_core::fs;
use coracle_core::path::RawPath;

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
pub struct ElfObject {
    /// The ELF header.
    pub header: Header,
    /// The path in `PT_INTERP`.
    pub interpreter: Option<RawPath>,
    /// The dynamic section; empty if there is none, as in static programs.
    pub dynamic: DynamicSection,
    /// Whether it has loaded segments and a dynamic section, as loaders require of a library.
    pub is_loadable: bool,
    /// The `PT_LOAD` segments.
    segments: Vec<ProgramHeader>,
    /// The `PT_NOTE` segments.
    notes: Vec<notes::NoteRange>,
}

impl ElfObject {
    /// Reads an ELF file.
    ///
    /// # Errors
    /// Fails if it is not an ELF file, or is too damaged for a loader.
    pub fn read(file: &ContentReader) -> Result<Self> {
        Self::read_with_header(file, Header::read(file)?)
    }

    /// Like [`Object::read`], with a header that was already read.
    ///
    /// # Errors
    /// See [`Object::read`].
    pub fn read_with_header(file: &ContentReader, header: Header) -> Result<Self> {
        let mut segments = header.read_segments(file)?;
        let interpreter = header::read_interpreter(file, &segments)?;
        let dynamic = DynamicSection::read(file, &header, &segments)?;
        let is_dynamic = segments.iter().any(|segment| segment.p_type == PT_DYNAMIC);
        let notes = segments.iter().filter(|segment| segment.p_type == PT_NOTE).map(|segment| {
            notes::NoteRange { offset: segment.p_offset, size: segment.p_filesz, align: segment.p_align }
        });
        let notes = notes.collect();
        segments.retain(|segment| segment.p_type == PT_LOAD);
        let is_loadable = is_dynamic && !segments.is_empty();
        Ok(Self { header, interpreter, dynamic, is_loadable, segments, notes })
    }
}

/// Reads exactly `size` bytes at `offset`. `what` names them in the error.
fn read_exact(file: &ContentReader, offset: u64, size: usize, what: &'static str) -> Result<Vec<u8>> {
    let end = offset.checked_add(size as u64).ok_or(Error::Truncated(what))?;
    if end > file.size() {
        return Err(Error::Truncated(what));
    }
    Ok(file.read_bytes_at(offset, size)?)
}

/// Maximum number of string bytes to read of one file.
const MAX_STRINGS: usize = 1 << 20;

/// Reads strings of one file, with a limit on their total size.
struct StringReader<'a> {
    file: &'a ContentReader,
    left: usize,
}

impl<'a> StringReader<'a> {
    fn new(file: &'a ContentReader) -> Self {
        Self { file, left: MAX_STRINGS }
    }

    /// Reads the string at `offset`, without its NUL.
    fn read_at(&mut self, offset: u64) -> Result<Vec<u8>> {
        let mut string = Vec::new();
        loop {
            let chunk = self.file.read_bytes_at(offset.saturating_add(string.len() as u64), 256)?;
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

    fn read(bytes: Vec<u8>) -> Result<ElfObject> {
        ElfObject::read(&Content::from_bytes(bytes).open()?)
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
            let _ = strip(&Content::from_bytes(bytes));
        }
    }
}
