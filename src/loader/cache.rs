//! `/etc/ld.so.cache`: read as the loader reads it, and written for images that need one.
//!
//! Layouts: the old format alone is as good as none here, the new one alone, or the new one behind the old. Every
//! offset is checked; a cache that lies is as if absent. Source: `sysdeps/generic/dl-cache.h`, `elf/dl-cache.c`.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use scroll::{Endian, Pread};

use crate::elf::Machine;
use crate::path::Spelled;

const NEW_MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const OLD_MAGIC: &[u8] = b"ld.so-1.7.0";
const NEW_HEADER: usize = 48;
const NEW_ENTRY: usize = 24;
const OLD_HEADER: usize = 16;
const OLD_ENTRY: usize = 12;

/// What a cache says for one machine.
#[derive(Clone, Default, Debug)]
pub struct Cache {
    paths: BTreeMap<Vec<u8>, Vec<Cached>>,
}

/// A path for a name, and the variant of `glibc-hwcaps` that it is, if any.
#[derive(Clone, Debug)]
struct Cached {
    hwcap: Option<Vec<u8>>,
    path: Spelled,
}

/// One line of a cache to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The library's name.
    pub name: Vec<u8>,
    /// Its path.
    pub path: Spelled,
}

impl Cache {
    /// Reads a cache's bytes; what is damaged or for another machine does not count.
    pub fn parse(bytes: &[u8], machine: Machine) -> Self {
        Self::try_parse(bytes, machine).unwrap_or_default()
    }

    fn try_parse(bytes: &[u8], machine: Machine) -> Option<Self> {
        let endian = if machine.is_little_endian { Endian::Little } else { Endian::Big };
        let bytes = new_part(bytes, endian)?;
        let u32_at = |offset: usize| bytes.pread_with::<u32>(offset, endian).ok();
        let order = bytes.get(28)? & 3;
        if order == 1 || order == 2 && !machine.is_little_endian || order == 3 && machine.is_little_endian {
            return None;
        }
        let count = usize::try_from(u32_at(20)?).ok()?;
        if count > bytes.len() / NEW_ENTRY {
            return None;
        }
        let hwcaps = hwcaps(bytes, endian).unwrap_or_default();
        let mut cache = Self::default();
        for index in 0..count {
            let at = NEW_HEADER + index * NEW_ENTRY;
            let mask = bytes.pread_with::<u64>(at + 16, endian).ok()?;
            let hwcap = match mask >> 32 {
                0 if mask == 0 => None,
                // Bit 62, and maybe an ISA level in bits 32 to 41: the rest is an index.
                high if high & !0x3ff == HWCAP_EXTENSION => {
                    hwcaps.get(usize::try_from(mask & 0xffff_ffff).ok()?)
                }
                // A mask of the time before glibc-hwcaps.
                _ => continue,
            };
            if flags(machine).contains(&u32_at(at)?) && (mask == 0 || hwcap.is_some()) {
                let name = string(bytes, u32_at(at + 4)?)?;
                let path = Spelled::new(string(bytes, u32_at(at + 8)?)?);
                cache.paths.entry(name).or_default().push(Cached { hwcap: hwcap.cloned(), path });
            }
        }
        Some(cache)
    }

    /// The path for `name`: the first of the best variant among `hwcaps` (best first), else the plain one.
    pub fn lookup(&self, name: &[u8], hwcaps: &[Vec<u8>]) -> Option<&Spelled> {
        let cached = self.paths.get(name)?;
        let variant = |hwcap: Option<&Vec<u8>>| cached.iter().find(|cached| cached.hwcap.as_ref() == hwcap);
        let best = hwcaps.iter().find_map(|hwcap| variant(Some(hwcap)));
        best.or_else(|| variant(None)).map(|cached| &cached.path)
    }

