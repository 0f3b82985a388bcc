//! Versions of symbols: which ones an object wants of which file, and which ones it defines.
//!
//! Source: `_dl_check_map_versions`, `elf/dl-version.c`. As there, records are followed until one says that it is the
//! last; their counts (`DT_VERNEEDNUM`, `DT_VERDEFNUM`) are not looked at.

use std::rc::Rc;

use super::memory::Memory;
use super::{Error, Object, Result};
use coracle_core::content::Reader;

/// `VER_FLG_BASE`.
const BASE: u16 = 1;
/// `VER_FLG_WEAK`.
const WEAK: u16 = 2;
/// The bit beside the index, in `DT_VERSYM` and in `vna_other`.
pub(super) const HIDDEN: u16 = 0x8000;

/// An index has 15 bits, so no linker writes more.
const MAX_RECORDS: usize = 1 << 16;
/// Bytes of names, likewise far above what is real.
const MAX_NAMES: usize = 1 << 22;

/// The versions of one object.
#[derive(Clone, Default, Debug)]
pub struct Versions {
    /// What it wants, in the order of `DT_VERNEED`.
    pub needed: Vec<NeededVersion>,
    /// What it defines, in the order of `DT_VERDEF`.
    pub defined: Vec<DefinedVersion>,
    /// It has a `DT_VERDEF` at all.
    pub has_definitions: bool,
    /// By index; those that mean no version (local, global, the base) have none.
    indices: Vec<Option<Rc<Version>>>,
}

/// A version that an object wants (`Elf64_Vernaux`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NeededVersion {
    /// `vna_hash`.
    pub hash: u32,
    /// Its name, such as `GLIBC_2.34`.
    pub name: Vec<u8>,
    /// The file that should have it, by the name that it had when the object was linked.
    pub file: Vec<u8>,
    /// `VER_FLG_WEAK`: it may be absent.
    pub is_weak: bool,
}

/// A version that an object defines (`Elf64_Verdef`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DefinedVersion {
    /// `vd_hash`.
    pub hash: u32,
    /// Its name; for the base, the object's own.
    pub name: Vec<u8>,
    /// `VER_FLG_BASE`.
    pub is_base: bool,
}

/// What `DT_VERSYM` says of one symbol (`struct r_found_version`, `include/link.h`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Version {
    /// The hash of its name.
    pub hash: u32,
    /// Its name.
    pub name: Vec<u8>,
    /// The file that should have it; none for a version of the object itself.
    pub file: Option<Vec<u8>>,
    /// A definition without any version does not serve.
    pub is_hidden: bool,
}

impl Versions {
    /// Reads the versions of `object`, whose bytes are `file`.
    ///
    /// # Errors
    /// When a table is damaged, or the file can't be read.
    pub fn read(file: &Reader, object: &Object) -> Result<Self> {
        Self::read_in(&mut Memory::of(file, object), object)
    }

