//! `#!`: what the kernel starts for a script, with the kernel as the judge. Source:
//! `fs/binfmt_script.c`.

use coracle_core::path::RawPath;
use coracle_ld::closure::Closure;

use crate::rules::case::Case;
use crate::rules::elf::{library, program};

/// An interpreter that ends at once, and a script that starts so.
fn script(text: &str) -> Case {
    Case::glibc()
        .elf("/bin/i", &program().needed("libb.so").runpath("/r"))
        .elf("/r/libb.so", &library())
        .file("/s", text)
        .mode("/s", 0o755)
}

fn starts(case: Case, executed: &[&str]) {
    case.starts("/s").inspect(|tree, options| {
        let closure = Closure::resolve(tree, &RawPath::new("/s"), options).unwrap();
        let paths: Vec<String> =
            closure.executed.iter().map(|executed| executed.raw_path.to_string()).collect();
        assert_eq!(paths, executed);
        let objects = &closure.elf_programs().last().unwrap().link_map;
        assert_eq!(objects.objects[1].raw_path.to_string(), "/r/libb.so");
    });
}

fn does_not_start(case: Case) {
    case.does_not_start("/s", "").inspect(|tree, options| {
        assert!(Closure::resolve(tree, &RawPath::new("/s"), options).is_err(), "we start it");
    });
}

#[test]
fn the_interpreter_is_the_first_word() {
    for text in ["#!/bin/i", "#!/bin/i\n", "#! \t/bin/i\nx", "#!/bin/i -a b c\n", "#!/bin/i\t-x\n"] {
        starts(script(text), &["/s", "/bin/i"]);
    }
}

#[test]
fn a_carriage_return_is_part_of_the_name() {
    does_not_start(script("#!/bin/i\r\n"));
}

#[test]
fn a_line_that_names_nothing_starts_nothing() {
    for text in ["#!\n", "#!   \n", "#!"] {
        does_not_start(script(text));
    }
}

#[test]
fn a_script_may_be_the_interpreter_of_another() {
    starts(script("#!/t x\n").file("/t", "#!/bin/i\n").mode("/t", 0o755), &["/s", "/t", "/bin/i"]);
}

/// A chain of so many scripts in front of the interpreter.
fn nested(count: usize) -> Case {
    (1..count).fold(script("#!/s1\n"), |case, index| {
        let next = if index + 1 == count { "/bin/i".to_owned() } else { format!("/s{}", index + 1) };
        case.file(&format!("/s{index}"), format!("#!{next}\n")).mode(&format!("/s{index}"), 0o755)
    })
}

#[test]
fn the_kernel_follows_so_many_scripts_and_no_more() {
    starts(nested(5), &["/s", "/s1", "/s2", "/s3", "/s4", "/bin/i"]);
    does_not_start(nested(6));
}

#[test]
fn an_interpreter_that_is_not_there_starts_nothing() {
    does_not_start(script("#!/bin/none\n"));
    does_not_start(script("#!/bin\n"));
}

#[test]
fn a_relative_interpreter_starts_at_the_working_directory() {
    starts(script("#!bin/i\n"), &["/s", "bin/i"]);
}

#[test]
fn an_interpreter_s_name_may_be_as_long_as_the_line_that_is_read() {
    let name = |size: usize| format!("/bin/{}", "i".repeat(size - "#!/bin/".len()));
    starts(script(&format!("#!{}\n", name(255))).link(&name(255), "i"), &["/s", &name(255)]);
    does_not_start(script(&format!("#!{}\n", name(260))).link(&name(250), "i"));
}
