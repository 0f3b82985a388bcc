//! Symbols of an object, and those that it wants of others.
//!
//! Source: `RESOLVE_MAP`, `elf/dl-reloc.c`: a symbol that is local, or that its visibility keeps inside the object, is
//! not looked up.

use std::rc::Rc;

use super::memory::Memory;
use super::relocations::{self, Class};
use super::versions::{Version, Versions};
use super::{Error, Object, Result};
use coracle_core::content::Reader;

/// Bytes of names that are read of one file: those of the largest programs are a few MiB.
const MAX_NAMES: usize = 1 << 26;

/// A symbol that an object wants another one to define.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Reference {
    /// Its hash as `DT_GNU_HASH` has it.
    pub hash: u32,
    /// Its name.
    pub name: Vec<u8>,
    /// The version that it was linked against.
    pub version: Option<Rc<Version>>,
    /// How it is used.
    pub class: Class,
    /// `STB_WEAK`: it may be undefined.
    pub is_weak: bool,
    /// It belongs to each thread, and is never bound late.
    pub is_thread_local: bool,
}

/// What the relocations of `object`, whose bytes are `file`, want of other objects; each once for each class.
///
/// # Errors
/// When a table is damaged, or the file can't be read.
pub fn references(file: &Reader, object: &Object) -> Result<Vec<Reference>> {
    let mut memory = Memory::of(file, object);
    let named = relocations::named(&memory, object)?;
    let tables = &object.dynamic.tables;
    let (Some(symbols), Some(strings)) = (tables.symbols, tables.strings) else { return Ok(Vec::new()) };
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let versions = Versions::read_in(&mut memory, object)?;
    let mut references = Vec::new();
    let mut left = MAX_NAMES;
    for (index, class) in named {
        let symbol = Symbol::read(&mut memory, symbols, u64::from(index))?;
        if symbol.is_bound_inside() || symbol.is_defined() && class != Class::Copy {
            continue;
        }
        let name = symbol.name(&mut memory, strings)?;
        left = left
            .checked_sub(name.len())
            .ok_or(Error::Damaged("its symbols have longer names than any compiler makes"))?;
        let entry = version_entry(&mut memory, object, &versions, u64::from(index))?;
        references.push(Reference {
            hash: gnu_hash(&name),
            version: entry.and_then(|entry| versions.at(entry)).cloned(),
            class,
            is_weak: symbol.binding() == STB_WEAK,
            is_thread_local: symbol.kind() == STT_TLS,
            name,
        });
    }
    Ok(references)
}

/// The entry of `DT_VERSYM` for a symbol; none in an object without versions.
pub(super) fn version_entry(
    memory: &mut Memory<'_>,
    object: &Object,
    versions: &Versions,
    index: u64,
) -> Result<Option<u16>> {
    match object.dynamic.tables.symbol_versions {
        Some(table) if versions.are_any() => {
            let address = index.checked_mul(2).and_then(|offset| table.checked_add(offset));
            Ok(Some(memory.u16(address.ok_or(OUTSIDE)?)?))
        }
        _ => Ok(None),
    }
}

const OUTSIDE: Error = Error::Damaged("one of its symbols lies outside of what is loaded");

pub(super) const STB_GLOBAL: u8 = 1;
pub(super) const STB_WEAK: u8 = 2;
pub(super) const STB_GNU_UNIQUE: u8 = 10;
pub(super) const STT_TLS: u8 = 6;
pub(super) const STT_GNU_IFUNC: u8 = 10;
const STB_LOCAL: u8 = 0;
const STV_INTERNAL: u8 = 1;
const STV_HIDDEN: u8 = 2;
const SHN_UNDEF: u16 = 0;
const SHN_ABS: u16 = 0xfff1;

/// An entry of `DT_SYMTAB`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Symbol {
    name: u32,
    info: u8,
    other: u8,
    section: u16,
    value: u64,
}

impl Symbol {
    /// The entry number `index` of the table at `table`.
    pub(super) fn read(memory: &mut Memory<'_>, table: u64, index: u64) -> Result<Self> {
        let size = if memory.is_64() { 24 } else { 16 };
        let address = index.checked_mul(size).and_then(|offset| table.checked_add(offset)).ok_or(OUTSIDE)?;
        let at = |offset: u64| address.checked_add(offset).ok_or(OUTSIDE);
        let name = memory.u32(address)?;
        let (info, section, value) = if memory.is_64() { (4, 6, 8) } else { (12, 14, 4) };
        let [info, other] = memory.bytes(at(info)?)?;
        let section = memory.u16(at(section)?)?;
        let value = if memory.is_64() { memory.u64(at(value)?)? } else { memory.u32(at(value)?)?.into() };
        Ok(Self { name, info, other, section, value })
    }

    pub(super) fn binding(self) -> u8 {
        self.info >> 4
    }

    pub(super) fn kind(self) -> u8 {
        self.info & 0xf
    }

    pub(super) fn is_defined(self) -> bool {
        self.section != SHN_UNDEF
    }

    /// It stands for an address, or for a place in a thread's block.
    pub(super) fn has_value(self) -> bool {
        self.value != 0 || self.section == SHN_ABS || self.kind() == STT_TLS
    }

    /// Its visibility keeps it inside its object.
    pub(super) fn is_hidden(self) -> bool {
        [STV_INTERNAL, STV_HIDDEN].contains(&(self.other & 3))
    }

    fn is_bound_inside(self) -> bool {
        self.binding() == STB_LOCAL || self.is_hidden()
    }

    pub(super) fn is_named(self, memory: &mut Memory<'_>, strings: u64, name: &[u8]) -> Result<bool> {
        memory.is_string(strings.checked_add(self.name.into()).ok_or(OUTSIDE)?, name)
    }

    fn name(self, memory: &mut Memory<'_>, strings: u64) -> Result<Vec<u8>> {
        memory.string(strings.checked_add(self.name.into()).ok_or(OUTSIDE)?)
    }
}

/// The hash of `DT_GNU_HASH`.
pub fn gnu_hash(name: &[u8]) -> u32 {
    name.iter().fold(5381, |hash: u32, &byte| hash.wrapping_mul(33).wrapping_add(byte.into()))
}

/// The hash of `DT_HASH` and of versions, from the gABI.
pub(super) fn sysv_hash(name: &[u8]) -> u32 {
    name.iter().fold(0, |hash: u32, &byte| {
        let shifted = hash.wrapping_shl(4).wrapping_add(byte.into());
        let high = shifted & 0xf000_0000;
        (shifted ^ high >> 24) & !high
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes() {
        assert_eq!(gnu_hash(b""), 5381);
        assert_eq!(gnu_hash(b"printf"), 0x156b_2bb8);
        assert_eq!(sysv_hash(b"printf"), 0x077905a6);
        assert_eq!(sysv_hash(b"GLIBC_2.2.5"), 0x0969_1a75);
        assert_eq!(sysv_hash(b"GLIBC_ABI_DT_RELR"), 0x00fd_0e42);
    }
}
