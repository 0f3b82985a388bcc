//! `/etc/ld.so.cache`, written by ldconfig or by us. Source: `_dl_load_cache_lookup`,
//! `elf/dl-cache.c`.

use coracle_core::path::RawPath;
use coracle_ld::elf::Machine;
use coracle_ld::ldso::{CacheEntry, HwcapsSelection, LdCache};

use crate::rules::case::Case;
use crate::rules::elf::{I386, library, program};

/// Returns a library that ldconfig adds to the cache.
fn listed(soname: &str) -> crate::rules::elf::Elf {
    library().soname(soname).needed("libc.so.6")
}

/// Returns a case with a program that needs `libb.so`, and a C library, from which ldconfig detects
/// the ABI.
fn wanting() -> Case {
    Case::glibc()
        .elf("/app", &program().needed("libb.so"))
        .elf("/usr/lib/x86_64-linux-gnu/libc.so.6", &library().soname("libc.so.6"))
}

const LIBC: &str = "/usr/lib/x86_64-linux-gnu/libc.so.6";

const AMD64: Machine = Machine { is_64: true, is_little_endian: true, e_machine: 62, e_flags: 0 };

fn entry(name: &str, path: &str) -> CacheEntry {
    CacheEntry { name: name.into(), path: RawPath::new(path) }
}

#[test]
fn a_library_that_the_cache_lists_is_found() {
    wanting()
        .elf("/opt/libb.so", &listed("libb.so"))
        .ldconfig("/opt\n")
        .maps("/app", &["/opt/libb.so", LIBC]);
}

#[test]
fn the_cache_comes_after_runpath_and_before_default_directories() {
    let case =
        || wanting().elf("/opt/libb.so", &listed("libb.so")).elf("/usr/lib/libb.so", &listed("libb.so"));
    case().ldconfig("/opt\n").maps("/app", &["/opt/libb.so", LIBC]);
    case()
        .elf("/r/libb.so", &library())
        .elf("/app", &program().needed("libb.so").runpath("/r"))
        .ldconfig("/opt\n")
        .maps("/app", &["/r/libb.so"]);
}

#[test]
fn an_entry_without_its_file_leaves_the_default_directories() {
    wanting()
        .elf("/opt/libb.so", &listed("libb.so"))
        .ldconfig("/opt\n")
        .elf("/usr/lib/libb.so", &library())
        .without("/opt/libb.so")
        .maps("/app", &["/usr/lib/libb.so"]);
}

#[test]
fn of_two_entries_the_first_counts() {
    let case = || wanting().elf("/opt/libb.so", &listed("libb.so")).elf("/srv/libb.so", &listed("libb.so"));
    case().ldconfig("/opt\n/srv\n").maps("/app", &["/opt/libb.so", LIBC]);
    case().ldconfig("/srv\n/opt\n").maps("/app", &["/srv/libb.so", LIBC]);
}

#[test]
fn of_two_entries_the_second_does_not_stand_in_for_the_first() {
    wanting()
        .elf("/opt/libb.so", &listed("libb.so"))
        .elf("/srv/libb.so", &listed("libb.so"))
        .ldconfig("/opt\n/srv\n")
        .without("/opt/libb.so")
        .maps("/app", &["libb.so => not found"]);
}

#[test]
fn an_entry_that_has_become_another_file_is_judged_as_it_is() {
    let case = || {
        wanting()
            .elf("/opt/libb.so", &listed("libb.so"))
            .ldconfig("/opt\n")
            .elf("/usr/lib/libb.so", &library())
    };
    case().elf("/opt/libb.so", &library().machine(I386)).maps("/app", &["/usr/lib/libb.so"]);
    case().file("/opt/libb.so", [b'#'; 100]).refuses("/app", "/opt/libb.so");
}

#[test]
fn every_layout_of_the_cache_is_read() {
    for layout in ["new", "compat"] {
        wanting()
            .elf("/opt/libb.so", &listed("libb.so"))
            .ldconfig_with("/opt\n", &["-c", layout])
            .maps("/app", &["/opt/libb.so", LIBC]);
    }
}

#[test]
fn names_are_found_whatever_their_numbers() {
    let sonames = ["libb.so.9", "libb.so.10", "libb.so.1", "libb-2.so", "libb-10.so", "liba.so", "libz.so"];
    let app = sonames.iter().fold(program(), |app, name| app.needed(name));
    let case = sonames.iter().fold(Case::glibc().elf("/app", &app), |case, name| {
        case.elf(&format!("/opt/{name}"), &library().soname(name))
    });
    let paths = sonames.map(|name| format!("/opt/{name}"));
    let entries = sonames.iter().zip(&paths).map(|(name, path)| entry(name, path));
    let cache = LdCache::serialize(entries.collect(), AMD64).unwrap();
    case.file("/etc/ld.so.cache", cache).maps("/app", &paths.each_ref().map(String::as_str));
}

#[test]
fn the_loader_reads_a_cache_of_ours() {
    let cache = LdCache::serialize(vec![entry("libb.so", "/opt/other.so")], AMD64).unwrap();
    wanting()
        .elf("/opt/other.so", &library())
        .file("/etc/ld.so.cache", cache)
        .maps("/app", &["/opt/other.so"]);
}

#[test]
fn a_cache_for_another_machine_does_not_count() {
    let s390x = Machine { is_64: true, is_little_endian: false, e_machine: 22, e_flags: 0 };
    let arm64 = Machine { is_64: true, is_little_endian: true, e_machine: 183, e_flags: 0 };
    for machine in [s390x, arm64] {
        let cache = LdCache::serialize(vec![entry("libb.so", "/opt/libb.so")], machine).unwrap();
        wanting()
            .elf("/opt/libb.so", &library())
            .file("/etc/ld.so.cache", cache)
            .maps("/app", &["libb.so => not found"]);
    }
}

