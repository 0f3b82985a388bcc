//! Looking a symbol up in one object, by its hash table.
//!
//! Source: `do_lookup_x` and `check_match`, `elf/dl-lookup.c`; `find_sym`, `gnu_lookup_filtered` and `sysv_lookup`,
//! `ldso/dynlink.c` of musl.

use goblin::elf::header as h;

use super::memory::Memory;
use super::relocations::Class;
use super::symbols::{
    self, Reference, STB_GLOBAL, STB_GNU_UNIQUE, STB_WEAK, STT_GNU_IFUNC, STT_TLS, Symbol, sysv_hash,
};
use super::versions::{HIDDEN, Versions};
use super::{Error, Object, Result};
use coracle_core::content::Reader;

/// Whose rules say which definition serves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manner {
    /// Versions count.
    Glibc,
    /// Versions don't, but for the default.
    Musl,
}

/// How a look-up in one object ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lookup {
    /// It defines the symbol.
    Found,
    /// It defines the symbol without any version, though one was asked for, and has no versions at all.
    FoundWithoutVersions,
    /// It does not.
    Absent,
}

/// The symbols that one object defines for others.
pub struct Exports<'a> {
    memory: Memory<'a>,
    object: &'a Object,
    symbols: u64,
    strings: u64,
    hash: Hash,
    versions: Versions,
    manner: Manner,
    /// Steps along hash chains that may still be made.
    left: u64,
    /// Those that this look-up may still look at.
    chain_left: u64,
    /// Entries in the longest chain that the file has room for; one with more is a circle.
    longest: u64,
}

/// The table by which symbols are found; `DT_GNU_HASH` goes first.
enum Hash {
    None,
    Gnu { buckets: u32, bias: u32, bloom: Vec<u8>, shift: u32, start: u64 },
    Sysv { buckets: u64, start: u64, entry: u64 },
}

/// Bytes of a bloom filter: eight of them serve four symbols or so.
const MAX_BLOOM: u64 = 1 << 26;
/// Steps that all look-ups in one object may make: with a sound table each makes two or three.
const MAX_STEPS: u64 = 1 << 23;
/// Bytes of a name whose comparison counts as one step more.
const STEP_BYTES: u64 = 64;
/// Bytes of an entry of a hash chain, or more.
const SMALLEST_ENTRY: u64 = 4;

/// `EM_ALPHA`.
const EM_ALPHA: u16 = 0x9026;

impl<'a> Exports<'a> {
    /// Whether `name` is defined for others, whatever its version.
    ///
    /// # Errors
    /// As [`Exports::look_up`].
    pub fn defines(&mut self, name: &[u8]) -> Result<bool> {
        let wanted = Reference {
            hash: symbols::gnu_hash(name),
            name: name.to_vec(),
            version: None,
            class: Class::Data,
            is_weak: false,
            is_thread_local: false,
        };
        Ok(self.look_up(&wanted)? != Lookup::Absent)
    }

    /// The symbols of `object`, whose bytes are `file`; none of them is read yet.
    ///
    /// # Errors
    /// When its tables are damaged, or the file can't be read.
    pub fn of(file: &'a Reader, object: &'a Object, manner: Manner) -> Result<Self> {
        let mut memory = Memory::of(file, object);
        let tables = &object.dynamic.tables;
        let (symbols, strings, hash) = match (tables.symbols, tables.strings) {
            (Some(symbols), Some(strings)) => (symbols, strings, Hash::read(&mut memory, object)?),
            _ => (0, 0, Hash::None),
        };
        let versions = Versions::read_in(&mut memory, object)?;
        let longest = file.size() / SMALLEST_ENTRY;
        let (left, chain_left) = (MAX_STEPS, 0);
        Ok(Self { memory, object, symbols, strings, hash, versions, manner, left, chain_left, longest })
    }

    /// Whether the object defines what `wanted` asks for.
    ///
    /// # Errors
    /// When its tables are damaged, or the file can't be read.
    pub fn look_up(&mut self, wanted: &Reference) -> Result<Lookup> {
        self.chain_left = self.longest;
        match self.hash {
            Hash::None => Ok(Lookup::Absent),
            Hash::Gnu { .. } => self.look_up_gnu(wanted),
            Hash::Sysv { buckets, start, entry } => self.look_up_sysv(wanted, buckets, start, entry),
        }
    }

