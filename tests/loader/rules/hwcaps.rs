//! CPU-specific libraries below `glibc-hwcaps`. Source: `_dl_important_hwcaps`,
//! `elf/dl-hwcaps.c`; `sysdeps/x86_64/dl-hwcaps_subdirs.c`.

use coracle_ld::ldso::HwcapsSelection;

use crate::rules::case::Case;
use crate::rules::elf::{library, program};

fn v2() -> HwcapsSelection {
    HwcapsSelection::UpTo(b"x86-64-v2".to_vec())
}

fn v3() -> HwcapsSelection {
    HwcapsSelection::UpTo(b"x86-64-v3".to_vec())
}

/// Returns a case with `libb.so` in a directory and in these subdirectories of its `glibc-hwcaps`.
fn variants(directory: &str, names: &[&str]) -> Case {
    let case = Case::glibc()
        .elf("/app", &program().needed("libb.so").runpath("/r"))
        .elf(&format!("{directory}/libb.so"), &library().soname("libb.so"));
    names.iter().fold(case, |case, name| {
        case.elf(&format!("{directory}/glibc-hwcaps/{name}/libb.so"), &library().soname("libb.so"))
    })
}

#[test]
fn the_best_variant_that_the_cpu_runs_is_taken() {
    for directory in ["/r", "/lib/x86_64-linux-gnu", "/usr/lib"] {
        let case = |hwcaps| variants(directory, &["x86-64-v2", "x86-64-v3", "x86-64-v4"]).hwcaps(hwcaps);
        case(v3()).maps("/app", &[&format!("{directory}/glibc-hwcaps/x86-64-v3/libb.so")]);
        case(v2()).maps("/app", &[&format!("{directory}/glibc-hwcaps/x86-64-v2/libb.so")]);
        case(HwcapsSelection::None).maps("/app", &[&format!("{directory}/libb.so")]);
    }
}

#[test]
fn a_lesser_variant_will_do() {
    variants("/r", &["x86-64-v2"]).hwcaps(v3()).maps("/app", &["/r/glibc-hwcaps/x86-64-v2/libb.so"]);
    variants("/r", &["x86-64-v4"]).hwcaps(v3()).maps("/app", &["/r/libb.so"]);
}

#[test]
fn a_variant_in_a_later_directory_comes_after_the_base_in_an_earlier() {
    variants("/s", &["x86-64-v3"])
        .elf("/app", &program().needed("libb.so").runpath("/r:/s"))
        .elf("/r/libb.so", &library())
        .hwcaps(v3())
        .maps("/app", &["/r/libb.so"]);
}

#[test]
fn a_variant_without_a_base_is_for_newer_cpus_alone() {
    let case = |hwcaps| variants("/r", &["x86-64-v3"]).without("/r/libb.so").hwcaps(hwcaps);
    case(v3()).maps("/app", &["/r/glibc-hwcaps/x86-64-v3/libb.so"]);
    case(v2()).maps("/app", &["libb.so => not found"]);
}

#[test]
fn a_variant_has_a_closure_of_its_own() {
    let case = |hwcaps| {
        variants("/r", &[])
            .elf("/r/glibc-hwcaps/x86-64-v2/libb.so", &library().needed("libc.so").runpath("$ORIGIN:/s"))
            .elf("/s/libc.so", &library())
            .hwcaps(hwcaps)
    };
    case(v2()).maps("/app", &["/r/glibc-hwcaps/x86-64-v2/libb.so", "/s/libc.so"]);
    case(HwcapsSelection::None).maps("/app", &["/r/libb.so"]);
}

#[test]
fn the_library_path_and_rpath_have_variants_too() {
    let app = program().needed("libb.so");
    let case = |app| variants("/s", &["x86-64-v2"]).elf("/app", &app).hwcaps(v2());
    case(app.clone()).library_path("/s").maps("/app", &["/s/glibc-hwcaps/x86-64-v2/libb.so"]);
    case(app.rpath("/s")).maps("/app", &["/s/glibc-hwcaps/x86-64-v2/libb.so"]);
}

#[test]
fn other_directories_are_none_of_the_loader_s() {
    for name in ["x86-64-v2", "glibc-hwcaps", "glibc-hwcaps/x86-64-v1", "glibc-hwcaps/x86-64-v2/x86_64"] {
        variants("/r", &[])
            .elf(&format!("/r/{name}/libb.so"), &library())
            .hwcaps(v3())
            .maps("/app", &["/r/libb.so"]);
    }
}

#[test]
fn the_cache_lists_variants() {
    let case = |hwcaps| {
        let names = ["x86-64-v2", "x86-64-v3"];
        names
            .iter()
            .fold(variants("/opt", &[]), |case, name| {
                case.elf(
                    &format!("/opt/glibc-hwcaps/{name}/libb.so"),
                    &library().soname("libb.so").needed("libc.so.6"),
                )
            })
            .elf("/opt/libb.so", &library().soname("libb.so").needed("libc.so.6"))
            .elf("/usr/lib/libc.so.6", &library().soname("libc.so.6"))
            .ldconfig("/opt\n")
            .hwcaps(hwcaps)
    };
    case(v3()).maps("/app", &["/opt/glibc-hwcaps/x86-64-v3/libb.so", "/usr/lib/libc.so.6"]);
    case(v2()).maps("/app", &["/opt/glibc-hwcaps/x86-64-v2/libb.so", "/usr/lib/libc.so.6"]);
    case(HwcapsSelection::None).maps("/app", &["/opt/libb.so", "/usr/lib/libc.so.6"]);
}

#[test]
fn a_variant_of_a_path_is_not_looked_for() {
    variants("/r", &["x86-64-v2"])
        .elf("/app", &program().needed("/r/libb.so"))
        .hwcaps(v2())
        .maps("/app", &["/r/libb.so"]);
}