    /// The bytes of a cache with these entries, as the loader of `machine` reads it.
    pub fn write(mut entries: Vec<Entry>, machine: Machine) -> Vec<u8> {
        entries.sort_by(|a, b| compare(&b.name, &a.name).then_with(|| a.path.cmp(&b.path)));
        entries.dedup();
        let strings_at = NEW_HEADER + entries.len() * NEW_ENTRY;
        let mut strings = Vec::new();
        let mut add = |text: &[u8]| {
            let at = strings_at + strings.len();
            strings.extend_from_slice(text);
            strings.push(0);
            number(at, machine)
        };
        let mut table = Vec::new();
        for entry in &entries {
            table.extend(number_u32(write_flags(machine), machine));
            table.extend(add(&entry.name));
            table.extend(add(entry.path.as_bytes()));
            table.extend([0; 12]);
        }
        let mut bytes = NEW_MAGIC.to_vec();
        bytes.extend(number(entries.len(), machine));
        bytes.extend(number(strings.len(), machine));
        bytes.extend([if machine.is_little_endian { 2 } else { 3 }, 0, 0, 0]);
        bytes.extend([0; 16]);
        bytes.extend(table);
        bytes.extend(strings);
        bytes
    }
}

/// The new format's bytes, offsets in which count from its header.
fn new_part(bytes: &[u8], endian: Endian) -> Option<&[u8]> {
    if bytes.starts_with(NEW_MAGIC) {
        return Some(bytes);
    }
    if !bytes.starts_with(OLD_MAGIC) {
        return None;
    }
    let count = usize::try_from(bytes.pread_with::<u32>(12, endian).ok()?).ok()?;
    let end = count.checked_mul(OLD_ENTRY)?.checked_add(OLD_HEADER)?.checked_next_multiple_of(8)?;
    bytes.get(end..).filter(|rest| rest.starts_with(NEW_MAGIC))
}

/// `DL_CACHE_HWCAP_EXTENSION`, the upper half of an entry's mask.
const HWCAP_EXTENSION: u64 = 1 << 30;
/// `cache_extension_magic`.
const EXTENSION_MAGIC: u32 = 0xeaa4_2174;
/// `cache_extension_tag_glibc_hwcaps`.
const EXTENSION_HWCAPS: u32 = 1;

/// The names of the variants that entries refer to by index, from the cache's extension.
fn hwcaps(bytes: &[u8], endian: Endian) -> Option<Vec<Vec<u8>>> {
    let u32_at = |offset: usize| bytes.pread_with::<u32>(offset, endian).ok();
    let size_at = |offset: usize| u32_at(offset).and_then(|value| usize::try_from(value).ok());
    let start = size_at(32).filter(|&start| start != 0)?;
    if u32_at(start)? != EXTENSION_MAGIC {
        return None;
    }
    let sections =
        (0..size_at(start.checked_add(4)?)?.min(16)).filter_map(|index| start.checked_add(8 + index * 16));
    let section = sections.into_iter().find(|&section| u32_at(section) == Some(EXTENSION_HWCAPS))?;
    let (offset, size) = (size_at(section.checked_add(8)?)?, size_at(section.checked_add(12)?)?);
    let names = bytes.get(offset..offset.checked_add(size)?)?.chunks_exact(4);
    names.map(|name| string(bytes, name.pread_with(0, endian).ok()?)).collect()
}

/// The longest string that is read: `PATH_MAX`.
const MAX_STRING: usize = 4096;

fn string(bytes: &[u8], offset: u32) -> Option<Vec<u8>> {
    let rest = bytes.get(usize::try_from(offset).ok()?..)?;
    let end = rest.iter().take(MAX_STRING).position(|&byte| byte == 0)?;
    rest.get(..end).map(<[u8]>::to_vec)
}

fn number(value: usize, machine: Machine) -> [u8; 4] {
    number_u32(u32::try_from(value).unwrap_or(u32::MAX), machine)
}

fn number_u32(value: u32, machine: Machine) -> [u8; 4] {
    if machine.is_little_endian { value.to_le_bytes() } else { value.to_be_bytes() }
}

/// `FLAG_ELF_LIBC6`.
const LIBC6: u32 = 3;

/// The flags of entries that the loader of `machine` takes: its ABI's, and plain `FLAG_ELF`.
fn flags(machine: Machine) -> [u32; 2] {
    [write_flags(machine), 1]
}

