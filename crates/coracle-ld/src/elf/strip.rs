//! Removes symbol table and debug sections from a program.
//!
//! Bytes covered by a segment keep their offset, so loaders see no difference. Of the other
//! sections, symbols and debug information are removed; the rest (`.comment`, `.dep-v0` of cargo
//! auditable, notes) is kept.

use goblin::elf::section_header as s;
use goblin::elf::section_header::SectionHeader;
use scroll::Pwrite;

use super::dynamic::DynamicSection;
use super::elf_object::ElfObject;
use super::error::{Error, Result};
use super::header::Header;
use super::sections::{Section, read_sections};
use coracle_core::content::{Content, OpenContent, SplicePart};

/// Name prefixes of debug and profiling sections.
const DEBUG_SECTION_PREFIXES: [&[u8]; 9] = [
    b".debug_",
    b".zdebug_",
    b".gnu_debugdata",
    b".gdb_index",
    b".stab",
    b".line",
    b".llvm",
    b".gnu.debuglto_",
    b".symtab",
];

/// The result of [`strip`].
#[derive(Clone, Debug)]
pub enum StripResult {
    /// The content without symbol table and debug sections.
    Smaller(Content),
    /// There is nothing to remove.
    Unchanged,
    /// The file has this number of bytes that neither a segment nor a section contains. A program finds
    /// them by their offset in the file, or from its end, so nothing may be removed.
    HasPayload(u64),
}

/// Removes symbol table and debug sections from `content`.
///
/// # Errors
/// Fails if it is not a valid ELF file.
pub fn strip(content: &Content) -> Result<StripResult> {
    let file = content.open()?;
    let header = Header::read(&file)?;
    let sections = read_sections(&file, &header)?;
    if sections.is_empty() {
        return Ok(StripResult::Unchanged);
    }
    let loaded_end = loaded_end(&file, &header, &sections)?;
    let kept: Vec<usize> = (0..sections.len()).filter(|&index| is_kept_section(&sections, index)).collect();
    let parts = lay_out_stripped_file(&header, &file, &sections, &kept, loaded_end)?;
    let copy = content.splice(parts);
    // Names of the dynamic section can be in the file's header, which changes.
    if copy.size() >= content.size() || dynamic_section(&file) != dynamic_section(&copy.open()?) {
        return Ok(StripResult::Unchanged);
    }
    Ok(match payload_size(&file, &header, &sections, loaded_end)? {
        0 => StripResult::Smaller(copy),
        size => StripResult::HasPayload(size),
    })
}

/// Returns what a loader reads in the dynamic section; `None` if the file cannot be loaded.
fn dynamic_section(file: &OpenContent) -> Option<DynamicSection> {
    ElfObject::read(file).ok().map(|object| object.dynamic)
}

/// Returns the end offset of headers, segments and allocated sections, which must not move.
fn loaded_end(file: &OpenContent, header: &Header, sections: &[Section]) -> Result<u64> {
    let segments = header.read_segments(file)?;
    let table = u64::from(header.raw.e_phnum) * u64::from(header.raw.e_phentsize);
    let ends = segments.iter().map(|segment| segment.p_offset.saturating_add(segment.p_filesz));
    let allocated = sections.iter().filter(|section| section.is_allocated()).map(Section::file_end);
    let tables = [header.size(), header.raw.e_phoff.saturating_add(table)];
    let end = ends.chain(allocated).chain(tables).max().unwrap_or_default();
    if end > file.size() { Err(Error::Truncated("segments")) } else { Ok(end) }
}

/// The longest run of zeros that counts as padding: one page.
const MAX_PADDING: u64 = 4096;

/// Returns the number of bytes from `loaded_end` on that are neither in a section nor in the table of
/// section headers, without padding.
fn payload_size(file: &OpenContent, header: &Header, sections: &[Section], loaded_end: u64) -> Result<u64> {
    let table = u64::from(header.raw.e_shnum) * u64::from(header.raw.e_shentsize);
    let table = (header.raw.e_shoff, header.raw.e_shoff.saturating_add(table));
    let mut described: Vec<(u64, u64)> =
        sections.iter().map(|section| (section.header.sh_offset, section.file_end())).collect();
    described.extend([table, (file.size(), file.size())]);
    described.sort_unstable();
    let (mut at, mut payload) = (loaded_end, 0);
    for (start, end) in described {
        let gap = start.saturating_sub(at);
        if gap > 0 && !is_padding(file, at, gap)? {
            payload += gap;
        }
        at = at.max(end);
    }
    Ok(payload)
}

/// Returns whether the `size` bytes at `offset` are few and all zero.
fn is_padding(file: &OpenContent, offset: u64, size: u64) -> Result<bool> {
    let count = usize::try_from(size).unwrap_or(usize::MAX);
    Ok(size < MAX_PADDING && file.read_bytes_at(offset, count)?.iter().all(|&byte| byte == 0))
}

