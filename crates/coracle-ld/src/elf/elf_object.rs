//! An ELF file as a loader sees it.

use goblin::elf::program_header::{PT_DYNAMIC, PT_LOAD, PT_NOTE, ProgramHeader};

use super::dynamic::DynamicSection;
use super::error::Result;
use super::header::{Header, read_interpreter};
use coracle_core::content::OpenContent;
use coracle_core::path::RawPath;

/// The parts of an ELF file that a loader reads.
#[derive(Clone, Debug)]
pub struct ElfObject {
    /// The ELF header.
    pub header: Header,
    /// The path in `PT_INTERP`.
    pub interpreter: Option<RawPath>,
    /// The dynamic section; empty if there is none, as in static programs.
    pub dynamic: DynamicSection,
    /// `true` if it has loaded segments and a dynamic section, as loaders require of a library.
    pub is_loadable: bool,
    /// The `PT_LOAD` segments.
    pub(super) segments: Vec<ProgramHeader>,
    /// The `PT_NOTE` segments.
    pub(super) notes: Vec<NoteRange>,
}

impl ElfObject {
    /// Reads an ELF file.
    ///
    /// # Errors
    /// Fails if it is not an ELF file, or is too damaged for a loader.
    pub fn read(file: &OpenContent) -> Result<Self> {
        Self::read_with_header(file, Header::read(file)?)
    }

    /// Like [`ElfObject::read`], with a header that was already read.
    ///
    /// # Errors
    /// See [`ElfObject::read`].
    pub fn read_with_header(file: &OpenContent, header: Header) -> Result<Self> {
        let mut segments = header.read_segments(file)?;
        let interpreter = read_interpreter(file, &segments)?;
        let dynamic = DynamicSection::read(file, &header, &segments)?;
        let is_dynamic = segments.iter().any(|segment| segment.p_type == PT_DYNAMIC);
        let notes = segments.iter().filter(|segment| segment.p_type == PT_NOTE).map(|segment| NoteRange {
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

/// A file range that contains notes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct NoteRange {
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) align: u64,
}
