//! Legacy CPU-specific directories, which glibc searches up to 2.36. Source:
//! `_dl_important_hwcaps`, `elf/dl-hwcaps.c`; `search_cache`, `elf/dl-cache.c`.

use coracle_core::path::RawPath;
use coracle_ld::closure::{Closure, ExecutedKind, ResolveOptions};
use coracle_ld::ldso::{HwcapsSelection, LoaderEnvironment};

use crate::rules::case::Case;
use crate::rules::elf::{Elf, library, program};
use crate::rules::path_tokens::platform;

fn v3() -> HwcapsSelection {
    HwcapsSelection::UpTo(b"x86-64-v3".to_vec())
}

fn listed() -> Elf {
    library().soname("libb.so").needed("libc.so.6")
}

/// Returns a case with `libb.so` in these directories below `/r`, and in `/r` itself.
fn below_r(names: &[&str]) -> Case {
    let case = Case::glibc()
        .elf("/app", &program().needed("libb.so").runpath("/r"))
        .elf("/r/libb.so", &library())
        .elf("/usr/lib/libc.so.6", &library().soname("libc.so.6"));
    names.iter().fold(case, |case, name| case.elf(&format!("/r/{name}/libb.so"), &listed()))
}

const LIBC: &str = "/usr/lib/libc.so.6";

#[test]
fn each_combination_is_searched_in_order() {
    // Without features of newer CPUs, `x86_64` is a platform and a feature.
    let mut left = vec!["tls/x86_64/x86_64", "tls/x86_64", "tls", "x86_64/x86_64", "x86_64"];
    while !left.is_empty() {
        let first = format!("/r/{}/libb.so", left[0]);
        below_r(&left).hwcaps(HwcapsSelection::None).maps("/app", &[&first, LIBC]);
        left.remove(0);
    }
}

#[test]
fn the_platform_and_features_of_a_newer_cpu_go_first() {
    let Some(platform) = platform() else { return };
    let name = |text: &str| text.replace("PLATFORM", &platform);
    for text in ["tls/PLATFORM/x86_64", "tls/PLATFORM", "PLATFORM/x86_64", "PLATFORM"] {
        let first = name(text);
        below_r(&[&first, "x86_64"])
            .platform(&platform)
            .hwcaps(v3())
            .maps("/app", &[&format!("/r/{first}/libb.so"), LIBC]);
    }
}

#[test]
fn other_combinations_are_not_searched() {
    for name in
        ["x86_64/tls", "tls/tls", "i686", "sse2", "x86_64/x86_64/x86_64", "x86-64-v2", "atomics", "power9"]
    {
        below_r(&[name]).hwcaps(HwcapsSelection::None).maps("/app", &["/r/libb.so"]);
    }
}

#[test]
fn they_come_after_glibc_hwcaps() {
    below_r(&["tls", "glibc-hwcaps/x86-64-v2"])
        .hwcaps(v3())
        .maps("/app", &["/r/glibc-hwcaps/x86-64-v2/libb.so", LIBC]);
}

#[test]
fn every_directory_has_them() {
    for directory in ["/lib/x86_64-linux-gnu", "/usr/lib"] {
        let found = format!("{directory}/tls/x86_64/libb.so");
        below_r(&[]).without("/r/libb.so").elf(&found, &library()).maps("/app", &[&found]);
        below_r(&[])
            .without("/r/libb.so")
            .elf(&found, &library())
            .elf("/app", &program().needed("libb.so"))
            .library_path(directory)
            .maps("/app", &[&found]);
    }
}

#[test]
fn links_to_directories_are_followed() {
    below_r(&["x86_64"]).link("/r/tls", "x86_64").maps("/app", &["/r/tls/libb.so", LIBC]);
    below_r(&[]).link("/r/tls", "tls").file("/r/x86_64", "").maps("/app", &["/r/libb.so"]);
}

#[test]
fn a_circle_in_one_of_them_does_not_end_the_list_of_directories() {
    let case = || {
        below_r(&[])
            .elf("/app", &program().needed("libb.so").runpath("/r:/s"))
            .directory("/r/tls")
            .link("/r/tls/libb.so", "libb.so")
            .elf("/s/libb.so", &library())
    };
    case().maps("/app", &["/r/libb.so"]);
    case().without("/r/libb.so").maps("/app", &["/s/libb.so"]);
}

