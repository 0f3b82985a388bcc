//! Programs with libraries for both glibc and musl: behaviour of the loaders, and our problems.

use coracle_ld::closure::{Problem, Severity, check_c_libraries};

use crate::rules::case::Case;
use crate::rules::elf::{library, linked, musl_program, program};

fn problems(case: Case) -> Vec<(Severity, String)> {
    let mut problems = Vec::new();
    case.inspect_map("/app", |map| problems = check_c_libraries(map).unwrap());
    problems.into_iter().map(|Problem { severity, message, .. }| (severity, message)).collect()
}

#[test]
fn a_library_for_musl_is_an_error_with_glibc() {
    for libc in ["libc.musl-x86_64.so.1", "libc.so"] {
        let case = || {
            Case::glibc()
                .elf("/app", &program().needed("libb.so").runpath("/r"))
                .elf("/r/libb.so", &library().needed(libc))
        };
        let message = format!(
            "`/r/libb.so` was linked against musl (it needs `{libc}`), but the program's loader is glibc's"
        );
        // It lists what it finds, or does not.
        let absent = case().maps("/app", &["/r/libb.so", &format!("{libc} => not found")]);
        let found = format!("/usr/lib/{libc}");
        let there = case().elf(&found, &library()).maps("/app", &["/r/libb.so", &found]);
        for case in [absent, there] {
            for problem in problems(case) {
                assert_eq!(problem, (Severity::Error, message.clone()));
            }
        }
    }
}

#[test]
fn a_library_for_glibc_is_a_warning_with_musl() {
    let source = "#include <stdio.h>\nint say(void) { return puts(\"hello\"); }\n";
    let Some(built) = linked(source, &[]) else { return };
    let case = Case::musl()
        .elf("/app", &musl_program().needed("libg.so").runpath("/r"))
        .file("/r/libg.so", built)
        .maps("/app", &["/r/libg.so", "/lib/ld-musl-x86_64.so.1"])
        // musl has every symbol that this one needs.
        .starts("/app");
    for (severity, message) in problems(case) {
        assert_eq!(severity, Severity::Warning);
        assert_eq!(
            message,
            "`/r/libg.so` was linked against glibc (it needs the version `GLIBC_2.2.5`), but the program's loader is musl's"
        );
    }
}

#[test]
fn libraries_of_one_kind_are_fine() {
    let case = Case::glibc()
        .elf("/app", &program().needed("libb.so").needed("libc.so.6").runpath("/r"))
        .elf("/r/libb.so", &library().needed("libc.so.6").needed("ld-linux-x86-64.so.2"))
        .elf("/r/libc.so.6", &library());
    assert_eq!(problems(case), []);
    let case = Case::musl()
        .elf("/app", &musl_program().needed("libb.so").needed("libc.so").runpath("/r"))
        .elf("/r/libb.so", &library().needed("libc.musl-x86_64.so.1"));
    assert_eq!(problems(case), []);
}
