//! `DF_1_NODEFLIB`: default directories are not searched, and cache entries in them are ignored. Source:
//! `_dl_map_object`.

use coracle_core::path::RawPath;
use coracle_ld::elf::Machine;
use coracle_ld::ldso::{CacheEntry, LdCache};

use crate::rules::case::Case;
use crate::rules::elf::{DF_1_NODEFLIB, library, program};

fn cached(path: &str) -> Case {
    let machine = Machine { is_64: true, is_little_endian: true, e_machine: 62, e_flags: 0 };
    let cache =
        LdCache::serialize(vec![CacheEntry { name: b"libb.so".to_vec(), path: RawPath::new(path) }], machine)
            .unwrap();
    Case::glibc()
        .elf("/app", &program().needed("libb.so").flags_1(DF_1_NODEFLIB))
        .elf(path, &library())
        .file("/etc/ld.so.cache", cache)
}

#[test]
fn default_directories_are_not_searched() {
    Case::glibc()
        .elf("/app", &program().needed("libb.so").flags_1(DF_1_NODEFLIB))
        .elf("/usr/lib/libb.so", &library())
        .maps("/app", &["libb.so => not found"]);
}

#[test]
fn the_cache_serves_other_directories() {
    cached("/opt/libb.so").maps("/app", &["/opt/libb.so"]);
    cached("/usr/local/lib/libb.so").maps("/app", &["/usr/local/lib/libb.so"]);
}

#[test]
fn the_cache_serves_nothing_that_starts_like_a_default_directory() {
    for path in
        ["/usr/lib/libb.so", "/lib/x86_64-linux-gnu/libb.so", "/usr/lib/deep/er/libb.so", "/lib/x/libb.so"]
    {
        cached(path).maps("/app", &["libb.so => not found"]);
    }
}

#[test]
fn what_only_looks_like_a_default_directory_is_none() {
    cached("/usr/lib2/libb.so").maps("/app", &["/usr/lib2/libb.so"]);
}

#[test]
fn runpath_may_name_a_default_directory() {
    Case::glibc()
        .elf("/app", &program().needed("libb.so").runpath("/usr/lib").flags_1(DF_1_NODEFLIB))
        .elf("/usr/lib/libb.so", &library())
        .maps("/app", &["/usr/lib/libb.so"]);
}

#[test]
fn it_binds_only_the_object_that_says_it() {
    Case::glibc()
        .elf("/app", &program().needed("liba.so").runpath("/r").flags_1(DF_1_NODEFLIB))
        .elf("/r/liba.so", &library().needed("libb.so"))
        .elf("/usr/lib/libb.so", &library().needed("libc.so").flags_1(DF_1_NODEFLIB))
        .elf("/usr/lib/libc.so", &library())
        .maps("/app", &["/r/liba.so", "/usr/lib/libb.so", "libc.so => not found"]);
}
