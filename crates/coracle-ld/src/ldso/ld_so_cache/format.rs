//! The format of `ld.so.cache`, shared by the reader and the writer: layout, ABI ids, order of
//! names.

use std::cmp::Ordering;

use goblin::elf::header as h;
use scroll::{Endian, Pread};

use crate::elf::{EM_LOONGARCH, Machine};

pub(super) const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
pub(super) const HEADER_SIZE: usize = 48;
pub(super) const ENTRY_SIZE: usize = 24;

const OLD_MAGIC: &[u8] = b"ld.so-1.7.0";
const OLD_HEADER_SIZE: usize = 16;
const OLD_ENTRY_SIZE: usize = 12;

pub(super) fn cache_byte_order(machine: Machine) -> Endian {
    if machine.is_little_endian { Endian::Little } else { Endian::Big }
}

/// Returns the part of the cache in the new format. Offsets count from its header.
pub(super) fn new_format_part(bytes: &[u8], endian: Endian) -> Option<&[u8]> {
    if bytes.starts_with(MAGIC) {
        return Some(bytes);
    }
    if !bytes.starts_with(OLD_MAGIC) {
        return None;
    }
    let count = usize::try_from(bytes.pread_with::<u32>(12, endian).ok()?).ok()?;
    let end = count.checked_mul(OLD_ENTRY_SIZE)?.checked_add(OLD_HEADER_SIZE)?.checked_next_multiple_of(8)?;
    bytes.get(end..).filter(|rest| rest.starts_with(MAGIC))
}

/// `cache_extension_magic`.
const EXTENSION_MAGIC: u32 = 0xeaa4_2174;
/// `cache_extension_tag_glibc_hwcaps`.
const EXTENSION_HWCAPS: u32 = 1;
/// An upper bound: the format defines two kinds of sections.
const MAX_SECTIONS: usize = 16;

/// Returns the offset and the length of the list of glibc-hwcaps names in the cache's extension.
/// Entries refer to these names by index.
pub(super) fn hwcaps_names_section(bytes: &[u8], endian: Endian) -> Option<(usize, usize)> {
    let u32_at = |offset: usize| bytes.pread_with::<u32>(offset, endian).ok();
    let size_at = |offset: usize| u32_at(offset).and_then(|value| usize::try_from(value).ok());
    let start = size_at(32).filter(|&start| start != 0)?;
    if u32_at(start)? != EXTENSION_MAGIC {
        return None;
    }
    let count = size_at(start.checked_add(4)?)?.min(MAX_SECTIONS);
    let mut sections = (0..count).filter_map(|index| start.checked_add(8 + index * 16));
    let section = sections.find(|&section| u32_at(section) == Some(EXTENSION_HWCAPS))?;
    let (offset, size) = (size_at(section.checked_add(8)?)?, size_at(section.checked_add(12)?)?);
    bytes.get(offset..offset.checked_add(size)?)?;
    Some((offset, size / 4))
}

/// `DL_CACHE_HWCAP_EXTENSION`, in the upper half of an entry's mask.
const HWCAP_EXTENSION: u64 = 1 << 30;
/// `DL_CACHE_HWCAP_ISA_LEVEL_MASK`: the ISA level that the library's own properties ask for.
const ISA_LEVELS: u64 = 0x3ff;

/// Returns the index of the glibc-hwcaps name that an entry's mask encodes. `None` for a legacy
/// mask of CPU features.
pub(super) fn hwcaps_name_index(mask: u64) -> Option<u32> {
    (mask >> 32 & !ISA_LEVELS == HWCAP_EXTENSION).then(|| u32::try_from(mask & 0xffff_ffff).ok()).flatten()
}

/// The maximum length of a string: `PATH_MAX`.
const MAX_STRING_SIZE: usize = 4096;

pub(super) fn string_at(bytes: &[u8], offset: u32) -> Option<&[u8]> {
    let rest = bytes.get(usize::try_from(offset).ok()?..)?;
    let end = rest.iter().take(MAX_STRING_SIZE).position(|&byte| byte == 0)?;
    rest.get(..end)
}

/// `FLAG_ELF`.
const FLAG_ELF: u32 = 1;
/// `FLAG_ELF_LIBC6`.
const FLAG_ELF_LIBC6: u32 = 3;

/// `EF_LOONGARCH_ABI_MODIFIER_MASK`.
const LOONGARCH_FLOAT_ABI: u32 = 7;
/// `EF_LOONGARCH_ABI_DOUBLE_FLOAT`.
const LOONGARCH_DOUBLE_FLOAT: u32 = 3;

/// Returns whether the loader of `machine` accepts entries with these flags
/// (`_dl_cache_check_flags`, `sysdeps/*/dl-cache.h`).
pub(super) fn accepts_flags(machine: Machine, found: u32) -> bool {
    match (machine.e_machine, abi_flags(machine)) {
        // Entries without a float ABI may have either.
        (h::EM_ARM, own) => found == own || found == FLAG_ELF_LIBC6,
        (_, FLAG_ELF_LIBC6) => found == FLAG_ELF_LIBC6 || found == FLAG_ELF,
        (_, own) => found == own,
    }
}

/// Returns the ABI id of `machine` (`_DL_CACHE_DEFAULT_ID`, `sysdeps/*/dl-cache.h`).
pub(super) fn abi_flags(machine: Machine) -> u32 {
    FLAG_ELF_LIBC6
        | match (machine.e_machine, machine.is_64) {
            (h::EM_X86_64, true) => 0x300,
            (h::EM_X86_64, false) => 0x800,
            (h::EM_AARCH64, true) => 0xa00,
            (h::EM_PPC64, _) => 0x500,
            (h::EM_S390, true) => 0x400,
            (h::EM_ARM, _) if machine.has_hard_float() => 0x900,
            (h::EM_ARM, _) => 0xb00,
            (h::EM_RISCV, _) if machine.has_double_float() => 0x1000,
            (h::EM_RISCV, _) => 0xf00,
            (h::EM_MIPS, true) => 0x700,
            (EM_LOONGARCH, _) if machine.e_flags & LOONGARCH_FLOAT_ABI == LOONGARCH_DOUBLE_FLOAT => 0x1200,
            (EM_LOONGARCH, _) => 0x1100,
            _ => 0,
        }
}

/// Compares names in the order that the loader's binary search expects: runs of digits compare as
/// numbers. Source: `_dl_cache_libcmp`, `elf/dl-cache.c`.
pub(super) fn compare_names(a: &[u8], b: &[u8]) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let (Some((&x, a_rest)), Some((&y, b_rest))) = (a.split_first(), b.split_first()) else {
            return a.len().cmp(&b.len());
        };
        match (x.is_ascii_digit(), y.is_ascii_digit()) {
            (true, true) => {
                let (x, a_rest) = leading_number(a);
                let (y, b_rest) = leading_number(b);
                match x.cmp(&y) {
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

/// Returns the number in the leading digits, wrapped to 32 bits as in the loader, and the rest.
fn leading_number(text: &[u8]) -> (i32, &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let number = digits.iter().fold(0_i32, |number, &digit| {
        number.wrapping_mul(10).wrapping_add(i32::from(digit)).wrapping_sub(i32::from(b'0'))
    });
    (number, rest)
}
