//! `/etc/ld.so.cache`, as ldconfig writes it and as we write it. Source: `_dl_load_cache_lookup`, `elf/dl-cache.c`.

use coracle::elf::Machine;
use coracle::loader::{Cache, CacheEntry};
use coracle::path::Spelled;

use crate::case::Case;
use crate::elf::{I386, library, program};

/// A library that ldconfig lists.
fn listed(soname: &str) -> crate::elf::Elf {
    library().soname(soname).needed("libc.so.6")
}

/// A program that needs `libb.so`, and a C library for ldconfig to know the ABI by.
fn wanting() -> Case {
    Case::glibc()
        .elf("/app", &program().needed("libb.so"))
        .elf("/usr/lib/x86_64-linux-gnu/libc.so.6", &library().soname("libc.so.6"))
}

const LIBC: &str = "/usr/lib/x86_64-linux-gnu/libc.so.6";

const AMD64: Machine = Machine { is_64: true, is_little_endian: true, number: 62, flags: 0 };

fn entry(name: &str, path: &str) -> CacheEntry {
    CacheEntry { name: name.into(), path: Spelled::new(path) }
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
    let cache = Cache::write(entries.collect(), AMD64);
    case.file("/etc/ld.so.cache", cache).maps("/app", &paths.each_ref().map(String::as_str));
}

#[test]
fn the_loader_reads_a_cache_of_ours() {
    let cache = Cache::write(vec![entry("libb.so", "/opt/other.so")], AMD64);
    wanting()
        .elf("/opt/other.so", &library())
        .file("/etc/ld.so.cache", cache)
        .maps("/app", &["/opt/other.so"]);
}

#[test]
fn a_cache_for_another_machine_does_not_count() {
    let s390x = Machine { is_64: true, is_little_endian: false, number: 22, flags: 0 };
    let arm64 = Machine { is_64: true, is_little_endian: true, number: 183, flags: 0 };
    for machine in [s390x, arm64] {
        let cache = Cache::write(vec![entry("libb.so", "/opt/libb.so")], machine);
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
    let mut cache = Cache::write(vec![entry("libb.so", "/opt/libb.so")], AMD64);
    cache[20..24].copy_from_slice(&1000_u32.to_le_bytes());
    wanting()
        .elf("/opt/libb.so", &library())
        .file("/etc/ld.so.cache", cache)
        .maps("/app", &["libb.so => not found"]);
}

#[test]
fn a_relative_path_in_the_cache_starts_at_the_working_directory() {
    let cache = Cache::write(vec![entry("libb.so", "lib/libb.so")], AMD64);
    wanting()
        .working_dir("/work")
        .elf("/work/lib/libb.so", &library())
        .file("/etc/ld.so.cache", cache)
        .maps("/app", &["lib/libb.so"]);
}
