//! ELF header and program headers.

use goblin::container::{Container, Ctx};
use goblin::elf::header::{
    EI_ABIVERSION, EI_DATA, EI_OSABI, EI_VERSION, ELFDATA2LSB, ET_DYN, ET_EXEC, EV_CURRENT, Header as Raw,
};
use goblin::elf::program_header::{PT_INTERP, PT_LOAD, ProgramHeader};
use scroll::ctx::SizeWith;

use super::error::{Error, Result};
use super::file_reader::read_exact;
use super::machine::Machine;
use coracle_core::content::OpenContent;
use coracle_core::path::RawPath;

/// The fields of the ELF header that affect loading.
#[derive(Clone, Debug)]
pub struct Header {
    /// Class, byte order, machine, and the flags that distinguish ABIs.
    pub machine: Machine,
    /// `e_type`: program, shared object, or a file that cannot be loaded.
    pub elf_type: ElfType,
    /// `EI_OSABI`.
    pub os_abi: u8,
    /// `EI_ABIVERSION`.
    pub abi_version: u8,
    /// `true` if `EI_VERSION` and `e_version` are current and the padding of `e_ident` is zero, as
    /// loaders require.
    pub has_valid_ident: bool,
    /// `true` if the entry point is not zero.
    pub has_entry: bool,
    pub(super) raw: Raw,
}

/// The file type (`e_type`), as loaders distinguish it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ElfType {
    /// `ET_EXEC`: a program at a fixed address.
    Executable,
    /// `ET_DYN`: a shared object, or a position-independent program.
    Shared,
    /// Another type, such as a relocatable file or a core dump.
    Other(u16),
}

/// Maximum size of the program headers: the kernel's limit (`load_elf_phdrs`, `fs/binfmt_elf.c`).
const MAX_SEGMENT_TABLE: usize = 64 * 1024;

/// Size of an `Elf32_Ehdr`.
const MIN_HEADER_SIZE: usize = 52;

/// `PATH_MAX`, the kernel's limit for `PT_INTERP`.
const MAX_INTERPRETER_LENGTH: u64 = 4096;

impl Header {
    /// Reads the ELF header of `file`.
    ///
    /// # Errors
    /// Fails if the file does not start with a complete ELF header.
    pub fn read(file: &OpenContent) -> Result<Self> {
        let bytes = file.read_bytes_at(0, 64)?;
        if !bytes.starts_with(b"\x7fELF") {
            return Err(Error::NotElf);
        }
        if bytes.len() < MIN_HEADER_SIZE {
            return Err(Error::Truncated("header"));
        }
        let raw = goblin::elf::Elf::parse_header(&bytes).map_err(|e| match e {
            goblin::error::Error::Malformed(_) => Error::Damaged("its class or byte order is invalid"),
            _ => Error::Truncated("header"),
        })?;
        let ident = |index: usize| raw.e_ident.get(index).copied().unwrap_or_default();
        Ok(Self {
            machine: Machine {
                is_64: matches!(raw.container(), Ok(Container::Big)),
                is_little_endian: ident(EI_DATA) == ELFDATA2LSB,
                e_machine: raw.e_machine,
                e_flags: raw.e_flags,
            },
            elf_type: match raw.e_type {
                ET_EXEC => ElfType::Executable,
                ET_DYN => ElfType::Shared,
                other => ElfType::Other(other),
            },
            os_abi: ident(EI_OSABI),
            abi_version: ident(EI_ABIVERSION),
            has_valid_ident: ident(EI_VERSION) == EV_CURRENT
                && raw.e_version == u32::from(EV_CURRENT)
                && raw.e_ident.iter().skip(EI_ABIVERSION + 1).all(|&byte| byte == 0),
            has_entry: raw.e_entry != 0,
            raw,
        })
    }

    /// Class and byte order for parsing.
    pub(super) fn parse_context(&self) -> Ctx {
        let container = if self.machine.is_64 { Container::Big } else { Container::Little };
        let endian = if self.machine.is_little_endian { scroll::Endian::Little } else { scroll::Endian::Big };
        Ctx::new(container, endian)
    }

    /// Size of the header in bytes. `e_ehsize` is ignored, as loaders do.
    pub(super) fn size(&self) -> u64 {
        Raw::size_with(&self.parse_context()) as u64
    }

    /// Reads the program headers.
    pub(super) fn read_segments(&self, file: &OpenContent) -> Result<Vec<ProgramHeader>> {
        let count = usize::from(self.raw.e_phnum);
        let entry = ProgramHeader::size(self.parse_context());
        if count > 0 && usize::from(self.raw.e_phentsize) != entry {
            return Err(Error::Damaged("the size of its program headers is invalid"));
        }
        let size = count * entry;
        if size > MAX_SEGMENT_TABLE {
            return Err(Error::Damaged("it has more program headers than the kernel accepts"));
        }
        let bytes = read_exact(file, self.raw.e_phoff, size, "program headers")?;
        let segments = ProgramHeader::parse(&bytes, 0, count, self.parse_context());
        let segments = segments.map_err(|_| Error::Truncated("program headers"))?;
        for segment in segments.iter().filter(|segment| segment.p_type == PT_LOAD) {
            let end = segment.p_offset.checked_add(segment.p_filesz);
            if end.is_none_or(|end| end > file.size()) {
                return Err(Error::Truncated("loaded segments"));
            }
        }
        Ok(segments)
    }
}

/// Returns the path in `PT_INTERP`; `None` if there is no such segment.
pub(super) fn read_interpreter(file: &OpenContent, segments: &[ProgramHeader]) -> Result<Option<RawPath>> {
    let Some(segment) = segments.iter().find(|segment| segment.p_type == PT_INTERP) else { return Ok(None) };
    let size = usize::try_from(segment.p_filesz.min(MAX_INTERPRETER_LENGTH + 1)).unwrap_or(usize::MAX);
    if !(2..=MAX_INTERPRETER_LENGTH).contains(&segment.p_filesz) {
        return Err(Error::Damaged("the path of its interpreter is empty or too long"));
    }
    let bytes = read_exact(file, segment.p_offset, size, "interpreter's path")?;
    match bytes.split(|&byte| byte == 0).next() {
        Some(name) if bytes.ends_with(b"\0") && !name.is_empty() => Ok(Some(RawPath::new(name))),
        _ => Err(Error::Damaged("the path of its interpreter is not terminated by NUL")),
    }
}

/// Converts an address to a file offset; `None` if no segment has bytes for it in the file.
pub(super) fn file_offset(address: u64, segments: &[ProgramHeader]) -> Option<u64> {
    let loaded = segments.iter().filter(|segment| segment.p_type == PT_LOAD);
    loaded.filter_map(|segment| Some((address.checked_sub(segment.p_vaddr)?, segment))).find_map(
        |(into, segment)| (into < segment.p_filesz).then(|| segment.p_offset.checked_add(into)).flatten(),
    )
}
