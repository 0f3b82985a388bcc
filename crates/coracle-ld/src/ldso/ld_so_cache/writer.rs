//! Writes a cache in the new format, without glibc-hwcaps entries.

use super::format;
use super::reader::{CacheEntry, LdCache};
use crate::elf::Machine;

impl LdCache {
    /// Returns the bytes of a cache with these entries for the loader of `machine`.
    pub fn serialize(mut entries: Vec<CacheEntry>, machine: Machine) -> Vec<u8> {
        entries.sort_by(|a, b| format::compare_names(&b.name, &a.name).then_with(|| a.path.cmp(&b.path)));
        entries.dedup();
        let strings_at = format::HEADER_SIZE + entries.len() * format::ENTRY_SIZE;
        let mut strings = Vec::new();
        let mut add = |text: &[u8]| {
            let at = strings_at + strings.len();
            strings.extend_from_slice(text);
            strings.push(0);
            encode_usize(at, machine)
        };
        let mut table = Vec::new();
        for entry in &entries {
            table.extend(encode_u32(format::abi_flags(machine), machine));
            table.extend(add(&entry.name));
            table.extend(add(entry.path.as_bytes()));
            table.extend([0; 12]);
        }
        let mut bytes = format::MAGIC.to_vec();
        bytes.extend(encode_usize(entries.len(), machine));
        bytes.extend(encode_usize(strings.len(), machine));
        bytes.extend([if machine.is_little_endian { 2 } else { 3 }, 0, 0, 0]);
        bytes.extend([0; 16]);
        bytes.extend(table);
        bytes.extend(strings);
        bytes
    }
}

fn encode_usize(value: usize, machine: Machine) -> [u8; 4] {
    encode_u32(u32::try_from(value).unwrap_or(u32::MAX), machine)
}

fn encode_u32(value: u32, machine: Machine) -> [u8; 4] {
    if machine.is_little_endian { value.to_le_bytes() } else { value.to_be_bytes() }
}
