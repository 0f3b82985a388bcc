//! When two names mean the same object: earlier requested names, `DT_SONAME`, paths, inodes; the
//! loader and the vDSO. Source: `_dl_map_object`, `_dl_name_match_p` and `_dl_map_object_from_fd`,
//! `elf/dl-load.c`.

use coracle_core::path::RawPath;
use coracle_ld::closure::Closure;

use crate::rules::case::Case;
use crate::rules::elf::{library, program};

const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

#[test]
fn a_soname_that_is_loaded_is_not_searched_for() {
    Case::glibc()
        .elf("/app", &program().needed("liba-1.2.so").needed("libb.so").runpath("/r"))
        .elf("/r/liba-1.2.so", &library().soname("liba.so.1"))
        .elf("/r/libb.so", &library().needed("liba.so.1"))
        .elf("/usr/lib/liba.so.1", &library())
        .maps("/app", &["/r/liba-1.2.so", "/r/libb.so"])
        .starts("/app");
}

#[test]
fn a_soname_counts_only_once_it_is_loaded() {
    Case::glibc()
        .elf("/app", &program().needed("libb.so").needed("liba-1.2.so").runpath("/r"))
        .elf("/r/liba-1.2.so", &library().soname("liba.so.1"))
        .elf("/r/libb.so", &library().needed("liba.so.1").runpath("/s"))
        .elf("/s/liba.so.1", &library())
        .maps("/app", &["/r/libb.so", "/r/liba-1.2.so"]);
    Case::glibc()
        .elf("/app", &program().needed("liba.so.1").needed("liba-1.2.so").runpath("/r:/s"))
        .elf("/r/liba-1.2.so", &library().soname("liba.so.1"))
        .elf("/s/liba.so.1", &library())
        .maps("/app", &["/s/liba.so.1", "/r/liba-1.2.so"]);
}

#[test]
fn the_soname_of_the_program_counts() {
    Case::glibc()
        .elf("/app", &program().soname("libself.so").needed("liba.so").runpath("/r"))
        .elf("/r/liba.so", &library().needed("libself.so"))
        .elf("/usr/lib/libself.so", &library())
        .maps("/app", &["/r/liba.so"]);
}

#[test]
fn a_name_asked_for_before_is_remembered_whatever_the_soname() {
    Case::glibc()
        .elf("/app", &program().needed("liba.so").needed("libb.so").runpath("/r"))
        .elf("/r/liba.so", &library().soname("other.so"))
        .elf("/r/libb.so", &library().needed("liba.so").runpath("/s"))
        .elf("/s/liba.so", &library())
        .maps("/app", &["/r/liba.so", "/r/libb.so"]);
}

#[test]
fn two_links_to_one_file_are_one_object() {
    Case::glibc()
        .elf("/app", &program().needed("liba.so").needed("libb.so").runpath("/r"))
        .elf("/r/real.so", &library())
        .link("/r/liba.so", "real.so")
        .link("/r/libb.so", "real.so")
        .maps("/app", &["/r/liba.so"]);
}

#[test]
fn two_names_of_one_inode_are_one_object() {
    Case::glibc()
        .elf("/app", &program().needed("liba.so").needed("libb.so").runpath("/r"))
        .elf("/r/liba.so", &library())
        .hard_link("/r/liba.so", "/r/libb.so")
        .maps("/app", &["/r/liba.so"]);
}

#[test]
fn equal_bytes_in_two_inodes_are_two_objects() {
    Case::glibc()
        .elf("/app", &program().needed("liba.so").needed("libb.so").runpath("/r"))
        .elf("/r/liba.so", &library())
        .elf("/r/libb.so", &library())
        .maps("/app", &["/r/liba.so", "/r/libb.so"]);
}

#[test]
fn the_second_name_of_an_object_must_exist_too() {
    Case::glibc()
        .elf("/app", &program().needed("liba.so").needed("libb.so").runpath("/r"))
        .elf("/r/liba.so", &library())
        .hard_link("/r/liba.so", "/r/libb.so")
        .inspect(|tree, options| {
            let closure = Closure::resolve(tree, &RawPath::new("/app"), options).unwrap();
            assert_eq!(closure.elf_programs().next().unwrap().link_map.aliases.len(), 1);
        });
}

#[test]
fn a_second_name_of_an_object_is_remembered() {
    Case::glibc()
        .elf("/app", &program().needed("liba.so").needed("libb.so").needed("libc.so").runpath("/r"))
        .elf("/r/liba.so", &library())
        .hard_link("/r/liba.so", "/r/libb.so")
        .elf("/r/libc.so", &library().needed("libb.so").runpath("/s"))
        .elf("/s/libb.so", &library())
        .maps("/app", &["/r/liba.so", "/r/libc.so"]);
}

