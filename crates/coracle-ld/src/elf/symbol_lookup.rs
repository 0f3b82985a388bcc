//! Symbol lookup in one object by its hash table.
//!
//! Source: `do_lookup_x` and `check_match`, `elf/dl-lookup.c`; `find_sym`, `gnu_lookup_filtered`
//! and `sysv_lookup`, `ldso/dynlink.c` of musl.

use goblin::elf::header as h;

use super::mapped_file::MappedFile;
use super::relocations::RelocationClass;
use super::symbols::{
    self, STB_GLOBAL, STB_GNU_UNIQUE, STB_WEAK, STT_GNU_IFUNC, STT_TLS, Symbol, SymbolReference, sysv_hash,
};
use super::versions::{SymbolVersions, VERSYM_HIDDEN};
use super::{ElfObject, Error, Result};
use coracle_core::content::ContentReader;

/// The C library whose rules select a definition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LookupRules {
    /// Symbol versions must match.
    Glibc,
    /// Symbol versions are ignored, but only default versions match.
    Musl,
}

/// The result of a symbol lookup in one object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LookupResult {
    /// The object defines the symbol.
    Found,
    /// The object defines the symbol and has no versions at all, although one was requested.
    FoundWithoutVersions,
    /// The object does not define the symbol.
    Absent,
}

/// The symbols that one object exports.
pub struct ExportedSymbols<'a> {
    memory: MappedFile<'a>,
    object: &'a ElfObject,
    symbols: u64,
    strings: u64,
    hash: HashTable,
    versions: SymbolVersions,
    rules: LookupRules,
    /// Remaining steps along hash chains, over all lookups.
    steps_left: u64,
    /// Remaining chain entries of the current lookup.
    chain_left: u64,
    /// Maximum chain length that fits in the file. A longer chain is a cycle.
    max_chain_length: u64,
}

/// The symbol hash table. `DT_GNU_HASH` is preferred to `DT_HASH`.
enum HashTable {
    None,
    Gnu { buckets: u32, bias: u32, bloom: Vec<u8>, shift: u32, start: u64 },
    Sysv { buckets: u64, start: u64, entry: u64 },
}

/// Maximum size of a bloom filter in bytes. Eight bytes serve about four symbols.
const MAX_BLOOM: u64 = 1 << 26;
/// Maximum number of steps of all lookups in one object. In a valid table each takes two or three.
const MAX_STEPS: u64 = 1 << 23;
/// Comparing this many bytes of a name counts as one more step.
const STEP_BYTES: u64 = 64;
/// Minimum size of a hash chain entry in bytes.
const SMALLEST_ENTRY: u64 = 4;

/// `EM_ALPHA`, whose `DT_HASH` entries have 8 bytes.
const EM_ALPHA: u16 = 0x9026;

impl<'a> ExportedSymbols<'a> {
    /// Whether the object exports `name` in any version.
    ///
    /// # Errors
    /// See [`Exports::look_up`].
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
    pub fn new(file: &'a ContentReader, object: &'a ElfObject, manner: LookupRules) -> Result<Self> {
        let mut memory = MappedFile::new(file, object);
        let tables = &object.dynamic.tables;
        let (symbols, strings, hash) = match (tables.symbols, tables.strings) {
            (Some(symbols), Some(strings)) => (symbols, strings, HashTable::read(&mut memory, object)?),
            _ => (0, 0, HashTable::None),
        };
        let versions = SymbolVersions::read_mapped(&mut memory, object)?;
        let longest = file.size() / SMALLEST_ENTRY;
        let (left, chain_left) = (MAX_STEPS, 0);
        Ok(Self {
            memory,
            object,
            symbols,
            strings,
            hash,
            versions,
            rules: manner,
            steps_left: left,
            chain_left,
            max_chain_length: longest,
        })
    }

    /// Looks up the symbol `wanted`.
    ///
    /// # Errors
    /// Fails if the object's tables are damaged or the file cannot be read.
    pub fn look_up(&mut self, wanted: &SymbolReference) -> Result<LookupResult> {
        self.chain_left = self.max_chain_length;
        match self.hash {
            HashTable::None => Ok(LookupResult::Absent),
            HashTable::Gnu { .. } => self.look_up_gnu(wanted),
            HashTable::Sysv { buckets, start, entry } => self.look_up_sysv(wanted, buckets, start, entry),
        }
    }

