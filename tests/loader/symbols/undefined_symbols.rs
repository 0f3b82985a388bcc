//! Functions and data that no object defines.

use std::process::Command;

use crate::symbols::folder::{CALLS_A_AND_B, DEFINES_A, DEFINES_A_AND_B, Folder, V1_V2};
use crate::symbols::messages::{has_errors, our_messages, problems};

#[test]
fn a_missing_function_does_not_stop_the_start() {
    for (flags, starts) in [("-Wl,-z,lazy", true), ("-Wl,-z,now", false), ("-Wl,-z,lazy -fno-plt", false)] {
        for script in ["", "V1 { global: *; };"] {
            let folder = Folder::new();
            folder.library("libx", DEFINES_A_AND_B, script, "");
            folder.program(CALLS_A_AND_B, &format!("-lx {flags}"));
            folder.library("libx", DEFINES_A, script, "");
            folder.assert_problems(&["symbol b"], starts);
        }
    }
}

#[test]
fn missing_data_stops_the_program() {
    for flags in ["-fPIE -pie", "-fno-pie -no-pie"] {
        let folder = Folder::new();
        folder.library("libx", "int a(void) { return 1; } int data = 3;", "", "");
        let source =
            "extern int data; int a(void); int main(int argc, char **argv) { return argc > 1 ? data : 0; }";
        folder.program(source, &format!("-lx -Wl,-z,lazy {flags}"));
        folder.library("libx", DEFINES_A, "", "");
        folder.assert_problems(&["symbol data"], false);
    }
}

#[test]
fn a_weak_symbol_may_be_undefined() {
    let folder = Folder::new();
    folder.program("__attribute__((weak)) int nowhere(void); int main(void) { return nowhere ? 1 : 0; }", "");
    folder.assert_problems(&[], true);
}

#[test]
fn symbols_are_found_in_any_mapped_object() {
    let folder = Folder::new();
    folder.library("liby", "int b(void); int a(void) { return b(); }", "", "");
    let exported = "int a(void); int b(void) { return 2; } int main(int argc, char **argv) { return argc > 1 ? a() : 0; }";
    folder.program(exported, "-ly -Wl,-z,lazy -rdynamic");
    folder.assert_problems(&[], true);
    let own = exported.replace("int b(void) {", "static int b(void) {");
    folder.program(&own, "-ly -Wl,-z,lazy -rdynamic -Wl,--allow-shlib-undefined");
    let problems = folder.assert_problems(&["symbol b"], true);
    assert!(problems[0].object.as_bytes().ends_with(b"liby.so"));
}

#[test]
fn the_old_hash_table_works() {
    let folder = Folder::new();
    folder.library("libx", DEFINES_A_AND_B, V1_V2, "-Wl,--hash-style=sysv");
    folder.program(CALLS_A_AND_B, "-lx -Wl,-z,lazy");
    folder.assert_problems(&[], true);
    folder.library("libx", DEFINES_A, "V1 { global: a; local: *; }; V2 { } V1;", "-Wl,--hash-style=sysv");
    folder.assert_problems(&["symbol b"], true);
}

#[test]
fn relr_relocations_need_the_marker_version() {
    let folder = Folder::new();
    folder.program("void *p = &p; int main(void) { return 0; }", "-Wl,-z,pack-relative-relocs");
    folder.assert_problems(&[], true);
    // Another name for the marker, as if the linker had not known of it.
    let bytes = std::fs::read(folder.path("main")).unwrap();
    let at = bytes.windows(18).position(|bytes| bytes == b"GLIBC_ABI_DT_RELR\0").unwrap();
    let mut bytes = bytes;
    bytes[at..at + 18].copy_from_slice(b"GLIBC_ABI_DT_XXXX\0");
    std::fs::write(folder.path("main"), bytes).unwrap();
    let (_, problems) = problems(&folder.path("main")).unwrap();
    assert!(has_errors(&problems) && our_messages(&problems).contains("relr"), "{problems:?}");
    assert!(!Command::new(folder.path("main")).output().unwrap().status.success());
}
