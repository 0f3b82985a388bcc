//! `LD_PRELOAD` and `/etc/ld.so.preload`. Source: `handle_preload_list` and `do_preload`,
//! `elf/rtld.c`.

use crate::rules::case::Case;
use crate::rules::elf::{I386, library, program};

fn some_libraries() -> Case {
    let case = Case::glibc().elf("/app", &program().needed("libn.so").runpath("/r"));
    let names = ["a", "b", "c", "d", "n"].map(|name| format!("/r/lib{name}.so"));
    names.iter().fold(case, |case, path| case.elf(path, &library()))
}

#[test]
fn preloads_come_first_in_their_order() {
    some_libraries()
        .preload("/r/libb.so:/r/liba.so /r/libc.so")
        .maps("/app", &["/r/libb.so", "/r/liba.so", "/r/libc.so", "/r/libn.so"])
        .starts("/app");
}

#[test]
fn a_preload_is_searched_for_as_if_the_program_needed_it() {
    some_libraries().preload("libb.so").maps("/app", &["/r/libb.so", "/r/libn.so"]);
}

#[test]
fn tokens_in_a_preload_are_those_of_the_program() {
    Case::glibc()
        .elf("/opt/app", &program().needed("libn.so").runpath("/r"))
        .elf("/opt/libp.so", &library())
        .elf("/r/libn.so", &library())
        .preload("$ORIGIN/libp.so")
        .maps("/opt/app", &["/opt/libp.so", "/r/libn.so"]);
}

#[test]
fn a_preload_that_is_nowhere_is_a_warning() {
    some_libraries().preload("libx.so /x/liby.so").maps("/app", &["/r/libn.so"]).starts("/app");
}

#[test]
fn a_preload_that_is_no_library_is_a_warning() {
    some_libraries()
        .file("/r/libx.so", [b'#'; 100])
        .preload("libx.so")
        .maps("/app", &["/r/libn.so"])
        .starts("/app");
    some_libraries()
        .elf("/r/libx.so", &library().machine(I386))
        .preload("libx.so")
        .maps("/app", &["/r/libn.so"]);
}

#[test]
fn the_file_comes_after_the_variable() {
    some_libraries()
        .file("/etc/ld.so.preload", "# comment /r/libd.so\n/r/libc.so\t/r/liba.so:\n\n")
        .preload("libb.so")
        .maps("/app", &["/r/libb.so", "/r/libc.so", "/r/liba.so", "/r/libn.so"]);
}

#[test]
fn a_comment_in_the_file_reaches_to_the_end_of_its_line() {
    some_libraries()
        .file("/etc/ld.so.preload", "/r/liba.so # /r/libb.so\n/r/libc.so\n")
        .maps("/app", &["/r/liba.so", "/r/libc.so", "/r/libn.so"]);
}

#[test]
fn a_second_comment_is_one_only_where_the_loader_still_looks() {
    some_libraries()
        .file("/etc/ld.so.preload", "/r/liba.so # /r/libb.so\n/r/libc.so#/r/libd.so")
        .maps("/app", &["/r/liba.so", "/r/libn.so"]);
    some_libraries()
        .file("/etc/ld.so.preload", "#\n#\n/r/libc.so /r/libb.so\n")
        .maps("/app", &["/r/libc.so", "/r/libb.so", "/r/libn.so"]);
}

#[test]
fn the_file_counts_for_every_program() {
    some_libraries().file("/etc/ld.so.preload", "/r/liba.so").maps("/app", &["/r/liba.so", "/r/libn.so"]);
}

#[test]
fn what_preloads_need_comes_before_what_the_program_needs_no_more() {
    Case::glibc()
        .elf("/app", &program().needed("libn.so").runpath("/r"))
        .elf("/r/libp.so", &library().needed("libq.so").runpath("/r"))
        .elf("/r/libq.so", &library())
        .elf("/r/libn.so", &library())
        .preload("libp.so")
        .maps("/app", &["/r/libp.so", "/r/libn.so", "/r/libq.so"]);
}

#[test]
fn a_preload_inherits_rpath_of_the_program() {
    Case::glibc()
        .elf("/app", &program().needed("libn.so").rpath("/r"))
        .elf("/s/libp.so", &library().needed("libq.so"))
        .elf("/r/libq.so", &library())
        .elf("/r/libn.so", &library())
        .preload("/s/libp.so")
        .maps("/app", &["/s/libp.so", "/r/libn.so", "/r/libq.so"]);
}

#[test]
fn the_soname_of_a_preload_serves_what_is_needed() {
    Case::glibc()
        .elf("/app", &program().needed("libn.so").runpath("/r"))
        .elf("/s/any.so", &library().soname("libn.so"))
        .elf("/r/libn.so", &library())
        .preload("/s/any.so")
        .maps("/app", &["/s/any.so"]);
}

#[test]
fn what_a_preload_needs_must_be_there() {
    Case::glibc()
        .elf("/app", &program().needed("libn.so").runpath("/r"))
        .elf("/r/libn.so", &library())
        .elf("/r/libp.so", &library().needed("libx.so"))
        .preload("/r/libp.so")
        .maps("/app", &["/r/libp.so", "/r/libn.so", "libx.so => not found"])
        .does_not_start("/app", "libx.so: cannot open shared object file");
}

#[test]
fn a_preload_twice_is_there_once() {
    some_libraries()
        .file("/etc/ld.so.preload", "/r/liba.so")
        .preload("liba.so:libn.so")
        .maps("/app", &["/r/liba.so", "/r/libn.so"]);
}

#[test]
fn the_loader_as_a_preload_is_none() {
    Case::glibc()
        .elf("/app", &program().needed("liba.so").runpath("/r"))
        .elf("/r/liba.so", &library())
        .preload("/lib64/ld-linux-x86-64.so.2:ld-linux-x86-64.so.2")
        .maps("/app", &["/r/liba.so"]);
}
