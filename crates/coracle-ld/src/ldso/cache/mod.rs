//! `/etc/ld.so.cache`: a reader that follows the loader, and a writer for images that need a cache.
//!
//! A cache may hold the old format, the new format, or the new one after the old one. Only the new
//! format is read. Lookups search the raw bytes as the loader does: no entry is copied, and every
//! offset is checked when it is used. Source: `sysdeps/generic/dl-cache.h`, `elf/dl-cache.c`.

mod format;
#[cfg(test)]
mod tests;
mod write;

use std::cmp::Ordering;

use scroll::{Endian, Pread};

pub use write::Entry;

use crate::elf::Machine;
use coracle_core::path::Spelled;

/// The entries of a cache for one machine.
#[derive(Clone, Default, Debug)]
pub struct Cache {
    /// The cache from the header of the new format on.
    bytes: Vec<u8>,
    count: usize,
    /// Offset and length of the list of glibc-hwcaps names.
    variants: (usize, usize),
    machine: Option<Machine>,
}

/// One entry as stored in the cache.
struct Line {
    flags: u32,
    path: u32,
    mask: u64,
}

/// Maximum number of entries read for one name. A name has one entry for each ABI and glibc-hwcaps
/// variant.
const MAX_SAME: usize = 1024;

impl Cache {
    /// Parses a cache. A cache that is damaged or for another machine counts as empty.
    pub fn parse(bytes: &[u8], machine: Machine) -> Self {
        Self::try_parse(bytes, machine).unwrap_or_default()
    }

    fn try_parse(bytes: &[u8], machine: Machine) -> Option<Self> {
        let endian = format::endian(machine);
        let bytes = format::new_part(bytes, endian)?;
        let order = bytes.get(28)? & 3;
        if order == 1 || order == 2 && !machine.is_little_endian || order == 3 && machine.is_little_endian {
            return None;
        }
        let count = usize::try_from(bytes.pread_with::<u32>(20, endian).ok()?).ok()?;
        if count > bytes.len().saturating_sub(format::HEADER) / format::ENTRY {
            return None;
        }
        let variants = format::variants(bytes, endian).unwrap_or_default();
        Some(Self { bytes: bytes.to_vec(), count, variants, machine: Some(machine) })
    }

    /// Returns the entries for this machine that are for all CPUs, in order.
    pub fn entries(&self) -> Vec<Entry> {
        let Some(machine) = self.machine else { return Vec::new() };
        let entry = |index: usize| {
            let line = self.line(index)?;
            let is_plain = line.mask == 0 && line.flags == format::flags(machine);
            let (name, path) = (self.key(index)?, self.string(line.path)?);
            is_plain.then(|| Entry { name: name.to_vec(), path: Spelled::new(path) })
        };
        (0..self.count).filter_map(entry).collect()
    }

    /// Returns whether any entry has a legacy mask of CPU features, as used before glibc-hwcaps.
    pub fn has_masks(&self) -> bool {
        let mut lines = (0..self.count).filter_map(|index| self.line(index));
        lines.any(|line| line.mask != 0 && format::variant(line.mask).is_none())
    }

    /// Returns the path for `name`.
    ///
    /// The best match among `hwcaps` (best first) wins, from the glibc-hwcaps entries before the
    /// first other entry. Otherwise the first other entry wins whose mask has no bits outside of
    /// `mask`.
    pub fn lookup(&self, name: &[u8], hwcaps: &[Vec<u8>], mask: u64) -> Option<Spelled> {
        let machine = self.machine?;
        let mut best: Option<(usize, u32)> = None;
        let mut fallback = None;
        for line in self.lines(name) {
            if !format::takes(machine, line.flags) || self.string(line.path).is_none() {
                continue;
            }
            let is_exact = line.flags == format::flags(machine);
            if !is_exact && (best.is_some() || fallback.is_some()) {
                continue;
            }
            match format::variant(line.mask) {
                Some(index) => {
                    let rank = self.variant(index).and_then(|name| hwcaps.iter().position(|own| own == name));
                    if let Some(rank) = rank
                        && best.is_none_or(|(other, _)| rank < other)
                    {
                        best = Some((rank, line.path));
                    }
                }
                None if best.is_some() => break,
                None if line.mask & !mask != 0 => {}
                None => {
                    fallback = fallback.filter(|_| !is_exact).or(Some(line.path));
                    if is_exact {
                        break;
                    }
                }
            }
        }
        let path = best.map(|(_, path)| path).or(fallback)?;
        self.string(path).map(Spelled::new)
    }

    /// Returns the entries of `name`, found with the loader's binary search. As in the loader, the
    /// search may miss entries if the cache is not sorted.
    fn lines(&self, name: &[u8]) -> impl Iterator<Item = Line> {
        let (mut start, mut end) = (0, self.count);
        let mut same = 0..0;
        while start < end {
            let middle = usize::midpoint(start, end - 1);
            let Some(key) = self.key(middle) else { break };
            match format::compare(name, key) {
                Ordering::Equal => {
                    let is_same = |index: &usize| {
                        self.key(*index).is_some_and(|key| format::compare(name, key) == Ordering::Equal)
                    };
                    let before = (0..middle).rev().take(MAX_SAME).take_while(is_same).count();
                    let after = (middle + 1..end).take(MAX_SAME).take_while(is_same).count();
                    same = middle - before..middle + 1 + after;
                    break;
                }
                // Names are in descending order.
                Ordering::Less => start = middle + 1,
                Ordering::Greater => end = middle,
            }
        }
        same.filter_map(|index| self.line(index))
    }

    fn key(&self, index: usize) -> Option<&[u8]> {
        self.string(self.number(index, 4)?)
    }

    fn line(&self, index: usize) -> Option<Line> {
        let [low, high] = [self.number(index, 16)?, self.number(index, 20)?].map(u64::from);
        let mask = if self.endian() == Endian::Little { high << 32 | low } else { low << 32 | high };
        Some(Line { flags: self.number(index, 0)?, path: self.number(index, 8)?, mask })
    }

    fn number(&self, index: usize, offset: usize) -> Option<u32> {
        self.bytes.pread_with(format::HEADER + index * format::ENTRY + offset, self.endian()).ok()
    }

    /// Returns the glibc-hwcaps name with this index.
    fn variant(&self, index: u32) -> Option<&[u8]> {
        let (start, count) = self.variants;
        let index = usize::try_from(index).ok().filter(|&index| index < count)?;
        self.string(self.bytes.pread_with(start + index * 4, self.endian()).ok()?)
    }

    fn string(&self, offset: u32) -> Option<&[u8]> {
        format::string(&self.bytes, offset)
    }

    fn endian(&self) -> Endian {
        self.machine.map_or(Endian::Little, format::endian)
    }
}