/// The ABI id of `machine` (`_DL_CACHE_DEFAULT_ID`, `sysdeps/*/dl-cache.h`).
fn write_flags(machine: Machine) -> u32 {
    use goblin::elf::header as h;
    LIBC6
        | match (machine.number, machine.is_64) {
            (h::EM_X86_64, true) => 0x300,
            (h::EM_X86_64, false) => 0x800,
            (h::EM_AARCH64, true) => 0xa00,
            (h::EM_PPC64, _) => 0x500,
            (h::EM_S390, true) => 0x400,
            (h::EM_ARM, _) if machine.flags & 0x400 != 0 => 0x900,
            (h::EM_ARM, _) => 0xb00,
            (h::EM_RISCV, _) if machine.flags & 6 == 4 => 0x1000,
            (h::EM_RISCV, _) => 0xf00,
            _ => 0,
        }
}

/// The order in which the loader's binary search expects names: runs of digits compare as numbers.
/// Source: `_dl_cache_libcmp`, `elf/dl-cache.c`.
fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let (Some((&x, a_rest)), Some((&y, b_rest))) = (a.split_first(), b.split_first()) else {
            return a.len().cmp(&b.len());
        };
        match (x.is_ascii_digit(), y.is_ascii_digit()) {
            (true, true) => {
                let (x, a_rest) = digits(a);
                let (y, b_rest) = digits(b);
                match x.len().cmp(&y.len()).then_with(|| x.cmp(y)) {
                    Ordering::Equal => (a, b) = (a_rest, b_rest),
                    other => return other,
                }
            }
            (true, false) => return Ordering::Greater,
            (false, true) => return Ordering::Less,
            (false, false) if x != y => return x.cmp(&y),
            (false, false) => (a, b) = (a_rest, b_rest),
        }
    }
}

/// The leading digits without leading zeros, and the rest.
fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let zeros = digits.iter().take_while(|&&byte| byte == b'0').count();
    (digits.get(zeros..).unwrap_or_default(), rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AMD64: Machine = Machine { is_64: true, is_little_endian: true, number: 62, flags: 0 };
    const S390X: Machine = Machine { is_64: true, is_little_endian: false, number: 22, flags: 0 };

    fn entry(name: &str, path: &str) -> Entry {
        Entry { name: name.into(), path: Spelled::new(path) }
    }

    #[test]
    fn what_is_written_is_read_by_its_own_machine_alone() {
        let entries = vec![entry("libb.so.9", "/opt/libb.so.9"), entry("libb.so.10", "/opt/libb.so.10")];
        for (machine, other) in [(AMD64, S390X), (S390X, AMD64)] {
            let bytes = Cache::write(entries.clone(), machine);
            let found = Spelled::new("/opt/libb.so.9");
            assert_eq!(Cache::parse(&bytes, machine).lookup(b"libb.so.9", &[]), Some(&found));
            assert_eq!(Cache::parse(&bytes, other).lookup(b"libb.so.9", &[]), None);
        }
    }

    #[test]
    fn digits_compare_as_numbers() {
        assert_eq!(compare(b"libb.so.9", b"libb.so.10"), Ordering::Less);
        assert_eq!(compare(b"liba.so", b"libb.so"), Ordering::Less);
        assert_eq!(compare(b"lib1", b"liba"), Ordering::Greater);
        assert_eq!(compare(b"lib.so.01", b"lib.so.1"), Ordering::Equal);
        assert_eq!(compare(b"lib", b"lib.so"), Ordering::Less);
    }

    proptest! {
        #[test]
        fn bytes_that_lie_never_panic(at in 0_usize..200, byte: u8, cut in 0_usize..200) {
            let mut bytes = Cache::write(vec![entry("liba.so", "/a/liba.so"), entry("libb.so", "/a/libb.so")], AMD64);
            let size = bytes.len();
            bytes[at % size] = byte;
            bytes.truncate(size - cut % size);
            Cache::parse(&bytes, AMD64);
        }
    }
}