    fn look_up_gnu(&mut self, wanted: &Reference) -> Result<Lookup> {
        let Hash::Gnu { buckets, bias, ref bloom, shift, start } = self.hash else {
            return Ok(Lookup::Absent);
        };
        if !may_hold(bloom, &self.memory, wanted.hash, shift) {
            return Ok(Lookup::Absent);
        }
        let bucket = wanted.hash.checked_rem(buckets).map(|bucket| start + u64::from(bucket) * 4);
        let Some(bucket) = bucket else { return Ok(Lookup::Absent) };
        let first = self.memory.u32(bucket)?;
        if first == 0 {
            return Ok(Lookup::Absent);
        }
        let chains = start + u64::from(buckets) * 4;
        let place = first.checked_sub(bias).ok_or(Error::Damaged("its hash table is not consistent"))?;
        let mut candidates = Candidates::default();
        for place in u64::from(place).. {
            self.step(wanted)?;
            let hash = self.memory.u32(chains.checked_add(place * 4).ok_or(OUTSIDE)?)?;
            if (hash ^ wanted.hash) >> 1 == 0
                && let Some(lookup) = self.try_symbol(wanted, place + u64::from(bias), &mut candidates)?
            {
                return Ok(lookup);
            }
            if hash & 1 != 0 {
                break;
            }
        }
        Ok(candidates.only())
    }

    fn look_up_sysv(&mut self, wanted: &Reference, buckets: u64, start: u64, entry: u64) -> Result<Lookup> {
        let bucket = u64::from(sysv_hash(&wanted.name)).checked_rem(buckets);
        let Some(bucket) = bucket else { return Ok(Lookup::Absent) };
        let mut candidates = Candidates::default();
        let mut index = self.hash_entry(start, bucket, entry)?;
        while index != 0 {
            self.step(wanted)?;
            if let Some(lookup) = self.try_symbol(wanted, index, &mut candidates)? {
                return Ok(lookup);
            }
            index = self.hash_entry(start, buckets.saturating_add(index), entry)?;
        }
        Ok(candidates.only())
    }

    fn hash_entry(&mut self, start: u64, index: u64, entry: u64) -> Result<u64> {
        let address = index.checked_mul(entry).and_then(|offset| start.checked_add(offset)).ok_or(OUTSIDE)?;
        if entry == 8 { self.memory.u64(address) } else { Ok(self.memory.u32(address)?.into()) }
    }

    /// Goes to the next entry of a chain. Comparing a long name is worth many of them.
    fn step(&mut self, wanted: &Reference) -> Result<()> {
        let version = wanted.version.as_ref().map_or(0, |version| version.name.len());
        let weight = 1 + (wanted.name.len() + version) as u64 / STEP_BYTES;
        let left = (self.left.checked_sub(weight), self.chain_left.checked_sub(1));
        let (Some(left), Some(chain_left)) = left else {
            return Err(Error::Damaged("its hash table has longer chains than any linker writes"));
        };
        (self.left, self.chain_left) = (left, chain_left);
        Ok(())
    }

    /// How the look-up ends at this symbol; nothing when it goes on.
    fn try_symbol(
        &mut self,
        wanted: &Reference,
        index: u64,
        candidates: &mut Candidates,
    ) -> Result<Option<Lookup>> {
        let symbol = Symbol::read(&mut self.memory, self.symbols, index)?;
        if !serves(symbol, wanted.class, self.manner)
            || !symbol.is_named(&mut self.memory, self.strings, &wanted.name)?
        {
            return Ok(None);
        }
        let entry = symbols::version_entry(&mut self.memory, self.object, &self.versions, index)?;
        Ok(match self.manner {
            // The sign of an entry is its hidden bit.
            Manner::Musl => entry.is_none_or(|entry| entry & HIDDEN == 0).then_some(Lookup::Found),
            Manner::Glibc => self.check_version(wanted, entry, symbol, candidates),
        })
    }

    /// `check_match`, where it comes to versions.
    fn check_version(
        &self,
        wanted: &Reference,
        entry: Option<u16>,
        symbol: Symbol,
        candidates: &mut Candidates,
    ) -> Option<Lookup> {
        // Whoever finds a symbol that others may not see looks into the next object.
        let found = if is_visible(symbol) { Lookup::Found } else { Lookup::Absent };
        match (&wanted.version, entry) {
            (None, None) => Some(found),
            (Some(_), None) if found == Lookup::Found => Some(Lookup::FoundWithoutVersions),
            (Some(_), None) => Some(found),
            (Some(version), Some(entry)) => {
                let defined = self.versions.at(entry);
                let same = defined
                    .is_some_and(|defined| defined.hash == version.hash && defined.name == version.name);
                let base = !version.is_hidden && defined.is_none() && entry & HIDDEN == 0;
                (same || base).then_some(found)
            }
            // Indices 0 to 2 are local, global and the first version: what an object without versions meant.
            (None, Some(entry)) if entry & !HIDDEN < 3 => Some(found),
            (None, Some(entry)) => {
                if entry & HIDDEN == 0 {
                    candidates.count += 1;
                    candidates.first = candidates.first.or(Some(found));
                }
                None
            }
        }
    }
}

