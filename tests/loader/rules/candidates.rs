//! Which file of the right name glibc takes, passes over, or dies of. Source: `open_verify`,
//! `open_path` and `_dl_map_object_from_fd`, `elf/dl-load.c`.

use crate::rules::case::Case;
use crate::rules::elf::{
    ARM64, DF_1_NOOPEN, DF_1_PIE, E_TYPE, E_VERSION, EI_ABIVERSION, EI_DATA, EI_OSABI, EI_PAD, EI_VERSION,
    Elf, I386, S390X, X32, library, program,
};

/// `libb.so` is wanted from `/r`, where the candidate is, and then from `/s`, where a good one is.
fn two_directories() -> Case {
    Case::glibc()
        .elf("/app", &program().needed("libb.so").runpath("/r:/s"))
        .directory("/r")
        .elf("/s/libb.so", &library())
}

fn passed_over(candidate: impl FnOnce(Case) -> Case) {
    candidate(two_directories()).maps("/app", &["/s/libb.so"]);
}

fn taken(candidate: &Elf) {
    two_directories().elf("/r/libb.so", candidate).maps("/app", &["/r/libb.so"]);
}

fn fatal(candidate: &Elf) {
    two_directories().elf("/r/libb.so", candidate).refuses("/app", "/r/libb.so");
}

fn fatal_bytes(bytes: &[u8]) {
    two_directories().file("/r/libb.so", bytes).refuses("/app", "/r/libb.so");
}

#[test]
fn nothing_is_passed_over() {
    passed_over(|case| case);
}

#[test]
fn a_link_to_nothing_is_passed_over() {
    passed_over(|case| case.link("/r/libb.so", "nowhere"));
}

#[test]
fn a_file_in_place_of_the_directory_is_passed_over() {
    Case::glibc()
        .elf("/app", &program().needed("libb.so").runpath("/r:/s"))
        .file("/r", "")
        .elf("/s/libb.so", &library())
        .maps("/app", &["/s/libb.so"]);
}

#[test]
fn another_class_is_passed_over() {
    passed_over(|case| case.elf("/r/libb.so", &library().machine(I386)));
    passed_over(|case| case.elf("/r/libb.so", &library().machine(X32)));
}

#[test]
fn another_machine_is_passed_over() {
    passed_over(|case| case.elf("/r/libb.so", &library().machine(ARM64)));
}

#[test]
fn another_class_is_passed_over_whatever_else_is_wrong_with_it() {
    passed_over(|case| case.elf("/r/libb.so", &library().machine(I386).byte(EI_DATA, 2)));
}

#[test]
fn a_library_of_another_machine_alone_is_as_good_as_none() {
    Case::glibc()
        .elf("/app", &program().needed("libb.so").runpath("/r"))
        .elf("/r/libb.so", &library().machine(ARM64))
        .elf("/usr/lib/libb.so", &library().machine(I386))
        .maps("/app", &["libb.so => not found"]);
}

#[test]
fn another_byte_order_is_fatal() {
    fatal(&library().byte(EI_DATA, 2));
}

#[test]
fn another_machine_of_the_other_byte_order_is_passed_over() {
    passed_over(|case| case.elf("/r/libb.so", &library().machine(S390X)));
}

#[test]
fn what_is_no_elf_file_is_fatal() {
    fatal_bytes(b"/* GNU ld script */\nGROUP ( /lib/libb.so.1 AS_NEEDED ( /lib/ld-linux-x86-64.so.2 ) )  /* long enough */\n");
}

#[test]
fn a_file_that_ends_too_soon_is_fatal() {
    fatal_bytes(b"");
    fatal_bytes(b"\x7fELF");
    fatal_bytes(&library().image()[..63]);
}

#[test]
fn a_file_that_ends_within_its_program_headers_is_fatal() {
    fatal_bytes(&library().image()[..100]);
}

#[test]
fn identification_must_be_regular() {
    fatal(&library().byte(EI_VERSION, 2));
    fatal(&library().byte(EI_PAD, 1));
    fatal(&library().byte(E_VERSION, 2));
}

#[test]
fn the_abi_is_system_v_or_gnu() {
    taken(&library().byte(EI_OSABI, 3));
    fatal(&library().byte(EI_OSABI, 9));
    fatal(&library().byte(EI_OSABI, 1));
}

