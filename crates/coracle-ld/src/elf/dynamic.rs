//! The dynamic section (`PT_DYNAMIC`): names and flags with entries in file order, and the addresses of
//! tables.
//!
//! If a tag of a table occurs twice, the last entry is used, as in `elf_get_dynamic_info`,
//! `elf/get-dynamic-info.h`.

use goblin::elf::dynamic as d;
use goblin::elf::dynamic::Dyn;
use goblin::elf::program_header::{PT_DYNAMIC, ProgramHeader};
use scroll::Pread;

use super::error::{Error, Result};
use super::file_reader::{BoundedStringReader, read_exact};
use super::header::{Header, file_offset};
use coracle_core::content::OpenContent;

/// The entries of the dynamic section that affect loading. Empty for a static program.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct DynamicSection {
    /// `DT_NEEDED`, `DT_FILTER` and `DT_AUXILIARY` in order.
    pub dependencies: Vec<DynamicDependency>,
    /// `DT_SONAME`.
    pub soname: Option<Vec<u8>>,
    /// `DT_RPATH`, not split at `:`.
    pub rpath: Option<Vec<u8>>,
    /// `DT_RUNPATH`, not split at `:`.
    pub runpath: Option<Vec<u8>>,
    /// `DT_AUDIT` of a program, not split at `:`.
    pub audit: Option<Vec<u8>>,
    /// `DT_DEPAUDIT` of a program, not split at `:`.
    pub dependency_audit: Option<Vec<u8>>,
    /// `DT_FLAGS`.
    pub flags: u64,
    /// `DT_FLAGS_1`.
    pub flags_1: u64,
    pub(super) tables: TableAddresses,
}

/// The name of another object that the loader must map.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DynamicDependency {
    /// `DT_NEEDED`.
    Needed(Vec<u8>),
    /// `DT_FILTER`: loaded before the object in symbol lookup order.
    Filter(Vec<u8>),
    /// `DT_AUXILIARY`: like `DT_FILTER`, but optional.
    Auxiliary(Vec<u8>),
}

/// The addresses of the symbol, version and relocation tables; `None` if absent.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct TableAddresses {
    /// `DT_STRTAB`.
    pub(super) strings: Option<u64>,
    /// `DT_SYMTAB`.
    pub(super) symbols: Option<u64>,
    /// `DT_VERSYM`.
    pub(super) symbol_versions: Option<u64>,
    /// `DT_VERNEED`.
    pub(super) versions_needed: Option<u64>,
    /// `DT_VERDEF`.
    pub(super) versions_defined: Option<u64>,
    /// `DT_GNU_HASH`.
    pub(super) gnu_hash: Option<u64>,
    /// `DT_HASH`.
    pub(super) hash: Option<u64>,
    /// `DT_RELA`, with `DT_RELACOUNT`.
    pub(super) rela: RelocationTable,
    /// `DT_REL`, with `DT_RELCOUNT`.
    pub(super) rel: RelocationTable,
    /// `DT_JMPREL`, which can be bound lazily.
    pub(super) plt: RelocationTable,
    /// True if `DT_PLTREL` is `DT_RELA`, so that entries of `DT_JMPREL` have addends.
    pub(super) plt_has_addends: bool,
    /// `DT_RELR`.
    pub(super) has_relr: bool,
    /// `DT_BIND_NOW`.
    pub(super) bind_now: bool,
}

/// A relocation table.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct RelocationTable {
    pub(super) address: u64,
    pub(super) size: u64,
    /// Number of leading entries that refer to no symbol.
    pub(super) relative_count: u64,
}

/// Maximum number of entries. Linkers write a few hundred at most.
const MAX_ENTRIES: usize = 64 * 1024;

const DT_RELR: u64 = 36;
const DT_DEPAUDIT: u64 = 0x6fff_fefb;
const DT_AUDIT: u64 = 0x6fff_fefc;
const DT_AUXILIARY: u64 = 0x7fff_fffd;
const DT_FILTER: u64 = 0x7fff_ffff;

impl DynamicSection {
    /// Reads the section that `PT_DYNAMIC` refers to.
    pub(super) fn read(file: &OpenContent, header: &Header, segments: &[ProgramHeader]) -> Result<Self> {
        let Some(segment) = segments.iter().find(|segment| segment.p_type == PT_DYNAMIC) else {
            return Ok(Self::default());
        };
        let entries = read_entries(file, header, segment, segments)?;
        let mut dynamic = Self { tables: TableAddresses::from_entries(&entries), ..Self::default() };
        let Some(table) = entries.iter().find(|entry| entry.d_tag == d::DT_STRTAB) else {
            let named = entries.iter().any(|entry| requires_string_table(entry.d_tag));
            return if named {
                Err(Error::Damaged("it refers to libraries but has no string table"))
            } else {
                Ok(dynamic)
            };
        };
        let mut strings = BoundedStringReader::new(file);
        let mut string = |entry: &Dyn| {
            let address = table.d_val.checked_add(entry.d_val);
            let offset = address.and_then(|address| file_offset(address, segments));
            strings.read_at(offset.ok_or(Error::Truncated("string table"))?)
        };
        for entry in &entries {
            match entry.d_tag {
                d::DT_NEEDED => dynamic.dependencies.push(DynamicDependency::Needed(string(entry)?)),
                DT_FILTER => dynamic.dependencies.push(DynamicDependency::Filter(string(entry)?)),
                DT_AUXILIARY => dynamic.dependencies.push(DynamicDependency::Auxiliary(string(entry)?)),
                d::DT_SONAME => dynamic.soname = Some(string(entry)?),
                d::DT_RPATH => dynamic.rpath = Some(string(entry)?),
                d::DT_RUNPATH => dynamic.runpath = Some(string(entry)?),
                DT_AUDIT => dynamic.audit = Some(string(entry)?),
                DT_DEPAUDIT => dynamic.dependency_audit = Some(string(entry)?),
                d::DT_FLAGS => dynamic.flags = entry.d_val,
                d::DT_FLAGS_1 => dynamic.flags_1 = entry.d_val,
                _ => {}
            }
        }
        Ok(dynamic)
    }

