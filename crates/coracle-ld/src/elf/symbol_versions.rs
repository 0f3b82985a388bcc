//! Symbol versions: the versions that an object needs from other files, and the versions that it
//! defines.
//!
//! Source: `_dl_check_map_versions`, `elf/dl-version.c`. As there, records are followed up to the
//! one marked as last; the counts (`DT_VERNEEDNUM`, `DT_VERDEFNUM`) are ignored.

use std::rc::Rc;

use super::elf_object::ElfObject;
use super::error::{Error, Result};
use super::mapped_file::MappedFile;
use coracle_core::content::OpenContent;

/// `VER_FLG_BASE`.
const VER_FLG_BASE: u16 = 1;
/// `VER_FLG_WEAK`.
const VER_FLG_WEAK: u16 = 2;
/// The hidden bit of a version index, in `DT_VERSYM` and `vna_other`.
pub(super) const VERSYM_HIDDEN: u16 = 0x8000;

/// Maximum number of records. An index has 15 bits.
const MAX_RECORDS: usize = 1 << 16;
/// Maximum number of name bytes.
const MAX_NAMES: usize = 1 << 22;

/// The symbol versions of one object.
#[derive(Clone, Default, Debug)]
pub struct SymbolVersions {
    /// The versions that it needs, in the order of `DT_VERNEED`.
    pub needed: Vec<NeededVersion>,
    /// The versions that it defines, in the order of `DT_VERDEF`.
    pub defined: Vec<DefinedVersion>,
    /// `true` if it has `DT_VERDEF`.
    pub has_definitions: bool,
    /// Versions by index; `None` for indices without a version (local, global, base).
    indices: Vec<Option<Rc<SymbolVersion>>>,
}

/// A version that an object needs (`Elf64_Vernaux`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NeededVersion {
    /// `vna_hash`.
    pub hash: u32,
    /// The version's name, such as `GLIBC_2.34`.
    pub name: Vec<u8>,
    /// The soname of the file that defines it, as of link time.
    pub file: Vec<u8>,
    /// `VER_FLG_WEAK`: the version may be missing.
    pub is_weak: bool,
}

/// A version that an object defines (`Elf64_Verdef`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DefinedVersion {
    /// `vd_hash`.
    pub hash: u32,
    /// The version's name. The base version has the name of the object.
    pub name: Vec<u8>,
    /// `VER_FLG_BASE`.
    pub is_base: bool,
}

/// The version of one symbol, from `DT_VERSYM` (`struct r_found_version`, `include/link.h`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SymbolVersion {
    /// The hash of its name.
    pub hash: u32,
    /// The version's name.
    pub name: Vec<u8>,
    /// The file that defines it; `None` for a version of the object itself.
    pub file: Option<Vec<u8>>,
    /// `true` if an unversioned definition is rejected.
    pub is_hidden: bool,
}

impl SymbolVersions {
    /// Reads the versions of `object`, which was read from `file`.
    ///
    /// # Errors
    /// Fails if a table is damaged or the file cannot be read.
    pub fn read(file: &OpenContent, object: &ElfObject) -> Result<Self> {
        Self::read_mapped(&mut MappedFile::new(file, object), object)
    }

    /// Like [`SymbolVersions::read`], for a file that is read by address.
    pub(super) fn read_mapped(memory: &mut MappedFile<'_>, object: &ElfObject) -> Result<Self> {
        let tables = &object.dynamic.tables;
        let Some(strings) = tables.strings else { return Ok(Self::default()) };
        let mut records =
            VersionRecords { memory, strings, records_left: MAX_RECORDS, name_bytes_left: MAX_NAMES };
        let mut versions = Self::default();
        if let Some(address) = tables.versions_needed {
            versions.read_needed(&mut records, address)?;
        }
        if let Some(address) = tables.versions_defined {
            versions.has_definitions = true;
            versions.read_defined(&mut records, address)?;
        }
        Ok(versions)
    }

    /// Returns whether the object defines the version `name`.
    pub fn defines(&self, name: &[u8]) -> bool {
        self.defined.iter().any(|defined| defined.name == name)
    }

    /// Returns whether the object needs or defines versions. Otherwise `DT_VERSYM` is ignored.
    pub(super) fn is_versioned(&self) -> bool {
        !self.indices.is_empty()
    }

    /// Returns the version of a `DT_VERSYM` entry.
    pub(super) fn version_of_entry(&self, entry: u16) -> Option<&Rc<SymbolVersion>> {
        self.indices.get(usize::from(entry & !VERSYM_HIDDEN))?.as_ref()
    }

    /// Reads the records of `DT_VERNEED`.
    fn read_needed(&mut self, records: &mut VersionRecords<'_, '_>, start: u64) -> Result<()> {
        let mut next = Some(start);
        while let Some(at) = next {
            let need = records.verneed(at)?;
            if at == start && need.form != 1 {
                return Err(Error::Damaged("the format of its needed versions is unknown"));
            }
            let file = records.name(need.file)?;
            let mut aux = Some(add_offset(at, need.aux)?);
            while let Some(at) = aux {
                let version = records.vernaux(at)?;
                let name = records.name(version.name)?;
                let (hash, is_hidden) = (version.hash, version.other & VERSYM_HIDDEN != 0);
                let meaning = SymbolVersion { hash, name: name.clone(), file: Some(file.clone()), is_hidden };
                self.set_version(version.other, meaning);
                let is_weak = version.flags & VER_FLG_WEAK != 0;
                self.needed.push(NeededVersion { hash, name, file: file.clone(), is_weak });
                aux = next_record(at, version.next)?;
            }
            next = next_record(at, need.next)?;
        }
        Ok(())
    }

