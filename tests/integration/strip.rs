//! Stripped copies of real programs start, print the same, and keep sections of other tools.

use std::fs;
use std::path::Path;
use std::process::Command;

use coracle_core::content::Content;
use coracle_ld::elf::{self, StripResult};

fn strip(from: &Path, to: &Path) -> u64 {
    let content = Content::from_bytes(fs::read(from).unwrap());
    let StripResult::Smaller(stripped) = elf::strip(&content).unwrap() else {
        panic!("an unstripped program")
    };
    let bytes = stripped.open().unwrap().read_bytes_at(0, usize::MAX).unwrap();
    assert_eq!(bytes.len() as u64, stripped.size());
    // A file that this process has open for writing can't be executed, and a child that another test starts in that
    // moment has it open as well: so another process writes the program.
    let draft = to.with_extension("draft");
    fs::write(&draft, &bytes).unwrap();
    run("install", &["-m", "755", draft.to_str().unwrap(), to.to_str().unwrap()]);
    let again = elf::strip(&Content::from_bytes(bytes)).unwrap();
    assert!(matches!(again, StripResult::Unchanged), "there is nothing left to strip: {again:?}");
    stripped.size()
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_stripped_program_runs_and_is_as_small_as_with_strip() {
    let directory = tempfile::tempdir().unwrap();
    let (ours, theirs) = (directory.path().join("ours"), directory.path().join("theirs"));
    let program = std::env::current_exe().unwrap();
    let size = strip(&program, &ours);
    let list = run(ours.to_str().unwrap(), &["--list"]);
    assert!(list.contains("a_stripped_program_runs"), "{list}");
    run("strip", &["-s", "-o", theirs.to_str().unwrap(), program.to_str().unwrap()]);
    let reference = fs::metadata(&theirs).unwrap().len();
    assert!(size <= reference + reference / 100, "{size} bytes, strip -s makes {reference}");
}

#[test]
fn keeps_sections_of_other_tools() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("hello.c"), "#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }\n")
        .unwrap();
    fs::write(path("audit"), "dependencies").unwrap();
    for flags in [&["-g"][..], &["-g", "-static"], &["-g", "-static-pie"], &["-g", "-no-pie"]] {
        run("cc", &[&["-o", &path("plain"), &path("hello.c")], flags].concat());
        let add = format!(".dep-v0={}", path("audit"));
        run("objcopy", &["--add-section", &add, &path("plain"), &path("hello")]);
        strip(Path::new(&path("hello")), Path::new(&path("stripped")));
        assert_eq!(run(&path("stripped"), &[]), "hello\n", "{flags:?}");
        let sections = run("readelf", &["-SW", &path("stripped")]);
        assert!(sections.contains(".dep-v0") && sections.contains(".comment"), "{flags:?}\n{sections}");
        assert!(!sections.contains(".debug_") && !sections.contains(".symtab"), "{flags:?}\n{sections}");
        let dumped = run("readelf", &["-p", ".dep-v0", &path("stripped")]);
        assert!(dumped.contains("dependencies"), "{dumped}");
    }
}

/// The number of bytes of `program` that are in no section, or `None` if it can be stripped.
fn payload(program: Vec<u8>) -> Option<u64> {
    match elf::strip(&Content::from_bytes(program)).unwrap() {
        StripResult::HasPayload(size) => Some(size),
        _ => None,
    }
}

#[test]
fn nothing_is_removed_from_a_program_with_bytes_that_no_section_contains() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("hello.c"), "int main(void) { return 0; }\n").unwrap();
    run("cc", &["-g", "-o", &path("hello"), &path("hello.c")]);
    let program = fs::read(path("hello")).unwrap();
    assert_eq!(payload(program.clone()), None);
    assert_eq!(payload([program.as_slice(), b"PAYLOAD!"].concat()), Some(8));
    assert_eq!(payload([program.as_slice(), &[0; 15]].concat()), None, "padding");
    assert_eq!(payload([program.as_slice(), &[0; 5000]].concat()), Some(5000));
    // The table of section headers behind the payload, as linkers write it behind the sections.
    let field = |at: usize, size: usize| {
        program[at..at + size].iter().rev().fold(0, |value, byte| value << 8 | usize::from(*byte))
    };
    let (table, size) = (field(40, 8), field(58, 2) * field(60, 2));
    let mut moved = [&program[..table], b"payload in between", &program[table..table + size]].concat();
    moved[40..48].copy_from_slice(&(table as u64 + 18).to_le_bytes());
    assert!(payload(moved).is_some_and(|size| size >= 18), "with the padding before it");
    run("strip", &["-s", &path("hello")]);
    let stripped = [fs::read(path("hello")).unwrap(), b"PAYLOAD!".to_vec()].concat();
    assert!(!matches!(elf::strip(&Content::from_bytes(stripped)).unwrap(), StripResult::Smaller(_)));
}
