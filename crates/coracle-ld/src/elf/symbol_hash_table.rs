//! The hash table of an object's exported symbols: `DT_GNU_HASH` with its bloom filter, or `DT_HASH`.
//!
//! Source: `_dl_setup_hash`, `elf/dl-setup_hash.c`.

use goblin::elf::header as h;

use super::elf_object::ElfObject;
use super::error::{Error, Result};
use super::mapped_file::MappedFile;

/// The symbol hash table. `DT_GNU_HASH` is preferred to `DT_HASH`.
pub(super) enum SymbolHashTable {
    /// The object has no hash table, so it exports no symbols.
    None,
    /// `DT_GNU_HASH`.
    Gnu {
        /// The number of buckets.
        buckets: u32,
        /// The index of the first symbol in the table.
        bias: u32,
        bloom: Vec<u8>,
        /// The shift of the bloom filter's second hash.
        shift: u32,
        /// The address of the buckets.
        start: u64,
    },
    /// `DT_HASH`.
    Sysv {
        /// The number of buckets.
        buckets: u64,
        /// The address of the buckets.
        start: u64,
        /// The size of an entry in bytes.
        entry: u64,
    },
}

/// Maximum size of a bloom filter in bytes. Eight bytes serve about four symbols.
const MAX_BLOOM: u64 = 1 << 26;
/// `EM_ALPHA`, whose `DT_HASH` entries have 8 bytes.
const EM_ALPHA: u16 = 0x9026;

impl SymbolHashTable {
    /// Reads the header and the bloom filter of an object's table.
    pub(super) fn read(memory: &mut MappedFile<'_>, object: &ElfObject) -> Result<Self> {
        let tables = &object.dynamic.tables;
        if let Some(address) = tables.gnu_hash {
            let at = |offset: u64| address.checked_add(offset).ok_or(OUT_OF_BOUNDS);
            let [buckets, bias] = [memory.read_u32(address)?, memory.read_u32(at(4)?)?];
            let [words, shift] = [memory.read_u32(at(8)?)?, memory.read_u32(at(12)?)?];
            let size = u64::from(words) * if memory.is_64() { 8 } else { 4 };
            let bloom = memory.read_table(at(16)?, size, MAX_BLOOM)?;
            let start = at(16 + size)?;
            // Checked once, so that bucket addresses cannot overflow later.
            start.checked_add(u64::from(buckets) * 4).ok_or(OUT_OF_BOUNDS)?;
            return Ok(Self::Gnu { buckets, bias, bloom, shift, start });
        }
        let Some(address) = tables.hash else { return Ok(Self::None) };
        let machine = object.header.machine;
        let entry = if machine.is_64 && [h::EM_S390, EM_ALPHA].contains(&machine.e_machine) { 8 } else { 4 };
        let buckets = if entry == 8 { memory.read_u64(address)? } else { memory.read_u32(address)?.into() };
        let start = address.checked_add(2 * entry).ok_or(OUT_OF_BOUNDS)?;
        Ok(Self::Sysv { buckets, start, entry })
    }
}

/// Returns whether the bloom filter allows a symbol with `hash`.
pub(super) fn bloom_may_contain(bloom: &[u8], memory: &MappedFile<'_>, hash: u32, shift: u32) -> bool {
    let size: u32 = if memory.is_64() { 8 } else { 4 };
    let words = bloom.len() as u64 / u64::from(size);
    let word = u64::from(hash / (size * 8)) & words.wrapping_sub(1);
    let first = usize::try_from(word * u64::from(size)).unwrap_or(usize::MAX);
    let bit = |bit: u32| {
        // Bits are numbered from the least significant one, whatever the byte order.
        let byte = (bit % (size * 8)) / 8;
        let byte = if memory.is_little_endian() { byte } else { size - 1 - byte };
        let at = first.saturating_add(byte as usize);
        bloom.get(at).is_some_and(|value| value >> (bit % 8) & 1 != 0)
    };
    bit(hash) && bit(hash.checked_shr(shift).unwrap_or_default())
}

pub(super) const OUT_OF_BOUNDS: Error =
    Error::Damaged("its symbol hash table is outside the loaded segments");
