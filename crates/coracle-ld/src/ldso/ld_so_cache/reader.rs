//! Finds libraries in a cache as the loader does. Source: `search_cache`, `elf/dl-cache.c`.

use std::cmp::Ordering;

use scroll::{Endian, Pread};

use super::format;
use crate::elf::Machine;
use coracle_core::path::RawPath;

/// The entries of a cache for one machine.
#[derive(Clone, Default, Debug)]
pub struct LdCache {
    /// The cache from the header of the new format on.
    pub(super) bytes: Vec<u8>,
    /// The number of entries.
    pub(super) count: usize,
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

/// One entry as stored in the cache.
pub(super) struct RawEntry {
    flags: u32,
    path_offset: u32,
    hwcap_mask: u64,
}

/// Maximum number of entries read for one name. A name has one entry for each ABI and glibc-hwcaps
/// variant.
pub(super) const MAX_ENTRIES_PER_NAME: usize = 1024;

impl LdCache {
    /// Parses a cache. A cache that is damaged or for another machine counts as empty.
    pub fn parse(bytes: &[u8], machine: Machine) -> Self {
        Self::try_parse(bytes, machine).unwrap_or_default()
    }

    fn try_parse(bytes: &[u8], machine: Machine) -> Option<Self> {
        let endian = format::endian(machine);
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

    /// Returns the entries for this machine that are for all CPUs, in order.
    pub fn baseline_entries(&self) -> Vec<CacheEntry> {
        let Some(machine) = self.machine else { return Vec::new() };
        let entry = |index: usize| {
            let line = self.raw_entry(index)?;
            let is_plain = line.hwcap_mask == 0 && line.flags == format::abi_flags(machine);
            let (name, path) = (self.name_at(index)?, self.string_at(line.path_offset)?);
            is_plain.then(|| CacheEntry { name: name.to_vec(), path: RawPath::new(path) })
        };
        (0..self.count).filter_map(entry).collect()
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
    pub(super) fn raw_entries(&self, name: &[u8]) -> impl Iterator<Item = RawEntry> {
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
        let mask = if self.endian() == Endian::Little { high << 32 | low } else { low << 32 | high };
        Some(RawEntry {
            flags: self.u32_field(index, 0)?,
            path_offset: self.u32_field(index, 8)?,
            hwcap_mask: mask,
        })
    }

    fn u32_field(&self, index: usize, offset: usize) -> Option<u32> {
        self.bytes.pread_with(format::HEADER_SIZE + index * format::ENTRY_SIZE + offset, self.endian()).ok()
    }

    /// Returns the glibc-hwcaps name with this index.
    fn hwcaps_name(&self, index: u32) -> Option<&[u8]> {
        let (start, count) = self.hwcaps_names;
        let index = usize::try_from(index).ok().filter(|&index| index < count)?;
        self.string_at(self.bytes.pread_with(start + index * 4, self.endian()).ok()?)
    }

    fn string_at(&self, offset: u32) -> Option<&[u8]> {
        format::string_at(&self.bytes, offset)
    }

    fn endian(&self) -> Endian {
        self.machine.map_or(Endian::Little, format::endian)
    }
}