#[test]
fn a_path_means_the_object_that_was_found_there() {
    Case::glibc()
        .elf(
            "/app",
            &program().needed("liba.so").needed("/r/liba.so").needed("/r/../r/liba.so").runpath("/r"),
        )
        .elf("/r/liba.so", &library())
        .maps("/app", &["/r/liba.so"]);
}

#[test]
fn a_name_is_not_the_path_that_ends_in_it() {
    Case::glibc()
        .elf("/app", &program().needed("/r/liba.so").needed("liba.so").runpath("/s"))
        .elf("/r/liba.so", &library())
        .elf("/s/liba.so", &library())
        .maps("/app", &["/r/liba.so", "/s/liba.so"]);
}

#[test]
fn names_with_tokens_are_compared_expanded() {
    Case::glibc()
        .elf("/opt/app", &program().needed("$ORIGIN/liba.so").needed("libb.so").runpath("/opt"))
        .elf("/opt/liba.so", &library())
        .elf("/opt/libb.so", &library().needed("${ORIGIN}/liba.so").needed("/opt/liba.so"))
        .maps("/opt/app", &["/opt/liba.so", "/opt/libb.so"]);
}

#[test]
fn the_loader_is_needed_by_its_soname_and_listed_as_the_program_spells_it() {
    Case::glibc()
        .elf("/app", &program().needed("liba.so").needed("ld-linux-x86-64.so.2").runpath("/r"))
        .elf("/r/liba.so", &library())
        .maps("/app", &["/r/liba.so", LOADER]);
}

#[test]
fn the_loader_keeps_the_spelling_of_the_interpreter() {
    Case::glibc()
        .elf("/app", &program().interpreter("/lib/../lib64/ld.so").needed("ld-linux-x86-64.so.2"))
        .directory("/lib")
        .link("/lib64/ld.so", "ld-linux-x86-64.so.2")
        .maps("/app", &["/lib/../lib64/ld.so"]);
}

#[test]
fn the_loader_is_needed_by_its_path() {
    Case::glibc().elf("/app", &program().needed(LOADER)).maps("/app", &[LOADER]);
}

#[test]
fn the_loader_is_listed_where_it_is_first_needed() {
    Case::glibc()
        .elf("/app", &program().needed("liba.so").needed("libb.so").runpath("/r"))
        .elf("/r/liba.so", &library().needed("ld-linux-x86-64.so.2").needed("libc.so").runpath("/r"))
        .elf("/r/libb.so", &library())
        .elf("/r/libc.so", &library())
        .maps("/app", &["/r/liba.so", "/r/libb.so", LOADER, "/r/libc.so"]);
}

#[test]
fn the_vdso_has_no_file() {
    Case::glibc()
        .elf("/app", &program().needed("linux-vdso.so.1").needed("liba.so").runpath("/r"))
        .elf("/r/liba.so", &library())
        .elf("/r/linux-vdso.so.1", &library())
        .maps("/app", &["/r/liba.so"]);
}

#[test]
fn a_cycle_ends() {
    Case::glibc()
        .elf("/app", &program().needed("liba.so").runpath("/r"))
        .elf("/r/liba.so", &library().needed("libb.so").runpath("/r"))
        .elf("/r/libb.so", &library().needed("liba.so").needed("libb.so"))
        .maps("/app", &["/r/liba.so", "/r/libb.so"])
        .starts("/app");
}

#[test]
fn the_loader_under_another_name_is_another_object() {
    Case::glibc()
        .elf("/app", &program().needed("libl.so").needed("ld-linux-x86-64.so.2").runpath("/r"))
        .link("/r/libl.so", "../lib64/ld-linux-x86-64.so.2")
        .maps("/app", &["/r/libl.so", LOADER]);
}

#[test]
fn the_program_under_another_name_is_another_object() {
    Case::glibc()
        .elf("/app", &program().needed("libself.so").runpath("/r"))
        .link("/r/libself.so", "../app")
        .maps("/app", &["/r/libself.so"]);
}

#[test]
fn the_path_of_the_program_means_one_more_object() {
    Case::glibc()
        .elf("/app", &program().needed("liba.so").needed("").runpath("/r"))
        .elf("/r/liba.so", &library().needed("/app"))
        .maps("/app", &["/r/liba.so", "/app"]);
}

#[test]
fn the_path_of_a_library_given_to_the_loader_means_one_more_object() {
    Case::glibc()
        .elf("/s/libd.so", &library().soname("d").needed("/s/libd.so").needed("libx.so").runpath("/x"))
        .elf("/x/libx.so", &library().needed("d"))
        .maps("/s/libd.so", &["/s/libd.so", "/x/libx.so"]);
    Case::glibc()
        .elf("/s/libd.so", &library().needed("/s/../s/libd.so"))
        .maps("/s/libd.so", &["/s/../s/libd.so"]);
}
