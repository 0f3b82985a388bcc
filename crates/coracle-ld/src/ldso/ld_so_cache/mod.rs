//! `/etc/ld.so.cache`: lookups as the loader does them, and a writer for images that need a cache.
//!
//! A cache may hold the old format, the new format, or the new one after the old one. Only the new
//! format is read. Lookups search the raw bytes as the loader does: no entry is copied, and every
//! offset is checked when it is used. Source: `sysdeps/generic/dl-cache.h` and
//! `search_cache`, `elf/dl-cache.c`.

mod format;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use scroll::{Endian, Pread};

use crate::elf::Machine;
use coracle_core::content::Content;
use coracle_core::fs;
use coracle_core::path::RawPath;

/// The entries of a cache for one machine.
#[derive(Clone, Default, Debug)]
pub struct LdCache {
    /// The cache from the header of the new format on.
    bytes: Vec<u8>,
    /// The number of entries.
    count: usize,
    /// Offset and length of the list of glibc-hwcaps names.
    hwcaps_names: (usize, usize),
    machine: Option<Machine>,
}

/// One entry of a cache.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CacheEntry {
    /// The library's name.
    pub name: Vec<u8>,
    /// The library's path.
    pub path: RawPath,
}

/// The error for entries that do not fit into a cache: its offsets have 32 bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the loader's cache would be larger than 4 GiB")]
pub struct CacheTooLarge;

/// One entry as stored in the cache.
struct RawEntry {
    flags: u32,
    path_offset: u32,
    hwcap_mask: u64,
}

/// Maximum number of entries read for one name. A name has one entry for each ABI and glibc-hwcaps
/// variant.
const MAX_ENTRIES_PER_NAME: usize = 1024;

/// How many times a string may occur in the entries, on average. `ldconfig` stores a name that ends a
/// path as part of that path.
const MAX_SHARING: usize = 4;

/// The maximum size of a cache, in bytes. The cache of a full desktop has some hundred kilobytes.
const MAX_CACHE_SIZE: u64 = 64 << 20;

impl LdCache {
    /// Reads the cache at `path`.
    ///
    /// # Errors
    /// Fails if the file cannot be read, or is much larger than a cache.
    pub fn read(content: &Content, path: &[u8], machine: Machine) -> fs::Result<Self> {
        Ok(Self::parse(&content.read_whole(path, MAX_CACHE_SIZE)?, machine))
    }

    /// Parses a cache. A cache that is damaged or for another machine counts as empty.
    pub fn parse(bytes: &[u8], machine: Machine) -> Self {
        Self::try_parse(bytes, machine).unwrap_or_default()
    }

    fn try_parse(bytes: &[u8], machine: Machine) -> Option<Self> {
        let endian = format::cache_byte_order(machine);
        let bytes = format::new_format_part(bytes, endian)?;
        let order = bytes.get(28)? & 3;
        if order == 1 || order == 2 && !machine.is_little_endian || order == 3 && machine.is_little_endian {
            return None;
        }
        let count = usize::try_from(bytes.pread_with::<u32>(20, endian).ok()?).ok()?;
        if count > bytes.len().saturating_sub(format::HEADER_SIZE) / format::ENTRY_SIZE {
            return None;
        }
        let variants = format::hwcaps_names_section(bytes, endian).unwrap_or_default();
        Some(Self { bytes: bytes.to_vec(), count, hwcaps_names: variants, machine: Some(machine) })
    }

    /// Returns the bytes of a cache with these entries for the loader of `machine`. The new format is
    /// used, without glibc-hwcaps entries.
    ///
    /// # Errors
    /// Fails if an offset in the cache would not fit into 32 bits.
    pub fn serialize(mut entries: Vec<CacheEntry>, machine: Machine) -> Result<Vec<u8>, CacheTooLarge> {
        entries.sort_by(|a, b| format::compare_names(&b.name, &a.name).then_with(|| a.path.cmp(&b.path)));
        entries.dedup();
        let strings_at = format::HEADER_SIZE + entries.len() * format::ENTRY_SIZE;
        let mut strings = Vec::new();
        let mut add_string = |text: &[u8]| {
            let offset = strings_at + strings.len();
            strings.extend_from_slice(text);
            strings.push(0);
            encode_offset(offset, machine)
        };
        let mut table = Vec::new();
        for entry in &entries {
            table.extend(encode_u32(format::abi_flags(machine), machine));
            table.extend(add_string(&entry.name)?);
            table.extend(add_string(entry.path.as_bytes())?);
            table.extend([0; 12]);
        }
        let mut bytes = format::MAGIC.to_vec();
        bytes.extend(encode_offset(entries.len(), machine)?);
        bytes.extend(encode_offset(strings.len(), machine)?);
        bytes.extend([if machine.is_little_endian { 2 } else { 3 }, 0, 0, 0]);
        bytes.extend([0; 16]);
        bytes.extend(table);
        bytes.extend(strings);
        Ok(bytes)
    }

    /// Returns the entries for this machine that are for all CPUs, in order. Empty if their names and
    /// paths are much longer than the cache, as in a damaged cache whose entries share strings.
    pub fn baseline_entries(&self) -> Vec<CacheEntry> {
        let Some(machine) = self.machine else { return Vec::new() };
        let mut bytes_left = MAX_SHARING * self.bytes.len();
        let mut entries = Vec::new();
        for index in 0..self.count {
            let Some(line) = self.raw_entry(index) else { continue };
            if line.hwcap_mask != 0 || line.flags != format::abi_flags(machine) {
                continue;
            }
            let (Some(name), Some(path)) = (self.name_at(index), self.string_at(line.path_offset)) else {
                continue;
            };
            let Some(left) = bytes_left.checked_sub(name.len() + path.len()) else { return Vec::new() };
            bytes_left = left;
            entries.push(CacheEntry { name: name.to_vec(), path: RawPath::new(path) });
        }
        entries
    }

