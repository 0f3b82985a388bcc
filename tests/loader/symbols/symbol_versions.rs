//! Symbol versions that a library lacks.

use std::process::Command;

use coracle_core::path::RawPath;

use crate::symbols::folder::{CALLS_A_AND_B, DEFINES_A, DEFINES_A_AND_B, Folder, V1, V1_V2};
use crate::symbols::messages::{has_errors, our_messages, problems};

#[test]
fn a_valid_program_has_no_problem() {
    let folder = Folder::new();
    folder.library("libx", DEFINES_A_AND_B, V1_V2, "");
    folder.program(CALLS_A_AND_B, "-lx");
    folder.assert_problems(&[], true);
}

#[test]
fn a_missing_version_stops_the_program() {
    let folder = Folder::new();
    folder.library("libx", DEFINES_A_AND_B, V1_V2, "");
    folder.program(CALLS_A_AND_B, "-lx -Wl,-z,lazy");
    folder.library("libx", DEFINES_A_AND_B, V1, "");
    let problems = folder.assert_problems(&["version V2", "symbol b"], false);
    assert_eq!(problems[0].object, RawPath::new(folder.path("main").to_str().unwrap()));
    assert!(problems[0].message.contains("libx.so`, needed by `"), "{}", problems[0].message);
}

#[test]
fn a_weak_version_may_be_missing() {
    let folder = Folder::new();
    folder.library("libx", DEFINES_A_AND_B, V1_V2, "");
    let weak = "int a(void); __attribute__((weak)) int b(void); \
                int main(int argc, char **argv) { return argc > 1 ? a() + (b ? b() : 0) : 0; }";
    folder.program(weak, "-lx");
    folder.library("libx", DEFINES_A, "V1 { global: a; local: *; };", "");
    folder.assert_problems(&["version V2"], false);
    // Older linkers don't say that a version is weak: its record starts with the hash of `V2`, then flags.
    let bytes = std::fs::read(folder.path("main")).unwrap();
    let at = bytes.windows(6).position(|bytes| bytes == [0x92, 0x05, 0, 0, 0, 0]).unwrap();
    let mut bytes = bytes;
    bytes[at + 4] = 2;
    std::fs::write(folder.path("main"), bytes).unwrap();
    folder.assert_problems(&["version V2"], true);
}

#[test]
fn a_library_without_versions_is_a_warning() {
    let folder = Folder::new();
    folder.library("libx", DEFINES_A_AND_B, V1_V2, "");
    folder.program(CALLS_A_AND_B, "-lx");
    // It needs a version of libc, so it has a table of versions all the same.
    let source = format!("#include <stdlib.h>\n{DEFINES_A_AND_B} void *c(void) {{ return malloc(1); }}");
    folder.library("libx", &source, "", "");
    folder.assert_problems(&["unversioned"], true);
}

#[test]
fn a_library_without_version_tables_fails_an_assertion() {
    let folder = Folder::new();
    folder.library("libx", DEFINES_A_AND_B, V1_V2, "");
    folder.program(CALLS_A_AND_B, "-lx -Wl,-z,now");
    folder.library("libx", DEFINES_A_AND_B, "", "-nostdlib");
    folder.assert_problems(&["unversioned", "assertion"], false);
}

#[test]
fn references_without_a_version_take_the_base_or_the_only_default() {
    // Linked against a library without versions, then given one with some.
    for (source, script, expected, starts) in [
        (DEFINES_A_AND_B, V1_V2, &[][..], true),
        (
            "int a(void) { return 1; } int b1(void) { return 2; } __asm__(\".symver b1,b@V1\");",
            "V1 { global: a; b; local: *; };",
            &[][..],
            true,
        ),
        (
            "int a(void) { return 1; } int b3(void) { return 2; } __asm__(\".symver b3,b@V3\");",
            "V1 { global: a; local: *; }; V2 { } V1; V3 { global: b; } V2;",
            &["symbol b"][..],
            false,
        ),
        (
            "int a(void) { return 1; } int b3(void) { return 2; } __asm__(\".symver b3,b@@V3\");",
            "V1 { global: a; local: *; }; V2 { } V1; V3 { global: b; } V2;",
            &[][..],
            true,
        ),
    ] {
        let folder = Folder::new();
        folder.library("libx", DEFINES_A_AND_B, "", "");
        folder.program(CALLS_A_AND_B, "-lx -Wl,-z,now");
        folder.library("libx", source, script, "");
        folder.assert_problems(expected, starts);
    }
}

#[test]
fn a_provider_with_another_name_counts_as_for_the_loader() {
    let folder = Folder::new();
    folder.library("libx", DEFINES_A_AND_B, V1, "");
    folder.library("liby", "int a(void); int c(void) { return a(); }", "", "-Wl,--no-as-needed -L. -lx");
    folder.program(CALLS_A_AND_B, "-lx -Wl,-z,lazy");
    // The program needs liby, which brings libx in; its versions still name libx.
    if !folder.run("patchelf --remove-needed libx.so --add-needed liby.so main") {
        return;
    }
    folder.run("patchelf --set-rpath $ORIGIN liby.so");
    folder.assert_problems(&[], true);
    // Now nothing does.
    folder.library("liby", "int c(void) { return 0; }", "", "");
    let (_, problems) = problems(&folder.path("main")).unwrap();
    assert!(has_errors(&problems) && our_messages(&problems).contains("version V1"), "{problems:?}");
    assert!(!Command::new(folder.path("main")).output().unwrap().status.success());
}