/// Returns whether the section at `index` is neither a symbol table nor debug information.
fn is_kept_section(sections: &[Section], index: usize) -> bool {
    let Some(section) = sections.get(index) else { return false };
    let symbols = [s::SHT_SYMTAB, s::SHT_SYMTAB_SHNDX, s::SHT_STRTAB, s::SHT_REL, s::SHT_RELA, s::SHT_GROUP];
    index == 0
        || section.is_allocated()
        || !(symbols.contains(&section.header.sh_type)
            || DEBUG_SECTION_PREFIXES.iter().any(|prefix| section.name.starts_with(prefix)))
}

/// Lays out the new file: header, loaded part, other kept sections, section names, section headers.
fn lay_out_stripped_file(
    header: &Header,
    file: &OpenContent,
    sections: &[Section],
    kept: &[usize],
    loaded_end: u64,
) -> Result<Vec<SplicePart>> {
    let first = header.size();
    let mut parts = vec![
        SplicePart::New(Vec::new()),
        SplicePart::Existing { start: first, size: loaded_end.saturating_sub(first) },
    ];
    let mut end = loaded_end;
    let mut names = vec![0];
    let mut headers = Vec::new();
    for section in kept.iter().filter_map(|&index| sections.get(index)) {
        let mut new = section.header.clone();
        new.sh_name = add_section_name(&mut names, &section.name);
        new.sh_link = new_section_index(kept, new.sh_link);
        if new.sh_flags & u64::from(s::SHF_INFO_LINK) != 0 {
            new.sh_info = new_section_index(kept, new.sh_info);
        }
        if section.file_end() > file.size() {
            return Err(Error::Truncated("sections"));
        }
        if section.file_end() > loaded_end {
            end = push_padding(&mut parts, end, new.sh_addralign.clamp(1, 4096));
            parts.push(SplicePart::Existing { start: new.sh_offset, size: new.sh_size });
            new.sh_offset = end;
            end += new.sh_size;
        }
        headers.push(new);
    }
    let table = SectionHeader {
        sh_name: add_section_name(&mut names, b".shstrtab"),
        sh_type: s::SHT_STRTAB,
        sh_offset: end,
        sh_size: names.len() as u64,
        sh_addralign: 1,
        ..SectionHeader::default()
    };
    end += names.len() as u64;
    parts.push(SplicePart::New(names));
    headers.push(table);
    let start = push_padding(&mut parts, end, 8);
    parts.push(SplicePart::New(write_headers(header, &headers)?));
    let new_header = write_header(header, start, headers.len())?;
    if let Some(part) = parts.first_mut() {
        *part = SplicePart::New(new_header);
    }
    Ok(parts)
}

/// Adds zero bytes up to the next multiple of `align` and returns the new end.
fn push_padding(parts: &mut Vec<SplicePart>, end: u64, align: u64) -> u64 {
    let padded = end.next_multiple_of(align);
    let zeros = usize::try_from(padded - end).unwrap_or_default();
    if zeros > 0 {
        parts.push(SplicePart::New(vec![0; zeros]));
    }
    padded
}

/// Appends a name to the table of section names and returns its offset.
fn add_section_name(names: &mut Vec<u8>, name: &[u8]) -> usize {
    if name.is_empty() {
        return 0;
    }
    let at = names.len();
    names.extend_from_slice(name);
    names.push(0);
    at
}

/// Returns the new index of the section `index`; 0 (none) if it was removed. `kept` must be sorted.
fn new_section_index(kept: &[usize], index: u32) -> u32 {
    let position = usize::try_from(index).ok().and_then(|index| kept.binary_search(&index).ok());
    position.and_then(|position| u32::try_from(position).ok()).unwrap_or_default()
}

/// Serializes the section headers.
fn write_headers(header: &Header, headers: &[SectionHeader]) -> Result<Vec<u8>> {
    let size = SectionHeader::size(header.parse_context());
    let mut bytes = vec![0; headers.len() * size];
    for (index, section) in headers.iter().enumerate() {
        let written = bytes.pwrite_with(section.clone(), index * size, header.parse_context());
        written.map_err(|_| Error::Damaged("one of its section headers cannot be rewritten"))?;
    }
    Ok(bytes)
}

/// Serializes the ELF header with a new section header table.
fn write_header(header: &Header, sections: u64, count: usize) -> Result<Vec<u8>> {
    let mut raw = header.raw;
    raw.e_shoff = sections;
    raw.e_shnum = u16::try_from(count).map_err(|_| Error::Damaged("it has too many sections"))?;
    raw.e_shstrndx = raw.e_shnum - 1;
    let mut bytes = vec![0; usize::try_from(header.size()).unwrap_or_default()];
    bytes
        .pwrite_with(raw, 0, header.parse_context().le)
        .map_err(|_| Error::Damaged("the size of its header is invalid"))?;
    Ok(bytes)
}
