//! Libraries that require an ISA level. Source: `dl_isa_level_check`, `sysdeps/x86/dl-prop.h`.

use coracle_ld::closure::{Problem, Severity, check_isa_level};

use crate::rules::case::Case;
use crate::rules::elf::{Elf, library, linked, program};

/// Returns a case with this `libb.so`, and a `libc.so` for every CPU.
fn with(libb: &Elf) -> Case {
    Case::glibc()
        .elf("/app", &program().needed("libb.so").needed("libc.so").runpath("/r"))
        .elf("/r/libb.so", libb)
        .elf("/r/libc.so", &library().isa_needed(1))
}

/// Returns the problems of `/app`.
fn problems(case: Case) -> Vec<Problem> {
    let mut problems = Vec::new();
    case.inspect_map("/app", |map| problems = check_isa_level(map).unwrap());
    problems
}

#[test]
fn a_library_for_some_cpus_is_a_warning() {
    for (bits, level) in [(2, "x86-64-v2"), (3, "x86-64-v2"), (7, "x86-64-v3"), (8, "x86-64-v4")] {
        let case = with(&library().isa_needed(bits));
        for problem in problems(case) {
            assert_eq!(problem.severity, Severity::Warning);
            assert_eq!(problem.message, format!("`/r/libb.so` needs a CPU of {level}"));
        }
    }
}

#[test]
fn a_library_for_every_cpu_is_no_warning() {
    for libb in [library(), library().isa_needed(0), library().isa_needed(1)] {
        assert_eq!(problems(with(&libb).maps("/app", &["/r/libb.so", "/r/libc.so"])), []);
    }
}

#[test]
fn the_loader_ends_where_the_cpu_is_none_of_them() {
    let no_cpu_has = 1 << 20;
    let case = with(&library().isa_needed(no_cpu_has));
    let case = case.does_not_start("/app", "CPU ISA level is lower than required");
    for problem in problems(case) {
        assert_eq!(problem.message, "`/r/libb.so` needs a CPU of a level above x86-64-v4");
    }
}

#[test]
fn linkers_write_the_same_property() {
    let source = "int answer(void) { return 42; }";
    let Some(built) = linked(source, &["-nostdlib", "-Wl,-z,x86-64-v3"]) else { return };
    for problem in problems(with(&library()).file("/r/libb.so", built)) {
        assert_eq!(problem.message, "`/r/libb.so` needs a CPU of x86-64-v3");
    }
}

#[test]
fn several_objects_are_one_warning() {
    let case = with(&library().isa_needed(7)).elf("/r/libc.so", &library().isa_needed(4));
    for problem in problems(case.elf("/app", &program().needed("libb.so").needed("libc.so").runpath("/r"))) {
        assert_eq!(problem.message, "`/r/libb.so` needs a CPU of x86-64-v3, and so does one more object");
    }
}

#[test]
fn hwcaps_variants_are_no_warning() {
    let case = with(&library()).elf("/r/glibc-hwcaps/x86-64-v2/libb.so", &library().isa_needed(3));
    assert_eq!(problems(case.maps("/app", &["/r/glibc-hwcaps/x86-64-v2/libb.so", "/r/libc.so"])), []);
}