    fn look_up_gnu(&mut self, wanted: &SymbolReference) -> Result<LookupResult> {
        let HashTable::Gnu { buckets, bias, ref bloom, shift, start } = self.hash else {
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
        Ok(candidates.if_unique())
    }

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
        Ok(candidates.if_unique())
    }

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

    /// Checks one symbol. Returns the result of the lookup, or `None` if it continues.
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
            LookupRules::Glibc => self.check_version(wanted, entry, symbol, candidates),
        })
    }

    /// The version checks of `check_match`.
    fn check_version(
        &self,
        wanted: &SymbolReference,
        entry: Option<u16>,
        symbol: Symbol,
        candidates: &mut VersionedCandidates,
    ) -> Option<LookupResult> {
        // glibc continues with the next object if the symbol is not visible.
        let found = if is_visible(symbol) { LookupResult::Found } else { LookupResult::Absent };
        match (&wanted.version, entry) {
            (None, None) => Some(found),
            (Some(_), None) if found == LookupResult::Found => Some(LookupResult::FoundWithoutVersions),
            (Some(_), None) => Some(found),
            (Some(version), Some(entry)) => {
                let defined = self.versions.version_of_entry(entry);
                let same = defined
                    .is_some_and(|defined| defined.hash == version.hash && defined.name == version.name);
                let base = !version.is_hidden && defined.is_none() && entry & VERSYM_HIDDEN == 0;
                (same || base).then_some(found)
            }
            // Indices 0 to 2 are local, global and the first version. A reference without a version
            // means these.
            (None, Some(entry)) if entry & !VERSYM_HIDDEN < 3 => Some(found),
            (None, Some(entry)) => {
                if entry & VERSYM_HIDDEN == 0 {
                    candidates.count += 1;
                    candidates.first = candidates.first.or(Some(found));
                }
                None
            }
        }
    }
}

/// Versioned definitions found for a reference without a version. A single one matches.
#[derive(Default)]
struct VersionedCandidates {
    count: usize,
    first: Option<LookupResult>,
}

impl VersionedCandidates {
    fn if_unique(&self) -> LookupResult {
        if self.count == 1 { self.first.unwrap_or(LookupResult::Absent) } else { LookupResult::Absent }
    }
}

/// Whether a relocation of `class` can refer to `symbol`.
fn can_bind(symbol: Symbol, class: RelocationClass, manner: LookupRules) -> bool {
    // `STT_NOTYPE`, `STT_OBJECT`, `STT_FUNC`, `STT_COMMON`, `STT_TLS`, and with glibc
    // `STT_GNU_IFUNC`.
    let kind = matches!(symbol.kind(), 0 | 1 | 2 | 5 | STT_TLS)
        || manner == LookupRules::Glibc && symbol.kind() == STT_GNU_IFUNC;
    // A program's PLT stub has an address but is undefined: data can refer to it, calls cannot.
    let defined = symbol.is_defined() || class != RelocationClass::Plt && symbol.kind() != STT_TLS;
    let visible = manner == LookupRules::Glibc || is_global(symbol);
    kind && defined && visible && symbol.has_value()
}

fn is_visible(symbol: Symbol) -> bool {
    !symbol.is_hidden() && is_global(symbol)
}

fn is_global(symbol: Symbol) -> bool {
    [STB_GLOBAL, STB_WEAK, STB_GNU_UNIQUE].contains(&symbol.binding())
}

/// Whether the bloom filter allows a symbol with `hash`.
fn bloom_may_contain(bloom: &[u8], memory: &MappedFile<'_>, hash: u32, shift: u32) -> bool {
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

impl HashTable {
    /// `_dl_setup_hash`, `elf/dl-setup_hash.c`.
    fn read(memory: &mut MappedFile<'_>, object: &ElfObject) -> Result<Self> {
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

const OUT_OF_BOUNDS: Error = Error::Damaged("its symbol hash table is outside the loaded segments");
