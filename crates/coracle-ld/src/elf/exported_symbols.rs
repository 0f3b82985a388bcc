//! Lookup of the symbols that one object exports, by its hash table.
//!
//! Source: `do_lookup_x`, `elf/dl-lookup.c`; `gnu_lookup_filtered` and `sysv_lookup`,
//! `ldso/dynlink.c` of musl.

use super::elf_object::ElfObject;
use super::error::{Error, Result};
use super::mapped_file::MappedFile;
use super::relocations::RelocationClass;
use super::symbol_hash_table::{OUT_OF_BOUNDS, SymbolHashTable, bloom_may_contain};
use super::symbol_matching::{LookupResult, LookupRules, VersionedCandidates, can_bind, match_glibc_version};
use super::symbol_versions::{SymbolVersions, VERSYM_HIDDEN};
use super::symbols::{self, Symbol, SymbolReference, sysv_hash};
use coracle_core::content::OpenContent;

/// The symbols that one object exports.
pub struct ExportedSymbols<'a> {
    memory: MappedFile<'a>,
    object: &'a ElfObject,
    /// The address of the symbol table.
    symbols: u64,
    /// The address of the string table.
    strings: u64,
    hash: SymbolHashTable,
    versions: SymbolVersions,
    rules: LookupRules,
    /// Remaining steps along hash chains, over all lookups.
    steps_left: u64,
    /// Remaining chain entries of the current lookup.
    chain_left: u64,
    /// Maximum chain length that fits in the file. A longer chain is a cycle.
    max_chain_length: u64,
}

/// Maximum number of steps of all lookups in one object. In a valid table each lookup takes two or
/// three steps.
const MAX_STEPS: u64 = 1 << 23;
/// Comparing this many bytes of a name counts as one more step.
const STEP_BYTES: u64 = 64;
/// Minimum size of a hash chain entry in bytes.
const SMALLEST_ENTRY: u64 = 4;

impl<'a> ExportedSymbols<'a> {
    /// Returns whether the object exports `name` in any version.
    ///
    /// # Errors
    /// See [`ExportedSymbols::look_up`].
    pub fn defines(&mut self, name: &[u8]) -> Result<bool> {
        let wanted = SymbolReference {
            hash: symbols::gnu_hash(name),
            name: name.to_vec(),
            version: None,
            class: RelocationClass::Data,
            is_weak: false,
            is_thread_local: false,
        };
        Ok(self.look_up(&wanted)? != LookupResult::Absent)
    }

    /// Prepares lookups in `object`, which was read from `file`. Symbols are read on demand.
    ///
    /// # Errors
    /// Fails if the object's tables are damaged or the file cannot be read.
    pub fn new(file: &'a OpenContent, object: &'a ElfObject, rules: LookupRules) -> Result<Self> {
        let mut memory = MappedFile::new(file, object);
        let tables = &object.dynamic.tables;
        let (symbols, strings, hash) = match (tables.symbols, tables.strings) {
            (Some(symbols), Some(strings)) => (symbols, strings, SymbolHashTable::read(&mut memory, object)?),
            _ => (0, 0, SymbolHashTable::None),
        };
        let versions = SymbolVersions::read_mapped(&mut memory, object)?;
        Ok(Self {
            memory,
            object,
            symbols,
            strings,
            hash,
            versions,
            rules,
            steps_left: MAX_STEPS,
            chain_left: 0,
            max_chain_length: file.size() / SMALLEST_ENTRY,
        })
    }

    /// Looks up the symbol `wanted`.
    ///
    /// # Errors
    /// Fails if the object's tables are damaged or the file cannot be read.
    pub fn look_up(&mut self, wanted: &SymbolReference) -> Result<LookupResult> {
        self.chain_left = self.max_chain_length;
        match self.hash {
            SymbolHashTable::None => Ok(LookupResult::Absent),
            SymbolHashTable::Gnu { .. } => self.look_up_gnu(wanted),
            SymbolHashTable::Sysv { buckets, start, entry } => {
                self.look_up_sysv(wanted, buckets, start, entry)
            }
        }
    }

