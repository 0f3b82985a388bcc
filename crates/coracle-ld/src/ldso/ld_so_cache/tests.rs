//! Lookups in caches written here, including hostile ones.

use proptest::prelude::*;

use super::format::compare_names;
use super::*;

const AMD64: Machine = Machine { is_64: true, is_little_endian: true, e_machine: 62, e_flags: 0 };
const S390X: Machine = Machine { is_64: true, is_little_endian: false, e_machine: 22, e_flags: 0 };

fn entry(name: &str, path: &str) -> CacheEntry {
    CacheEntry { name: name.into(), path: RawPath::new(path) }
}

#[test]
fn round_trips_for_the_same_machine_only() {
    let entries = vec![entry("libb.so.9", "/opt/libb.so.9"), entry("libb.so.10", "/opt/libb.so.10")];
    for (machine, other) in [(AMD64, S390X), (S390X, AMD64)] {
        let bytes = LdCache::serialize(entries.clone(), machine).unwrap();
        let found = RawPath::new("/opt/libb.so.9");
        assert_eq!(LdCache::parse(&bytes, machine).lookup(b"libb.so.9", &[], 0), Some(found));
        assert_eq!(LdCache::parse(&bytes, other).lookup(b"libb.so.9", &[], 0), None);
    }
}

#[test]
fn compares_digits_as_numbers() {
    assert_eq!(compare_names(b"libb.so.9", b"libb.so.10"), Ordering::Less);
    assert_eq!(compare_names(b"liba.so", b"libb.so"), Ordering::Less);
    assert_eq!(compare_names(b"lib1", b"liba"), Ordering::Greater);
    assert_eq!(compare_names(b"lib.so.01", b"lib.so.1"), Ordering::Equal);
    assert_eq!(compare_names(b"lib", b"lib.so"), Ordering::Less);
    // 2^32 + 1: the loader counts in 32 bits.
    assert_eq!(compare_names(b"lib4294967297.so", b"lib1.so"), Ordering::Equal);
}

/// A cache of 16 MiB whose entries all refer to the same strings, stored after them.
fn hostile(name: &[u8], key_of: impl Fn(u32, u32) -> u32) -> Vec<u8> {
    let count: u32 = 600_000;
    let strings = 48 + count * 24;
    let mut bytes = b"glibc-ld.so.cache1.1".to_vec();
    bytes.extend([count, 0, 2, 0, 0, 0, 0].iter().flat_map(|word| word.to_le_bytes()));
    for index in 0..count {
        let words = [0x303, key_of(strings, index), strings, 0, 0, 1 << 10];
        bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    }
    bytes.extend(name);
    bytes.push(0);
    bytes
}

#[test]
fn bounds_memory_and_time_for_entries_that_share_a_string() {
    let long = vec![b'a'; 4000];
    let zeros = [vec![b'0'; 4000], b"1".into()].concat();
    let same = hostile(&long, |strings, _| strings);
    let shifted = hostile(&zeros, |strings, index| strings + index % 4000);
    for (bytes, name) in [(&same, long.as_slice()), (&shifted, b"1")] {
        let cache = LdCache::parse(bytes, AMD64);
        assert!(cache.has_legacy_masks());
        assert_eq!(cache.bytes.len(), bytes.len());
        let read = cache.raw_entries(name).count();
        assert!(
            (MAX_ENTRIES_PER_NAME..=2 * MAX_ENTRIES_PER_NAME + 1).contains(&read),
            "{read} of {}",
            cache.count
        );
        assert_eq!(cache.lookup(name, &[], 0), None);
    }
    // A comparison reads a bounded number of bytes.
    let endless = hostile(&[b'a'; 5000], |strings, _| strings);
    assert_eq!(LdCache::parse(&endless, AMD64).raw_entries(&[b'a'; 5000]).count(), 0);
}

#[test]
fn bounds_the_memory_of_entries_that_share_a_string() {
    let shared = hostile_baseline(&[b'a'; 4000]);
    assert_eq!(LdCache::parse(&shared, AMD64).baseline_entries(), []);
    let short = hostile_baseline(b"a");
    assert_eq!(LdCache::parse(&short, AMD64).baseline_entries().len(), 600_000);
}

/// Like [`hostile`], with entries for all CPUs.
fn hostile_baseline(name: &[u8]) -> Vec<u8> {
    let mut bytes = hostile(name, |strings, _| strings);
    bytes[48..48 + 600_000 * 24].chunks_exact_mut(24).for_each(|entry| entry[20..24].fill(0));
    bytes
}

#[test]
fn rejects_offsets_that_do_not_fit() {
    assert_eq!(encode_offset(0x0102_0304, AMD64), Ok([4, 3, 2, 1]));
    assert_eq!(encode_offset(0x0102_0304, S390X), Ok([1, 2, 3, 4]));
    #[cfg(target_pointer_width = "64")]
    assert_eq!(encode_offset(1 << 32, AMD64), Err(CacheTooLarge));
}

#[test]
fn rejects_a_count_beyond_the_end() {
    for count in [2_u32, 1000, u32::MAX] {
        let mut bytes = LdCache::serialize(vec![entry("l", "p")], AMD64).unwrap();
        bytes[20..24].copy_from_slice(&count.to_le_bytes());
        assert_eq!(LdCache::parse(&bytes, AMD64).lookup(b"l", &[], 0), None);
    }
}

proptest! {
    #[test]
    fn never_panics_on_damaged_bytes(at in 0_usize..200, byte: u8, cut in 0_usize..200) {
        let mut bytes = LdCache::serialize(vec![entry("liba.so", "/a/liba.so"), entry("libb.so", "/a/libb.so")], AMD64).unwrap();
        let size = bytes.len();
        bytes[at % size] = byte;
        bytes.truncate(size - cut % size);
        let cache = LdCache::parse(&bytes, AMD64);
        cache.has_legacy_masks();
        cache.lookup(b"liba.so", &[b"x86-64-v2".to_vec()], 0);
    }
}

#[test]
fn reads_large_caches_whole_and_refuses_endless_ones() {
    let name = |number: usize| format!("liblong-name-of-a-library-{number:08}.so.1").into_bytes();
    let entry =
        |number| CacheEntry { path: RawPath::join_bytes(b"/opt/lib", &name(number)), name: name(number) };
    let bytes = LdCache::serialize((0..200_000).map(entry).collect(), AMD64).unwrap();
    assert!(bytes.len() > 16 << 20);
    let read = |bytes: Vec<u8>| LdCache::read(&Content::from_bytes(bytes), b"/etc/ld.so.cache", AMD64);
    let cache = read(bytes).unwrap();
    for number in [0, 199_999] {
        assert_eq!(cache.lookup(&name(number), &[], 0), Some(entry(number).path), "{number}");
    }
    let error = read(vec![0; (64 << 20) + 1]).unwrap_err();
    assert_eq!(error.to_string(), "cannot read `/etc/ld.so.cache`");
}