#[test]
fn a_cache_that_is_none_does_not_count() {
    for cache in [&b""[..], b"ld.so-1.7.0", b"glibc-ld.so.cache1.1", &[0; 200]] {
        wanting()
            .elf("/usr/lib/libb.so", &library())
            .file("/etc/ld.so.cache", cache)
            .maps("/app", &["/usr/lib/libb.so"]);
    }
}

#[test]
fn a_cache_with_more_entries_than_bytes_does_not_count() {
    let mut cache = LdCache::serialize(vec![entry("libb.so", "/opt/libb.so")], AMD64).unwrap();
    cache[20..24].copy_from_slice(&1000_u32.to_le_bytes());
    wanting()
        .elf("/opt/libb.so", &library())
        .file("/etc/ld.so.cache", cache)
        .maps("/app", &["libb.so => not found"]);
}

#[test]
fn entries_are_taken_by_their_flags() {
    for flags in [0, 1, 3, 0x303, 0x803, 0xa03_u32] {
        let mut cache = LdCache::serialize(vec![entry("libb.so", "/opt/libb.so")], AMD64).unwrap();
        cache[48..52].copy_from_slice(&flags.to_le_bytes());
        let found = if flags == 0x303 { "/opt/libb.so" } else { "libb.so => not found" };
        wanting().elf("/opt/libb.so", &library()).file("/etc/ld.so.cache", cache).maps("/app", &[found]);
    }
}

/// Returns a cache with these paths for `libb.so` in this order, each with a mask of CPU features.
fn masked(entries: &[(&str, u64)]) -> Vec<u8> {
    let paths: Vec<String> = (0..entries.len()).map(|index| format!("/{index}")).collect();
    let mut cache =
        LdCache::serialize(paths.iter().map(|path| entry("libb.so", path)).collect(), AMD64).unwrap();
    for (index, (path, mask)) in entries.iter().enumerate() {
        let (at, path_at) = (48 + index * 24, u32::try_from(cache.len()).unwrap());
        cache.extend(path.bytes().chain([0]));
        cache[at + 8..at + 12].copy_from_slice(&path_at.to_le_bytes());
        cache[at + 16..at + 24].copy_from_slice(&mask.to_le_bytes());
    }
    // An extension with the names of two variants.
    let names = ["x86-64-v2", "x86-64-v3"].map(|name| {
        let at = u32::try_from(cache.len()).unwrap();
        cache.extend(name.bytes().chain([0]));
        at
    });
    cache.resize(cache.len().next_multiple_of(4), 0);
    let start = u32::try_from(cache.len()).unwrap();
    let words = [0xeaa4_2174, 1, 1, 0, start + 24, 8, names[0], names[1]];
    cache.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    cache[32..36].copy_from_slice(&start.to_le_bytes());
    cache
}

#[test]
fn variants_and_masks_count_as_far_as_the_first_plain_entry() {
    const TLS: u64 = 1 << 63;
    const V2: u64 = 1 << 62;
    const V3: u64 = V2 | 1;
    const NONE: u64 = 1 << 20;
    for (masks, taken) in [
        (&[0, TLS][..], 0),
        (&[TLS, 0], 0),
        (&[NONE, TLS, 0], 1),
        (&[0, V3], 0),
        (&[V3, 0], 0),
        (&[V2, V3, 0], 1),
        (&[V3, V2, 0], 0),
        (&[V2, 0, V3], 0),
        (&[V2, NONE, V3], 0),
        (&[V2, TLS, V3], 0),
        (&[TLS, V2, V3], 0),
    ] {
        let paths: Vec<String> = (0..masks.len()).map(|index| format!("/opt/{index}.so")).collect();
        let entries: Vec<(&str, u64)> = paths.iter().map(String::as_str).zip(masks.iter().copied()).collect();
        let case = wanting().hwcaps(HwcapsSelection::UpTo(b"x86-64-v3".to_vec()));
        let case = paths.iter().fold(case, |case, path| case.elf(path, &library()));
        case.file("/etc/ld.so.cache", masked(&entries)).maps("/app", &[&paths[taken]]);
    }
}

#[test]
fn a_cache_out_of_order_hides_what_the_loader_s_search_misses() {
    let mut cache = LdCache::serialize(
        ["liba.so", "libb.so", "libc.so"].map(|name| entry(name, "/opt/libb.so")).into(),
        AMD64,
    )
    .unwrap();
    let (first, last) = (48, 96);
    let key = cache[first + 4..first + 8].to_vec();
    cache.copy_within(last + 4..last + 8, first + 4);
    cache[last + 4..last + 8].copy_from_slice(&key);
    for (name, found) in [("libb.so", "/opt/libb.so"), ("liba.so", "liba.so => not found")] {
        wanting()
            .elf("/app", &program().needed(name))
            .elf("/opt/libb.so", &library())
            .file("/etc/ld.so.cache", cache.clone())
            .maps("/app", &[found]);
    }
}

#[test]
fn a_relative_path_in_the_cache_starts_at_the_working_directory() {
    let cache = LdCache::serialize(vec![entry("libb.so", "lib/libb.so")], AMD64).unwrap();
    wanting()
        .working_dir("/work")
        .elf("/work/lib/libb.so", &library())
        .file("/etc/ld.so.cache", cache)
        .maps("/app", &["lib/libb.so"]);
}
