//! Section headers, which loaders do not read. Used for stripping and for data that no segment
//! covers.

use goblin::elf::section_header as s;
use goblin::elf::section_header::SectionHeader;

use super::elf_object::ElfObject;
use super::error::{Error, Result};
use super::file_reader::{BoundedStringReader, read_exact};
use super::header::Header;
use coracle_core::content::OpenContent;
use coracle_core::fs;

/// A section header with its name.
pub(super) struct Section {
    pub(super) header: SectionHeader,
    pub(super) name: Vec<u8>,
}

impl Section {
    /// Returns whether the section is loaded (`SHF_ALLOC`).
    pub(super) fn is_allocated(&self) -> bool {
        self.header.sh_flags & u64::from(s::SHF_ALLOC) != 0
    }

    /// The end of the section in the file; 0 for `SHT_NOBITS`.
    pub(super) fn file_end(&self) -> u64 {
        if self.header.sh_type == s::SHT_NOBITS {
            0
        } else {
            self.header.sh_offset.saturating_add(self.header.sh_size)
        }
    }
}

/// A section as a tool lists it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SectionRange {
    /// The name, such as `.text`.
    pub name: Vec<u8>,
    /// The offset in the file.
    pub offset: u64,
    /// The size in the file, in bytes; 0 for a section without content.
    pub size: u64,
}

/// Lists the sections of `object`, which was read from `file`. The list is empty if there is no
/// table.
///
/// # Errors
/// Fails if the table is damaged or the file cannot be read.
pub fn list_sections(file: &OpenContent, object: &ElfObject) -> Result<Vec<SectionRange>> {
    let sections = read_sections(file, &object.header)?.into_iter();
    let listed =
        sections.filter(|section| section.header.sh_type != s::SHT_NULL).map(|section| SectionRange {
            offset: section.header.sh_offset,
            size: section.file_end().saturating_sub(section.header.sh_offset),
            name: section.name,
        });
    Ok(listed.collect())
}

/// Reads the section headers. The list is empty if there is no table.
pub(super) fn read_section_headers(file: &OpenContent, header: &Header) -> Result<Vec<SectionHeader>> {
    let (count, raw) = (usize::from(header.raw.e_shnum), &header.raw);
    let size = SectionHeader::size(header.parse_context());
    if count == 0 || raw.e_shoff == 0 || usize::from(raw.e_shentsize) != size {
        return Ok(Vec::new());
    }
    let bytes = read_exact(file, raw.e_shoff, count * size, "section headers")?;
    let headers = SectionHeader::parse_from(&bytes, 0, count, header.parse_context());
    headers.map_err(|_| Error::Truncated("section headers"))
}

/// Like [`read_section_headers`], but the list is empty if the headers are damaged: loaders do not
/// read them.
pub(super) fn section_headers_if_valid(
    file: &OpenContent,
    header: &Header,
) -> fs::Result<Vec<SectionHeader>> {
    match read_section_headers(file, header) {
        Err(Error::Io(error)) => Err(error),
        headers => Ok(headers.unwrap_or_default()),
    }
}

/// Reads the section headers with their names. The list is empty if there is no table.
pub(super) fn read_sections(file: &OpenContent, header: &Header) -> Result<Vec<Section>> {
    let headers = read_section_headers(file, header)?;
    let Some(names) = headers.get(usize::from(header.raw.e_shstrndx)).map(|table| table.sh_offset) else {
        return Ok(Vec::new());
    };
    let mut strings = BoundedStringReader::new(file);
    headers
        .into_iter()
        .map(|header| {
            let name = if header.sh_type == s::SHT_NULL {
                Vec::new()
            } else {
                strings.read_at(names.saturating_add(header.sh_name as u64))?
            };
            Ok(Section { header, name })
        })
        .collect()
}
