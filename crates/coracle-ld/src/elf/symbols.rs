//! Symbol table entries, and an object's references to symbols of other objects.
//!
//! Source: `RESOLVE_MAP`, `elf/dl-reloc.c`: symbols that are local or have hidden visibility are
//! not looked up.

use std::rc::Rc;

use super::elf_object::ElfObject;
use super::error::{Error, Result};
use super::mapped_file::MappedFile;
use super::relocations::{self, RelocationClass};
use super::symbol_versions::{SymbolVersion, SymbolVersions};
use coracle_core::content::OpenContent;

/// Maximum number of name bytes to read of one file. The largest programs have a few MiB.
const MAX_NAMES: usize = 1 << 26;

/// An object's reference to a symbol that another object must define.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SymbolReference {
    /// The `DT_GNU_HASH` hash of its name.
    pub hash: u32,
    /// The symbol's name.
    pub name: Vec<u8>,
    /// The version that the object was linked against.
    pub version: Option<Rc<SymbolVersion>>,
    /// How the relocation uses it.
    pub class: RelocationClass,
    /// `STB_WEAK`: the symbol may be undefined.
    pub is_weak: bool,
    /// `STT_TLS`: thread-local, never bound lazily.
    pub is_thread_local: bool,
}

/// Returns the symbol references of `object`, which was read from `file`, without duplicates per
/// class.
///
/// # Errors
/// Fails if a table is damaged or the file cannot be read.
pub fn symbol_references(file: &OpenContent, object: &ElfObject) -> Result<Vec<SymbolReference>> {
    let mut memory = MappedFile::new(file, object);
    let named = relocations::referenced_symbols(&memory, object)?;
    let tables = &object.dynamic.tables;
    let (Some(symbols), Some(strings)) = (tables.symbols, tables.strings) else { return Ok(Vec::new()) };
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let versions = SymbolVersions::read_mapped(&mut memory, object)?;
    let mut references = Vec::new();
    let mut left = MAX_NAMES;
    for (index, class) in named {
        let symbol = Symbol::read(&mut memory, symbols, u64::from(index))?;
        if symbol.is_local_or_hidden() || symbol.is_defined() && class != RelocationClass::Copy {
            continue;
        }
        let name = symbol.name(&mut memory, strings)?;
        left = left.checked_sub(name.len()).ok_or(Error::Damaged("the names of its symbols are too long"))?;
        let entry = read_version_entry(&mut memory, object, &versions, u64::from(index))?;
        references.push(SymbolReference {
            hash: gnu_hash(&name),
            version: entry.and_then(|entry| versions.version_of_entry(entry)).cloned(),
            class,
            is_weak: symbol.binding() == STB_WEAK,
            is_thread_local: symbol.kind() == STT_TLS,
            name,
        });
    }
    Ok(references)
}

/// Returns the `DT_VERSYM` entry of a symbol; `None` if the object has no versions.
pub(super) fn read_version_entry(
    memory: &mut MappedFile<'_>,
    object: &ElfObject,
    versions: &SymbolVersions,
    index: u64,
) -> Result<Option<u16>> {
    match object.dynamic.tables.symbol_versions {
        Some(table) if versions.is_versioned() => {
            let address = index.checked_mul(2).and_then(|offset| table.checked_add(offset));
            Ok(Some(memory.read_u16(address.ok_or(OUT_OF_BOUNDS)?)?))
        }
        _ => Ok(None),
    }
}

const OUT_OF_BOUNDS: Error = Error::Damaged("one of its symbols is outside the loaded segments");

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
    /// Reads entry `index` of the symbol table at address `table`.
    pub(super) fn read(memory: &mut MappedFile<'_>, table: u64, index: u64) -> Result<Self> {
        let size = if memory.is_64() { 24 } else { 16 };
        let address =
            index.checked_mul(size).and_then(|offset| table.checked_add(offset)).ok_or(OUT_OF_BOUNDS)?;
        let at = |offset: u64| address.checked_add(offset).ok_or(OUT_OF_BOUNDS);
        let name = memory.read_u32(address)?;
        let (info, section, value) = if memory.is_64() { (4, 6, 8) } else { (12, 14, 4) };
        let [info, other] = memory.read_bytes(at(info)?)?;
        let section = memory.read_u16(at(section)?)?;
        let value =
            if memory.is_64() { memory.read_u64(at(value)?)? } else { memory.read_u32(at(value)?)?.into() };
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

    /// Returns whether the symbol has a nonzero value, is absolute or thread-local.
    pub(super) fn has_value(self) -> bool {
        self.value != 0 || self.section == SHN_ABS || self.kind() == STT_TLS
    }

    /// Returns whether the symbol's visibility is internal or hidden.
    pub(super) fn is_hidden(self) -> bool {
        [STV_INTERNAL, STV_HIDDEN].contains(&(self.other & 3))
    }

    fn is_local_or_hidden(self) -> bool {
        self.binding() == STB_LOCAL || self.is_hidden()
    }

    pub(super) fn has_name(self, memory: &mut MappedFile<'_>, strings: u64, name: &[u8]) -> Result<bool> {
        memory.string_equals(strings.checked_add(self.name.into()).ok_or(OUT_OF_BOUNDS)?, name)
    }

    fn name(self, memory: &mut MappedFile<'_>, strings: u64) -> Result<Vec<u8>> {
        memory.read_string(strings.checked_add(self.name.into()).ok_or(OUT_OF_BOUNDS)?)
    }
}

/// Computes the hash used in `DT_GNU_HASH`.
pub fn gnu_hash(name: &[u8]) -> u32 {
    name.iter().fold(5381, |hash: u32, &byte| hash.wrapping_mul(33).wrapping_add(byte.into()))
}

/// Computes the gABI hash, used in `DT_HASH` and for version names.
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
    fn computes_hashes() {
        assert_eq!(gnu_hash(b""), 5381);
        assert_eq!(gnu_hash(b"printf"), 0x156b_2bb8);
        assert_eq!(sysv_hash(b"printf"), 0x077905a6);
        assert_eq!(sysv_hash(b"GLIBC_2.2.5"), 0x0969_1a75);
        assert_eq!(sysv_hash(b"GLIBC_ABI_DT_RELR"), 0x00fd_0e42);
    }
}
