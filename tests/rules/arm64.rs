//! The same rules for a machine that is not this one: a cross toolchain's loader, run by qemu, in a root where nothing
//! is native.

use coracle::elf::Machine;
use coracle::loader::{Cache, CacheEntry};
use coracle::path::Spelled;

use crate::case::Case;
use crate::elf::{ARM64, Elf};

const LOADER: &str = "/lib/ld-linux-aarch64.so.1";

fn library() -> Elf {
    crate::elf::library().machine(ARM64)
}

fn program() -> Elf {
    library().interpreter(LOADER)
}

#[test]
fn paths_and_tokens() {
    Case::glibc_arm64()
        .elf(
            "/opt/bin/app",
            &program().needed("liba.so").needed("libb.so").rpath("$ORIGIN/../lib:/opt/$LIB:/opt/$PLATFORM"),
        )
        .elf("/opt/lib/liba.so", &library().needed("libc.so").needed("ld-linux-aarch64.so.1"))
        .elf("/opt/lib/aarch64-linux-gnu/libb.so", &library())
        .elf("/opt/aarch64/libc.so", &library())
        .link("/usr/bin/app", "../../opt/bin/app")
        .maps(
            "/opt/bin/app",
            &[
                "/opt/bin/../lib/liba.so",
                "/opt/lib/aarch64-linux-gnu/libb.so",
                "/opt/aarch64/libc.so",
                LOADER,
            ],
        );
}

#[test]
fn default_directories_are_those_of_its_loader() {
    for directory in ["/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/lib", "/usr/lib"] {
        Case::glibc_arm64()
            .elf("/app", &program().needed("libb.so"))
            .elf(&format!("{directory}/libb.so"), &library())
            .elf("/usr/lib/x86_64-linux-gnu/libb.so", &library())
            .maps("/app", &[&format!("{directory}/libb.so")]);
    }
}

#[test]
fn native_libraries_are_passed_over() {
    Case::glibc_arm64()
        .elf("/app", &program().needed("libb.so").runpath("/r:/s"))
        .elf("/r/libb.so", &crate::elf::library())
        .elf("/s/libb.so", &library())
        .maps("/app", &["/s/libb.so"]);
}

#[test]
fn its_loader_reads_a_cache_of_ours() {
    let machine = Machine { is_64: true, is_little_endian: true, number: 183, flags: 0 };
    let entry = |name: &str| CacheEntry { name: name.into(), path: Spelled::new(format!("/opt/{name}")) };
    let cache = Cache::write(["libb.so.9", "libb.so.10", "liba.so"].map(entry).into(), machine);
    Case::glibc_arm64()
        .elf("/app", &program().needed("libb.so.10").needed("liba.so").needed("libb.so.9"))
        .elf("/opt/libb.so.9", &library())
        .elf("/opt/libb.so.10", &library())
        .elf("/opt/liba.so", &library())
        .file("/etc/ld.so.cache", cache)
        .maps("/app", &["/opt/libb.so.10", "/opt/liba.so", "/opt/libb.so.9"]);
}

#[test]
fn there_are_no_variants() {
    Case::glibc_arm64()
        .elf("/app", &program().needed("libb.so").runpath("/r"))
        .elf("/r/glibc-hwcaps/x86-64-v2/libb.so", &library())
        .elf("/r/libb.so", &library())
        .maps("/app", &["/r/libb.so"]);
}