    /// Looks up `wanted` in `DT_GNU_HASH`.
    fn look_up_gnu(&mut self, wanted: &SymbolReference) -> Result<LookupResult> {
        let SymbolHashTable::Gnu { buckets, bias, ref bloom, shift, start } = self.hash else {
            return Ok(LookupResult::Absent);
        };
        if !bloom_may_contain(bloom, &self.memory, wanted.hash, shift) {
            return Ok(LookupResult::Absent);
        }
        let bucket = wanted.hash.checked_rem(buckets).map(|bucket| start + u64::from(bucket) * 4);
        let Some(bucket) = bucket else { return Ok(LookupResult::Absent) };
        let first = self.memory.read_u32(bucket)?;
        if first == 0 {
            return Ok(LookupResult::Absent);
        }
        let chains = start + u64::from(buckets) * 4;
        let chain_index =
            first.checked_sub(bias).ok_or(Error::Damaged("its symbol hash table is inconsistent"))?;
        let mut candidates = VersionedCandidates::default();
        for chain_index in u64::from(chain_index).. {
            self.count_step(wanted)?;
            let hash = self.memory.read_u32(chains.checked_add(chain_index * 4).ok_or(OUT_OF_BOUNDS)?)?;
            if (hash ^ wanted.hash) >> 1 == 0
                && let Some(lookup) =
                    self.try_symbol(wanted, chain_index + u64::from(bias), &mut candidates)?
            {
                return Ok(lookup);
            }
            if hash & 1 != 0 {
                break;
            }
        }
        Ok(candidates.unique_or_absent())
    }

    /// Looks up `wanted` in `DT_HASH`.
    fn look_up_sysv(
        &mut self,
        wanted: &SymbolReference,
        buckets: u64,
        start: u64,
        entry: u64,
    ) -> Result<LookupResult> {
        let bucket = u64::from(sysv_hash(&wanted.name)).checked_rem(buckets);
        let Some(bucket) = bucket else { return Ok(LookupResult::Absent) };
        let mut candidates = VersionedCandidates::default();
        let mut index = self.read_hash_entry(start, bucket, entry)?;
        while index != 0 {
            self.count_step(wanted)?;
            if let Some(lookup) = self.try_symbol(wanted, index, &mut candidates)? {
                return Ok(lookup);
            }
            index = self.read_hash_entry(start, buckets.saturating_add(index), entry)?;
        }
        Ok(candidates.unique_or_absent())
    }

    /// Reads an entry of `DT_HASH`, which has 4 or 8 bytes.
    fn read_hash_entry(&mut self, start: u64, index: u64, entry: u64) -> Result<u64> {
        let address =
            index.checked_mul(entry).and_then(|offset| start.checked_add(offset)).ok_or(OUT_OF_BOUNDS)?;
        if entry == 8 { self.memory.read_u64(address) } else { Ok(self.memory.read_u32(address)?.into()) }
    }

    /// Accounts for one chain entry and for comparing the name. Fails if the limits are exceeded.
    fn count_step(&mut self, wanted: &SymbolReference) -> Result<()> {
        let version = wanted.version.as_ref().map_or(0, |version| version.name.len());
        let weight = 1 + (wanted.name.len() + version) as u64 / STEP_BYTES;
        let left = (self.steps_left.checked_sub(weight), self.chain_left.checked_sub(1));
        let (Some(left), Some(chain_left)) = left else {
            return Err(Error::Damaged("the chains of its symbol hash table are too long"));
        };
        (self.steps_left, self.chain_left) = (left, chain_left);
        Ok(())
    }

    /// Checks one symbol. Returns the result of the lookup, or `None` if the lookup goes on with
    /// the next symbol.
    fn try_symbol(
        &mut self,
        wanted: &SymbolReference,
        index: u64,
        candidates: &mut VersionedCandidates,
    ) -> Result<Option<LookupResult>> {
        let symbol = Symbol::read(&mut self.memory, self.symbols, index)?;
        if !can_bind(symbol, wanted.class, self.rules)
            || !symbol.has_name(&mut self.memory, self.strings, &wanted.name)?
        {
            return Ok(None);
        }
        let entry = symbols::read_version_entry(&mut self.memory, self.object, &self.versions, index)?;
        Ok(match self.rules {
            // musl reads entries as signed numbers: negative ones have the hidden bit.
            LookupRules::Musl => {
                entry.is_none_or(|entry| entry & VERSYM_HIDDEN == 0).then_some(LookupResult::Found)
            }
            LookupRules::Glibc => match_glibc_version(&self.versions, wanted, entry, symbol, candidates),
        })
    }
}