#[test]
fn an_entry_of_the_cache_is_passed_over_unless_the_cpu_has_what_it_says() {
    let case = |name: &str, hwcaps: HwcapsSelection| {
        Case::glibc()
            .elf("/app", &program().needed("libb.so"))
            .elf("/usr/lib/libc.so.6", &library().soname("libc.so.6"))
            .elf("/opt/libb.so", &listed())
            .elf(&format!("/opt/{name}/libb.so"), &listed())
            .ldconfig("/opt\n")
            .hwcaps(hwcaps)
    };
    for name in ["tls", "x86_64", "tls/x86_64"] {
        case(name, HwcapsSelection::None).maps("/app", &[&format!("/opt/{name}/libb.so"), LIBC]);
    }
    for name in ["haswell", "avx512_1", "xeon_phi", "i686", "sse2", "haswell/x86_64"] {
        case(name, HwcapsSelection::None).maps("/app", &["/opt/libb.so", LIBC]);
    }
    if let Some(platform) = platform().filter(|name| name != "x86_64") {
        let found = format!("/opt/{platform}/libb.so");
        case(&platform, v3()).platform(&platform).maps("/app", &[&found, LIBC]);
    }
}

#[test]
fn a_variant_in_the_cache_goes_before_them() {
    below_r(&[])
        .elf("/app", &program().needed("libb.so"))
        .elf("/opt/libb.so", &listed())
        .elf("/opt/tls/libb.so", &listed())
        .elf("/opt/glibc-hwcaps/x86-64-v2/libb.so", &listed())
        .ldconfig("/opt\n")
        .hwcaps(v3())
        .maps("/app", &["/opt/glibc-hwcaps/x86-64-v2/libb.so", LIBC]);
}

/// Asserts which files each CPU level maps for `/app`, the best level first.
fn all_kinds(case: Case, hwcaps: HwcapsSelection, expected: &[&[&str]]) {
    case.inspect(|tree, _| {
        let loader = LoaderEnvironment { hwcaps, ..LoaderEnvironment::default() };
        let options = ResolveOptions { loader_environment: loader, ..ResolveOptions::default() };
        let closure = Closure::resolve_partial(tree, &RawPath::new("/app"), &options).unwrap();
        let ExecutedKind::Elf(elf) = &closure.executed[0].kind else { panic!("no ELF file") };
        let paths = elf.all_link_maps().map(|map| {
            let libraries =
                map.objects.iter().enumerate().skip(1).filter(|(index, _)| map.has_dependents(*index));
            libraries.map(|(_, object)| object.raw_path.to_string()).collect::<Vec<_>>()
        });
        assert_eq!(paths.collect::<Vec<_>>(), expected);
    });
}

#[test]
fn lesser_cpus_are_asked_too() {
    let (haswell, base): (&[&str], &[&str]) = (&["/r/haswell/libb.so", LIBC], &["/r/libb.so"]);
    all_kinds(below_r(&["haswell"]), HwcapsSelection::All, &[haswell, base]);
    all_kinds(below_r(&["haswell"]), HwcapsSelection::UpTo(b"x86-64-v2".to_vec()), &[base]);
    // Only those without a newer platform search it.
    let twice: &[&str] = &["/r/x86_64/x86_64/libb.so", LIBC];
    all_kinds(below_r(&["x86_64/x86_64"]), HwcapsSelection::All, &[base, twice]);
    all_kinds(below_r(&["tls"]), HwcapsSelection::All, &[&["/r/tls/libb.so", LIBC]]);
}

#[test]
fn a_stated_kind_bounds_the_lesser_ones() {
    let names = ["x86-64-v2", "x86-64-v3", "x86-64-v4"].map(|name| format!("glibc-hwcaps/{name}"));
    let case = || below_r(&names.each_ref().map(String::as_str));
    let path = |level: &str| format!("/r/glibc-hwcaps/{level}/libb.so");
    let (v2, v3_path) = (path("x86-64-v2"), path("x86-64-v3"));
    all_kinds(case(), v3(), &[&[&v3_path, LIBC], &[&v2, LIBC], &["/r/libb.so"]]);
    all_kinds(case(), HwcapsSelection::None, &[&["/r/libb.so"]]);
}

#[test]
fn a_kind_that_the_loader_does_not_know_is_an_error() {
    below_r(&[]).inspect(|tree, _| {
        let loader = LoaderEnvironment {
            hwcaps: HwcapsSelection::UpTo(b"x86-64-v9".to_vec()),
            ..LoaderEnvironment::default()
        };
        let options = ResolveOptions { loader_environment: loader, ..ResolveOptions::default() };
        let error = Closure::resolve_partial(tree, &RawPath::new("/app"), &options).unwrap_err();
        let why = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(
            why,
            "it does not support the CPU level `x86-64-v9`; supported: `x86-64-v4`, `x86-64-v3`, `x86-64-v2`"
        );
    });
}