    /// Returns the names in `DT_NEEDED`.
    pub fn needed(&self) -> impl Iterator<Item = &[u8]> {
        self.dependencies.iter().filter_map(|dependency| match dependency {
            DynamicDependency::Needed(name) => Some(name.as_slice()),
            _ => None,
        })
    }

    /// `DF_1_NODEFLIB`: dependencies are not searched in the default directories, nor found there
    /// through the loader's cache.
    pub fn ignores_default_directories(&self) -> bool {
        self.flags_1 & d::DF_1_NODEFLIB != 0
    }

    /// `DT_RELR`: compact relative relocations, supported since glibc 2.36.
    pub fn has_relr(&self) -> bool {
        self.tables.has_relr
    }

    /// Returns whether lazy binding is disabled (`DT_BIND_NOW`, `DF_BIND_NOW`, `DF_1_NOW`).
    pub fn binds_now(&self) -> bool {
        self.tables.bind_now || self.flags & d::DF_BIND_NOW != 0 || self.flags_1 & d::DF_1_NOW != 0
    }

    /// `DF_1_PIE`: a program, which loaders reject as a library.
    pub fn is_pie(&self) -> bool {
        self.flags_1 & d::DF_1_PIE != 0
    }
}

impl TableAddresses {
    /// Collects the addresses from the entries of the dynamic section.
    pub(super) fn from_entries(entries: &[Dyn]) -> Self {
        let mut tables = Self::default();
        for Dyn { d_tag, d_val } in entries.iter().cloned() {
            match d_tag {
                d::DT_STRTAB => tables.strings = Some(d_val),
                d::DT_SYMTAB => tables.symbols = Some(d_val),
                d::DT_VERSYM => tables.symbol_versions = Some(d_val),
                d::DT_VERNEED => tables.versions_needed = Some(d_val),
                d::DT_VERDEF => tables.versions_defined = Some(d_val),
                d::DT_GNU_HASH => tables.gnu_hash = Some(d_val),
                d::DT_HASH => tables.hash = Some(d_val),
                d::DT_RELA => tables.rela.address = d_val,
                d::DT_RELASZ => tables.rela.size = d_val,
                d::DT_RELACOUNT => tables.rela.relative_count = d_val,
                d::DT_REL => tables.rel.address = d_val,
                d::DT_RELSZ => tables.rel.size = d_val,
                d::DT_RELCOUNT => tables.rel.relative_count = d_val,
                d::DT_JMPREL => tables.plt.address = d_val,
                d::DT_PLTRELSZ => tables.plt.size = d_val,
                d::DT_PLTREL => tables.plt_has_addends = d_val == d::DT_RELA,
                DT_RELR => tables.has_relr = true,
                d::DT_BIND_NOW => tables.bind_now = true,
                _ => {}
            }
        }
        tables
    }
}

fn requires_string_table(tag: u64) -> bool {
    [d::DT_NEEDED, d::DT_SONAME, d::DT_RPATH, d::DT_RUNPATH, DT_FILTER, DT_AUXILIARY, DT_AUDIT, DT_DEPAUDIT]
        .contains(&tag)
}

/// Returns the entries up to `DT_NULL`. They are located by address, as loaders do.
fn read_entries(
    file: &OpenContent,
    header: &Header,
    segment: &ProgramHeader,
    segments: &[ProgramHeader],
) -> Result<Vec<Dyn>> {
    let size = if header.machine.is_64 { d::dyn64::SIZEOF_DYN } else { d::dyn32::SIZEOF_DYN };
    let count = usize::try_from(segment.p_filesz).unwrap_or(usize::MAX) / size;
    if count > MAX_ENTRIES {
        return Err(Error::Damaged("its dynamic section has too many entries"));
    }
    let offset = file_offset(segment.p_vaddr, segments).unwrap_or(segment.p_offset);
    let bytes = read_exact(file, offset, count * size, "dynamic section")?;
    let mut entries = Vec::new();
    for chunk in bytes.chunks_exact(size) {
        let entry: Dyn =
            chunk.pread_with(0, header.parse_context()).map_err(|_| Error::Truncated("dynamic section"))?;
        if entry.d_tag == d::DT_NULL {
            break;
        }
        entries.push(entry);
    }
    Ok(entries)
}
