//! Another root directory: links never leave it, and paths are reported as the loader builds them.

use coracle_core::path::RawPath;
use coracle_ld::closure::Closure;

use crate::rules::case::Case;
use crate::rules::elf::{library, program};

#[test]
fn an_absolute_link_starts_again_at_the_root() {
    Case::glibc()
        .elf("/app", &program().needed("libb.so").runpath("/r"))
        .elf("/store/libb.so", &library())
        .link("/r/libb.so", "/store/libb.so")
        .maps("/app", &["/r/libb.so"]);
}

#[test]
fn no_link_climbs_out_of_the_root() {
    Case::glibc()
        .elf("/app", &program().needed("libb.so").runpath("/r"))
        .elf("/store/libb.so", &library())
        .link("/r/libb.so", "../../../../../../store/libb.so")
        .maps("/app", &["/r/libb.so"]);
}

#[test]
fn what_is_only_outside_the_root_is_not_there() {
    Case::glibc()
        .elf("/app", &program().needed("libc.so.6").runpath("/r"))
        .link("/r/libc.so.6", "/usr/lib/x86_64-linux-gnu/libc.so.6")
        .maps("/app", &["libc.so.6 => not found"]);
}

#[test]
fn merged_directories_keep_the_spelling_of_the_search() {
    Case::glibc()
        .elf("/app", &program().needed("libb.so"))
        .elf("/usr/lib/x86_64-linux-gnu/libb.so", &library().needed("libc.so").needed("ld-linux-x86-64.so.2"))
        .elf("/usr/lib/libc.so", &library())
        .link("/lib", "usr/lib")
        .maps("/app", &["/lib/x86_64-linux-gnu/libb.so", "/lib/libc.so", "/lib64/ld-linux-x86-64.so.2"]);
}

#[test]
fn the_interpreter_may_be_behind_links() {
    Case::glibc()
        .elf("/app", &program().interpreter("/ld/so").needed("libb.so").runpath("/r"))
        .elf("/r/libb.so", &library().needed("ld-linux-x86-64.so.2"))
        .link("/ld", "/opt/ld")
        .link("/opt/ld/so", "../../lib64/ld-linux-x86-64.so.2")
        .maps("/app", &["/r/libb.so", "/ld/so"]);
}

#[test]
fn links_through_directories_that_do_not_exist_lead_nowhere() {
    Case::glibc()
        .elf("/app", &program().needed("libb.so").runpath("/r/none/..:/r"))
        .elf("/r/libb.so", &library())
        .maps("/app", &["/r/libb.so"]);
}

#[test]
fn a_program_without_its_interpreter_does_not_start() {
    Case::glibc()
        .elf("/app", &program().interpreter("/none/ld.so"))
        .does_not_start("/app", "No such file or directory")
        .inspect(|tree, options| {
            assert!(Closure::resolve(tree, &RawPath::new("/app"), options).is_err());
        });
}