    pub(super) fn read_in(memory: &mut Memory<'_>, object: &Object) -> Result<Self> {
        let tables = &object.dynamic.tables;
        let Some(strings) = tables.strings else { return Ok(Self::default()) };
        let mut records = Records { memory, strings, left: MAX_RECORDS, bytes_left: MAX_NAMES };
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

    /// Whether it has versions of either kind; `DT_VERSYM` counts only then.
    pub(super) fn are_any(&self) -> bool {
        !self.indices.is_empty()
    }

    /// The version behind an entry of `DT_VERSYM`.
    pub(super) fn at(&self, entry: u16) -> Option<&Rc<Version>> {
        self.indices.get(usize::from(entry & !HIDDEN))?.as_ref()
    }

    fn read_needed(&mut self, records: &mut Records<'_, '_>, start: u64) -> Result<()> {
        let mut next = Some(start);
        while let Some(at) = next {
            let need = records.verneed(at)?;
            if at == start && need.form != 1 {
                return Err(Error::Damaged("its needed versions have a form that does not exist"));
            }
            let file = records.name(need.file)?;
            let mut aux = Some(after(at, need.aux)?);
            while let Some(at) = aux {
                let version = records.vernaux(at)?;
                let name = records.name(version.name)?;
                let (hash, is_hidden) = (version.hash, version.other & HIDDEN != 0);
                let meaning = Version { hash, name: name.clone(), file: Some(file.clone()), is_hidden };
                self.mean(version.other, meaning);
                let is_weak = version.flags & WEAK != 0;
                self.needed.push(NeededVersion { hash, name, file: file.clone(), is_weak });
                aux = following(at, version.next)?;
            }
            next = following(at, need.next)?;
        }
        Ok(())
    }

    fn read_defined(&mut self, records: &mut Records<'_, '_>, start: u64) -> Result<()> {
        let mut next = Some(start);
        while let Some(at) = next {
            let definition = records.verdef(at)?;
            if definition.form != 1 {
                return Err(Error::Damaged("its defined versions have a form that does not exist"));
            }
            let name = records.name_of_verdaux(after(at, definition.aux)?)?;
            let (hash, is_base) = (definition.hash, definition.flags & BASE != 0);
            if !is_base {
                // The base's name is the file's: no symbol can be wanted by it.
                let meaning = Version { hash, name: name.clone(), file: None, is_hidden: false };
                self.mean(definition.index, meaning);
            } else {
                self.reserve(definition.index);
            }
            self.defined.push(DefinedVersion { hash, name, is_base });
            next = following(at, definition.next)?;
        }
        Ok(())
    }

    /// Of two versions with one index the last counts.
    fn mean(&mut self, index: u16, version: Version) {
        self.reserve(index);
        if let Some(meaning) = self.indices.get_mut(usize::from(index & !HIDDEN)) {
            *meaning = (version.hash != 0).then(|| Rc::new(version));
        }
    }

    fn reserve(&mut self, index: u16) {
        let count = usize::from(index & !HIDDEN) + 1;
        if self.indices.len() < count {
            self.indices.resize(count, None);
        }
    }
}

/// The record behind the one at `at`; none when that was the last.
fn following(at: u64, next: u32) -> Result<Option<u64>> {
    if next == 0 { Ok(None) } else { after(at, next).map(Some) }
}

fn after(at: u64, distance: u32) -> Result<u64> {
    at.checked_add(u64::from(distance)).ok_or(Error::Damaged("its versions lie outside of what is loaded"))
}

/// `Elf64_Verneed`; both classes write the same.
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

/// Records and their names, within a bound that they share.
struct Records<'a, 'b> {
    memory: &'a mut Memory<'b>,
    strings: u64,
    left: usize,
    bytes_left: usize,
}

impl Records<'_, '_> {
    fn verneed(&mut self, at: u64) -> Result<Verneed> {
        self.spend()?;
        Ok(Verneed {
            form: self.memory.u16(at)?,
            file: self.memory.u32(after(at, 4)?)?,
            aux: self.memory.u32(after(at, 8)?)?,
            next: self.memory.u32(after(at, 12)?)?,
        })
    }

    fn vernaux(&mut self, at: u64) -> Result<Vernaux> {
        self.spend()?;
        Ok(Vernaux {
            hash: self.memory.u32(at)?,
            flags: self.memory.u16(after(at, 4)?)?,
            other: self.memory.u16(after(at, 6)?)?,
            name: self.memory.u32(after(at, 8)?)?,
            next: self.memory.u32(after(at, 12)?)?,
        })
    }

    fn verdef(&mut self, at: u64) -> Result<Verdef> {
        self.spend()?;
        Ok(Verdef {
            form: self.memory.u16(at)?,
            flags: self.memory.u16(after(at, 2)?)?,
            index: self.memory.u16(after(at, 4)?)?,
            hash: self.memory.u32(after(at, 8)?)?,
            aux: self.memory.u32(after(at, 12)?)?,
            next: self.memory.u32(after(at, 16)?)?,
        })
    }

    /// `vda_name` of the record at `at`.
    fn name_of_verdaux(&mut self, at: u64) -> Result<Vec<u8>> {
        let name = self.memory.u32(at)?;
        self.name(name)
    }

    fn name(&mut self, offset: u32) -> Result<Vec<u8>> {
        let name = self.memory.string(after(self.strings, offset)?)?;
        self.bytes_left = self
            .bytes_left
            .checked_sub(name.len())
            .ok_or(Error::Damaged("its strings are longer than any linker writes"))?;
        Ok(name)
    }

    fn spend(&mut self) -> Result<()> {
        let left = self.left.checked_sub(1);
        self.left = left.ok_or(Error::Damaged("it has more versions than can be told apart"))?;
        Ok(())
    }
}