/// Definitions with a later version that a reference without one has met: if there is just one, it serves.
#[derive(Default)]
struct Candidates {
    count: usize,
    first: Option<Lookup>,
}

impl Candidates {
    fn only(&self) -> Lookup {
        if self.count == 1 { self.first.unwrap_or(Lookup::Absent) } else { Lookup::Absent }
    }
}

/// Whether a symbol of this kind can be what a relocation means.
fn serves(symbol: Symbol, class: Class, manner: Manner) -> bool {
    // `STT_NOTYPE`, `STT_OBJECT`, `STT_FUNC`, `STT_COMMON`, `STT_TLS`, and glibc's functions that choose themselves.
    let kind = matches!(symbol.kind(), 0 | 1 | 2 | 5 | STT_TLS)
        || manner == Manner::Glibc && symbol.kind() == STT_GNU_IFUNC;
    // A program's own stub for a function has an address but no definition: data may refer to it, calls may not.
    let defined = symbol.is_defined() || class != Class::Plt && symbol.kind() != STT_TLS;
    let visible = manner == Manner::Glibc || is_global(symbol);
    kind && defined && visible && symbol.has_value()
}

fn is_visible(symbol: Symbol) -> bool {
    !symbol.is_hidden() && is_global(symbol)
}

fn is_global(symbol: Symbol) -> bool {
    [STB_GLOBAL, STB_WEAK, STB_GNU_UNIQUE].contains(&symbol.binding())
}

/// What the bloom filter says.
fn may_hold(bloom: &[u8], memory: &Memory<'_>, hash: u32, shift: u32) -> bool {
    let size: u32 = if memory.is_64() { 8 } else { 4 };
    let words = bloom.len() as u64 / u64::from(size);
    let word = u64::from(hash / (size * 8)) & words.wrapping_sub(1);
    let first = usize::try_from(word * u64::from(size)).unwrap_or(usize::MAX);
    let bit = |bit: u32| {
        // Bits count from the low end of a word, whichever end is written first.
        let byte = (bit % (size * 8)) / 8;
        let byte = if memory.is_little_endian() { byte } else { size - 1 - byte };
        let at = first.saturating_add(byte as usize);
        bloom.get(at).is_some_and(|value| value >> (bit % 8) & 1 != 0)
    };
    bit(hash) && bit(hash.checked_shr(shift).unwrap_or_default())
}

impl Hash {
    /// `_dl_setup_hash`, `elf/dl-setup_hash.c`.
    fn read(memory: &mut Memory<'_>, object: &Object) -> Result<Self> {
        let tables = &object.dynamic.tables;
        if let Some(address) = tables.gnu_hash {
            let at = |offset: u64| address.checked_add(offset).ok_or(OUTSIDE);
            let [buckets, bias] = [memory.u32(address)?, memory.u32(at(4)?)?];
            let [words, shift] = [memory.u32(at(8)?)?, memory.u32(at(12)?)?];
            let size = u64::from(words) * if memory.is_64() { 8 } else { 4 };
            let bloom = memory.table(at(16)?, size, MAX_BLOOM)?;
            let start = at(16 + size)?;
            // The buckets end somewhere in memory, so no address behind them overflows.
            start.checked_add(u64::from(buckets) * 4).ok_or(OUTSIDE)?;
            return Ok(Self::Gnu { buckets, bias, bloom, shift, start });
        }
        let Some(address) = tables.hash else { return Ok(Self::None) };
        let machine = object.header.machine;
        let entry = if machine.is_64 && [h::EM_S390, EM_ALPHA].contains(&machine.number) { 8 } else { 4 };
        let buckets = if entry == 8 { memory.u64(address)? } else { memory.u32(address)?.into() };
        let start = address.checked_add(2 * entry).ok_or(OUTSIDE)?;
        Ok(Self::Sysv { buckets, start, entry })
    }
}

const OUTSIDE: Error = Error::Damaged("its hash table lies outside of what is loaded");