#[test]
fn the_abi_version_is_zero_or_one_that_gnu_has() {
    taken(&library().byte(EI_OSABI, 3).byte(EI_ABIVERSION, 1));
    fatal(&library().byte(EI_ABIVERSION, 1));
    fatal(&library().byte(EI_OSABI, 3).byte(EI_ABIVERSION, 200));
}

#[test]
fn relocatable_files_and_core_dumps_are_fatal() {
    fatal(&library().byte(E_TYPE, 1));
    fatal(&library().byte(E_TYPE, 4));
}

#[test]
fn a_program_is_no_library() {
    fatal(&library().flags_1(DF_1_PIE));
    fatal(&library().executable());
}

#[test]
fn an_interpreter_does_not_make_a_program() {
    taken(&program());
}

#[test]
fn noopen_is_for_dlopen_alone() {
    taken(&library().flags_1(DF_1_NOOPEN));
}

#[test]
fn a_cpu_that_everybody_has_may_be_asked_for() {
    taken(&library().isa_needed(1));
}

#[test]
fn program_headers_of_another_size_are_fatal() {
    fatal(&library().byte(54, 32));
}

#[test]
fn a_library_without_a_dynamic_section_is_fatal() {
    // The fourth program header's type.
    fatal(&library().byte(64 + 3 * 56, 0x7f));
}

#[test]
fn a_library_without_a_loaded_segment_is_fatal() {
    fatal(&library().byte(64 + 2 * 56, 0x7f));
}

#[test]
fn a_directory_of_that_name_is_fatal() {
    two_directories().directory("/r/libb.so").refuses("/app", "/r/libb.so");
}

#[test]
fn links_in_a_circle_end_the_list_of_directories() {
    two_directories().link("/r/libb.so", "libb.so").maps("/app", &["libb.so => not found"]);
    two_directories()
        .link("/r/libb.so", "libb.so")
        .elf("/usr/lib/libb.so", &library())
        .maps("/app", &["/usr/lib/libb.so"]);
    two_directories()
        .elf("/app", &program().needed("libb.so").rpath("/r:/s"))
        .link("/r/libb.so", "libb.so")
        .library_path("/s")
        .maps("/app", &["/s/libb.so"]);
}

#[test]
fn a_circle_in_one_default_directory_hides_the_others() {
    Case::glibc()
        .elf("/app", &program().needed("libb.so"))
        .link("/lib/x86_64-linux-gnu/libb.so", "libb.so")
        .elf("/usr/lib/libb.so", &library())
        .maps("/app", &["libb.so => not found"]);
}

#[test]
fn a_directory_whose_links_go_round_in_a_circle_is_as_good_as_none() {
    Case::glibc()
        .elf("/app", &program().needed("libb.so").runpath("/r:/s"))
        .link("/r", "/r")
        .elf("/s/libb.so", &library())
        .maps("/app", &["/s/libb.so"]);
}

#[test]
fn a_relative_directory_is_taken_to_be_there() {
    Case::glibc()
        .elf("/app", &program().needed("libb.so").runpath("r:/s"))
        .link("/r", "/r")
        .elf("/s/libb.so", &library())
        .maps("/app", &["libb.so => not found"]);
}

#[test]
fn a_path_to_another_machine_leads_nowhere() {
    let app = || Case::glibc().elf("/app", &program().needed("/r/libb.so"));
    app().elf("/r/libb.so", &library().machine(I386)).maps("/app", &["/r/libb.so => not found"]);
    app().elf("/r/libb.so", &library().machine(ARM64)).maps("/app", &["/r/libb.so => not found"]);
    app().link("/r/libb.so", "libb.so").maps("/app", &["/r/libb.so => not found"]);
}

#[test]
fn the_first_refusal_ends_it_even_where_other_names_are_missing() {
    Case::glibc()
        .elf("/app", &program().needed("libx.so").needed("liba.so").needed("libb.so").runpath("/r"))
        .elf("/r/liba.so", &library())
        .file("/r/libb.so", "no library, but as long as the header of an ELF file has to be: 64.")
        .refuses("/app", "/r/libb.so");
}