    /// Reads the records of `DT_VERDEF`.
    fn read_defined(&mut self, records: &mut VersionRecords<'_, '_>, start: u64) -> Result<()> {
        let mut next = Some(start);
        while let Some(at) = next {
            let definition = records.verdef(at)?;
            if definition.form != 1 {
                return Err(Error::Damaged("the format of its defined versions is unknown"));
            }
            let name = records.name_of_verdaux(add_offset(at, definition.aux)?)?;
            let (hash, is_base) = (definition.hash, definition.flags & VER_FLG_BASE != 0);
            if !is_base {
                // The base version has the name of the file, so no reference asks for it.
                let meaning = SymbolVersion { hash, name: name.clone(), file: None, is_hidden: false };
                self.set_version(definition.index, meaning);
            } else {
                self.grow_to_index(definition.index);
            }
            self.defined.push(DefinedVersion { hash, name, is_base });
            next = next_record(at, definition.next)?;
        }
        Ok(())
    }

    /// Sets the version of an index. A later version replaces an earlier one.
    fn set_version(&mut self, index: u16, version: SymbolVersion) {
        self.grow_to_index(index);
        if let Some(meaning) = self.indices.get_mut(usize::from(index & !VERSYM_HIDDEN)) {
            *meaning = (version.hash != 0).then(|| Rc::new(version));
        }
    }

    fn grow_to_index(&mut self, index: u16) {
        let count = usize::from(index & !VERSYM_HIDDEN) + 1;
        if self.indices.len() < count {
            self.indices.resize(count, None);
        }
    }
}

/// Returns the address of the next record; `None` after the last.
fn next_record(at: u64, next: u32) -> Result<Option<u64>> {
    if next == 0 { Ok(None) } else { add_offset(at, next).map(Some) }
}

/// Returns the address at this distance from `at`.
fn add_offset(at: u64, distance: u32) -> Result<u64> {
    at.checked_add(u64::from(distance)).ok_or(Error::Damaged("its versions are outside the loaded segments"))
}

/// `Elf64_Verneed`; the 32-bit layout is the same.
struct Verneed {
    form: u16,
    file: u32,
    aux: u32,
    next: u32,
}

/// `Elf64_Vernaux`.
struct Vernaux {
    hash: u32,
    flags: u16,
    other: u16,
    name: u32,
    next: u32,
}

/// `Elf64_Verdef`.
struct Verdef {
    form: u16,
    flags: u16,
    index: u16,
    hash: u32,
    aux: u32,
    next: u32,
}

/// Reads records and names, with limits on their number and total size.
struct VersionRecords<'a, 'b> {
    memory: &'a mut MappedFile<'b>,
    strings: u64,
    records_left: usize,
    name_bytes_left: usize,
}

impl VersionRecords<'_, '_> {
    fn verneed(&mut self, at: u64) -> Result<Verneed> {
        self.count_record()?;
        Ok(Verneed {
            form: self.memory.read_u16(at)?,
            file: self.memory.read_u32(add_offset(at, 4)?)?,
            aux: self.memory.read_u32(add_offset(at, 8)?)?,
            next: self.memory.read_u32(add_offset(at, 12)?)?,
        })
    }

    fn vernaux(&mut self, at: u64) -> Result<Vernaux> {
        self.count_record()?;
        Ok(Vernaux {
            hash: self.memory.read_u32(at)?,
            flags: self.memory.read_u16(add_offset(at, 4)?)?,
            other: self.memory.read_u16(add_offset(at, 6)?)?,
            name: self.memory.read_u32(add_offset(at, 8)?)?,
            next: self.memory.read_u32(add_offset(at, 12)?)?,
        })
    }

    fn verdef(&mut self, at: u64) -> Result<Verdef> {
        self.count_record()?;
        Ok(Verdef {
            form: self.memory.read_u16(at)?,
            flags: self.memory.read_u16(add_offset(at, 2)?)?,
            index: self.memory.read_u16(add_offset(at, 4)?)?,
            hash: self.memory.read_u32(add_offset(at, 8)?)?,
            aux: self.memory.read_u32(add_offset(at, 12)?)?,
            next: self.memory.read_u32(add_offset(at, 16)?)?,
        })
    }

    /// Reads `vda_name` of the record at `at`.
    fn name_of_verdaux(&mut self, at: u64) -> Result<Vec<u8>> {
        let name = self.memory.read_u32(at)?;
        self.name(name)
    }

    /// Reads the string at this offset of the string table.
    fn name(&mut self, offset: u32) -> Result<Vec<u8>> {
        let name = self.memory.read_string(add_offset(self.strings, offset)?)?;
        self.name_bytes_left =
            self.name_bytes_left.checked_sub(name.len()).ok_or(Error::Damaged("its strings are too long"))?;
        Ok(name)
    }

    /// Fails if there are too many records.
    fn count_record(&mut self) -> Result<()> {
        let left = self.records_left.checked_sub(1);
        self.records_left = left.ok_or(Error::Damaged("it has too many versions"))?;
        Ok(())
    }
}
