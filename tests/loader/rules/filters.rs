//! `DT_FILTER` and `DT_AUXILIARY`: loaded before the object that has them. Source:
//! `_dl_map_object_deps`.

use coracle_core::path::RawPath;
use coracle_ld::closure::Closure;

use crate::rules::case::Case;
use crate::rules::elf::{library, program};

#[test]
fn a_filter_comes_before_its_object() {
    for liba in [library().filter("libf.so"), library().auxiliary("libf.so")] {
        Case::glibc()
            .elf("/app", &program().needed("liba.so").needed("libb.so").rpath("/r"))
            .elf("/r/liba.so", &liba)
            .elf("/r/libb.so", &library())
            .elf("/r/libf.so", &library())
            .maps("/app", &["/r/libf.so", "/r/liba.so", "/r/libb.so"]);
    }
}

#[test]
fn what_a_filter_needs_comes_in_its_turn() {
    Case::glibc()
        .elf("/app", &program().needed("liba.so").needed("libb.so").rpath("/r"))
        .elf("/r/liba.so", &library().needed("libc.so").filter("libf.so").needed("libd.so"))
        .elf("/r/libb.so", &library())
        .elf("/r/libc.so", &library())
        .elf("/r/libd.so", &library())
        .elf("/r/libe.so", &library())
        .elf("/r/libf.so", &library().needed("libe.so"))
        .maps("/app", &["/r/libf.so", "/r/liba.so", "/r/libb.so", "/r/libc.so", "/r/libd.so", "/r/libe.so"]);
}

#[test]
fn several_filters_keep_their_order() {
    Case::glibc()
        .elf("/app", &program().needed("liba.so").rpath("/r"))
        .elf(
            "/r/liba.so",
            &library().filter("libf.so").auxiliary("libg.so").needed("libb.so").filter("libh.so"),
        )
        .elf("/r/libb.so", &library())
        .elf("/r/libf.so", &library())
        .elf("/r/libg.so", &library())
        .elf("/r/libh.so", &library())
        .maps("/app", &["/r/libf.so", "/r/libg.so", "/r/libh.so", "/r/liba.so", "/r/libb.so"]);
}

#[test]
fn a_filter_of_a_filter_comes_before_it() {
    Case::glibc()
        .elf("/app", &program().needed("liba.so").rpath("/r"))
        .elf("/r/liba.so", &library().filter("libf.so"))
        .elf("/r/libf.so", &library().filter("libg.so"))
        .elf("/r/libg.so", &library().needed("libb.so"))
        .elf("/r/libb.so", &library())
        .maps("/app", &["/r/libg.so", "/r/libf.so", "/r/liba.so", "/r/libb.so"]);
}

#[test]
fn a_filter_that_is_waiting_moves_to_the_front() {
    Case::glibc()
        .elf("/app", &program().needed("liba.so").needed("libb.so").needed("libf.so").rpath("/r"))
        .elf("/r/liba.so", &library().filter("libf.so"))
        .elf("/r/libb.so", &library())
        .elf("/r/libf.so", &library())
        .maps("/app", &["/r/libf.so", "/r/liba.so", "/r/libb.so"]);
}

#[test]
fn a_filter_that_came_before_stays_there() {
    Case::glibc()
        .elf("/app", &program().needed("libf.so").needed("liba.so").needed("libb.so").rpath("/r"))
        .elf("/r/liba.so", &library().filter("libf.so"))
        .elf("/r/libb.so", &library())
        .elf("/r/libf.so", &library())
        .maps("/app", &["/r/libf.so", "/r/liba.so", "/r/libb.so"]);
}

#[test]
fn a_filter_of_the_program_comes_before_it() {
    // The real loader lists what comes behind the program alone.
    Case::glibc()
        .elf("/app", &program().needed("liba.so").auxiliary("libf.so").rpath("/r"))
        .elf("/r/liba.so", &library())
        .elf("/r/libf.so", &library())
        .maps("/app", &["/r/liba.so"])
        .starts("/app")
        .inspect(|tree, options| {
            let closure = Closure::resolve(tree, &RawPath::new("/app"), options).unwrap();
            let map = &closure.elf_programs().next().unwrap().link_map;
            let paths: Vec<String> = map.objects.iter().map(|object| object.raw_path.to_string()).collect();
            assert_eq!(paths[..3], ["/r/libf.so", "/app", "/r/liba.so"]);
        });
}

#[test]
fn a_missing_auxiliary_does_not_matter() {
    Case::glibc()
        .elf("/app", &program().needed("liba.so").rpath("/r"))
        .elf("/r/liba.so", &library().auxiliary("libf.so").needed("libb.so"))
        .elf("/r/libb.so", &library())
        .maps("/app", &["/r/liba.so", "/r/libb.so", "libf.so => not found"])
        .starts("/app")
        .inspect(|tree, options| {
            Closure::resolve(tree, &RawPath::new("/app"), options).unwrap();
        });
}

#[test]
fn a_missing_filter_is_fatal() {
    Case::glibc()
        .elf("/app", &program().needed("liba.so").rpath("/r"))
        .elf("/r/liba.so", &library().filter("libf.so").needed("libb.so"))
        .elf("/r/libb.so", &library())
        .maps("/app", &["/r/liba.so", "/r/libb.so", "libf.so => not found"])
        .does_not_start("/app", "libf.so: cannot open shared object file");
}

#[test]
fn a_filter_is_searched_for_as_what_is_needed_is() {
    Case::glibc()
        .elf("/opt/app", &program().needed("liba.so").runpath("/r"))
        .elf("/r/liba.so", &library().filter("$ORIGIN/libf.so").auxiliary("libg.so").runpath("/s"))
        .elf("/r/libf.so", &library())
        .elf("/s/libg.so", &library())
        .maps("/opt/app", &["/r/libf.so", "/s/libg.so", "/r/liba.so"]);
}

#[test]
fn an_object_that_filters_itself_is_there_once() {
    Case::glibc()
        .elf("/app", &program().needed("liba.so").rpath("/r"))
        .elf("/r/liba.so", &library().filter("liba.so").needed("libb.so"))
        .elf("/r/libb.so", &library())
        .maps("/app", &["/r/liba.so", "/r/libb.so"]);
}

#[test]
fn what_came_before_the_program_is_not_found_again() {
    // It is mapped once more, and that one is listed.
    Case::glibc()
        .elf("/app", &program().auxiliary("libf.so").needed("libf.so").needed("libb.so").rpath("/r"))
        .elf("/r/libf.so", &library().soname("other.so"))
        .link("/r/libb.so", "libf.so")
        .maps("/app", &["/r/libf.so"]);
}

#[test]
fn a_filter_of_the_program_that_needs_itself_has_no_end() {
    // The real loader has no limit, so it is not run.
    Case::glibc()
        .elf("/app", &program().filter("libf.so").needed("libb.so").rpath("/r"))
        .elf("/r/libb.so", &library())
        .elf("/r/libf.so", &library().auxiliary("libf.so"))
        .inspect(|tree, options| {
            let error = Closure::resolve(tree, &RawPath::new("/app"), options).unwrap_err();
            assert!(matches!(error, coracle_ld::closure::Error::EndlessFilters { .. }), "{error}");
        });
}