    /// Returns whether any entry has a legacy mask of CPU features, as used before glibc-hwcaps.
    pub fn has_legacy_masks(&self) -> bool {
        let mut lines = (0..self.count).filter_map(|index| self.raw_entry(index));
        lines.any(|line| line.hwcap_mask != 0 && format::hwcaps_name_index(line.hwcap_mask).is_none())
    }

    /// Returns the path for `name`.
    ///
    /// The best match among `hwcaps` (best first) wins, from the glibc-hwcaps entries before the
    /// first other entry. Otherwise the first other entry wins whose mask has no bits outside of
    /// `mask`.
    pub fn lookup(&self, name: &[u8], hwcaps: &[Vec<u8>], mask: u64) -> Option<RawPath> {
        let machine = self.machine?;
        let mut best: Option<(usize, u32)> = None;
        let mut fallback = None;
        for line in self.raw_entries(name) {
            if !format::accepts_flags(machine, line.flags) || self.string_at(line.path_offset).is_none() {
                continue;
            }
            let is_exact = line.flags == format::abi_flags(machine);
            if !is_exact && (best.is_some() || fallback.is_some()) {
                continue;
            }
            match format::hwcaps_name_index(line.hwcap_mask) {
                Some(index) => {
                    let rank =
                        self.hwcaps_name(index).and_then(|name| hwcaps.iter().position(|own| own == name));
                    if let Some(rank) = rank
                        && best.is_none_or(|(other, _)| rank < other)
                    {
                        best = Some((rank, line.path_offset));
                    }
                }
                None if best.is_some() => break,
                None if line.hwcap_mask & !mask != 0 => {}
                None => {
                    fallback = fallback.filter(|_| !is_exact).or(Some(line.path_offset));
                    if is_exact {
                        break;
                    }
                }
            }
        }
        let path = best.map(|(_, path)| path).or(fallback)?;
        self.string_at(path).map(RawPath::new)
    }

    /// Returns the entries of `name`, found with the loader's binary search. As in the loader, the
    /// search may miss entries if the cache is not sorted.
    fn raw_entries(&self, name: &[u8]) -> impl Iterator<Item = RawEntry> {
        let (mut start, mut end) = (0, self.count);
        let mut same = 0..0;
        while start < end {
            let middle = usize::midpoint(start, end - 1);
            let Some(key) = self.name_at(middle) else { break };
            match format::compare_names(name, key) {
                Ordering::Equal => {
                    let is_same = |index: &usize| {
                        self.name_at(*index)
                            .is_some_and(|key| format::compare_names(name, key) == Ordering::Equal)
                    };
                    let before = (0..middle).rev().take(MAX_ENTRIES_PER_NAME).take_while(is_same).count();
                    let after = (middle + 1..end).take(MAX_ENTRIES_PER_NAME).take_while(is_same).count();
                    same = middle - before..middle + 1 + after;
                    break;
                }
                // Names are in descending order.
                Ordering::Less => start = middle + 1,
                Ordering::Greater => end = middle,
            }
        }
        same.filter_map(|index| self.raw_entry(index))
    }

    fn name_at(&self, index: usize) -> Option<&[u8]> {
        self.string_at(self.u32_field(index, 4)?)
    }

    fn raw_entry(&self, index: usize) -> Option<RawEntry> {
        let [low, high] = [self.u32_field(index, 16)?, self.u32_field(index, 20)?].map(u64::from);
        let mask =
            if self.cache_byte_order() == Endian::Little { high << 32 | low } else { low << 32 | high };
        Some(RawEntry {
            flags: self.u32_field(index, 0)?,
            path_offset: self.u32_field(index, 8)?,
            hwcap_mask: mask,
        })
    }

    fn u32_field(&self, index: usize, offset: usize) -> Option<u32> {
        self.bytes
            .pread_with(format::HEADER_SIZE + index * format::ENTRY_SIZE + offset, self.cache_byte_order())
            .ok()
    }

    /// Returns the glibc-hwcaps name with this index.
    fn hwcaps_name(&self, index: u32) -> Option<&[u8]> {
        let (start, count) = self.hwcaps_names;
        let index = usize::try_from(index).ok().filter(|&index| index < count)?;
        self.string_at(self.bytes.pread_with(start + index * 4, self.cache_byte_order()).ok()?)
    }

    fn string_at(&self, offset: u32) -> Option<&[u8]> {
        format::string_at(&self.bytes, offset)
    }

    fn cache_byte_order(&self) -> Endian {
        self.machine.map_or(Endian::Little, format::cache_byte_order)
    }
}

/// Encodes an offset or a size. All of them have 32 bits.
fn encode_offset(value: usize, machine: Machine) -> Result<[u8; 4], CacheTooLarge> {
    u32::try_from(value).map(|value| encode_u32(value, machine)).map_err(|_| CacheTooLarge)
}

fn encode_u32(value: u32, machine: Machine) -> [u8; 4] {
    if machine.is_little_endian { value.to_le_bytes() } else { value.to_be_bytes() }
}
