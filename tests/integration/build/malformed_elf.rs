//! Files that lie: cut short, or with other bytes at the places where headers stand. Whatever they
//! say, a run ends by itself, with 0 or 1, and says what is wrong.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Output;

use coracle_testing::{coracle_in, listing};

use crate::build::project::Project;

/// Bytes of an ELF64 header and of one program header.
const HEADER: usize = 64;
const SEGMENT: usize = 56;

/// Runs a dry run of `bytes` as a program in each of some directories, two at a time.
fn survives(names: &[&str], cases: &[(String, Vec<u8>)]) {
    std::thread::scope(|scope| {
        for (lane, half) in cases.chunks(cases.len().div_ceil(2)).enumerate() {
            scope.spawn(move || {
                let project = Project::new();
                let path = format!("program-{lane}");
                for (what, bytes) in half {
                    project.file(&path, bytes);
                    let before = listing(project.folder());
                    let output = coracle_in(project.folder(), ["build", "--dry-run", "--quiet", &path]);
                    assert_sound(what, names, &output.command().output().unwrap());
                    assert_eq!(listing(project.folder()), before, "{what}");
                }
            });
        }
    });
}

/// Done, or one error that names the file.
fn assert_sound(what: &str, names: &[&str], output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), None, "{what}: {said}");
    match output.status.code() {
        Some(0) => {}
        Some(1) => {
            assert!(said.starts_with("error: ") && said.matches("error: ").count() == 1, "{what}: {said}");
            assert!(names.iter().any(|name| said.contains(name)), "{what}: {said}");
            assert!(output.stdout.is_empty(), "{what}");
        }
        code => panic!("{what}: {code:?}: {said}"),
    }
}

/// A small program that has everything that a loader looks at.
fn dynamic() -> Vec<u8> {
    std::fs::read(Project::hello(&["-pie"]).path("hello")).unwrap()
}

#[test]
fn handles_truncated_files() {
    let whole = dynamic();
    let headers = (0..HEADER + 13 * SEGMENT).step_by(23);
    let cut = headers
        .chain((0..whole.len()).step_by(397))
        .map(|size| (format!("cut after {size} bytes"), whole[..size].to_vec()));
    survives(&["program-"], &cut.collect::<Vec<_>>());
}

#[test]
fn handles_corrupt_headers() {
    let whole = dynamic();
    let segments = usize::from(u16::from_le_bytes([whole[56], whole[57]]));
    let flipped = (0..HEADER + segments * SEGMENT).filter(|at| at % 2 == 0 || *at < HEADER).map(|at| {
        let mut bytes = whole.clone();
        let value = [0xff, 0x00, 0x7f, 0x80][at % 4];
        bytes[at] = if bytes[at] == value { !value } else { value };
        (format!("byte {at} is {:#x}", bytes[at]), bytes)
    });
    survives(&["program-"], &flipped.collect::<Vec<_>>());
}

#[test]
fn handles_corrupt_dynamic_sections() {
    let whole = dynamic();
    let segments = whole[HEADER..].chunks(SEGMENT);
    let segment = segments.into_iter().find(|segment| segment[..4] == 2_u32.to_le_bytes()).unwrap();
    let number =
        |at: usize| usize::try_from(u64::from_le_bytes(segment[at..at + 8].try_into().unwrap())).unwrap();
    let (start, size) = (number(8), number(32));
    let flipped = (start..start + size).filter(|at| at % 8 < 2 || at % 8 == 7).map(|at| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        (format!("byte {at} flipped"), bytes)
    });
    survives(&["program-"], &flipped.collect::<Vec<_>>());
}

#[test]
fn handles_a_truncated_interpreter() {
    let project = Project::hello(&["-Wl,--dynamic-linker=./loader"]);
    let loader = std::fs::read(Path::new("/lib64/ld-linux-x86-64.so.2"));
    let Ok(loader) = loader else { return coracle_testing::skipped("this system has no x86-64 loader") };
    let program = std::fs::read(project.path("hello")).unwrap();
    let place = project.path("loader").display().to_string();
    // The interpreter's name has room for a whole path when it is written behind the program.
    project.program("hello", crate::build::project::HELLO, &[&format!("-Wl,--dynamic-linker={place}")]);
    assert!(!program.is_empty());
    for size in [0, 4, 63, 64, 200, 4096, loader.len() / 2, loader.len() - 1] {
        project.file("loader", &loader[..size]);
        let run = coracle_in(project.folder(), ["build", "--dry-run", "--quiet", "hello"]);
        assert_sound(&format!("loader of {size} bytes"), &["loader"], &run.command().output().unwrap());
    }
}

#[test]
fn huge_sizes_take_no_memory() {
    let mut bytes = dynamic();
    // Every program header is as large as can be said.
    bytes[56..58].copy_from_slice(&u16::MAX.to_le_bytes());
    for segment in bytes[HEADER..].chunks_mut(SEGMENT).take(13) {
        segment[32..48].fill(0xff);
    }
    survives(&["program-"], &[("huge".into(), bytes)]);
}

#[test]
fn handles_names_that_are_not_utf8() {
    use std::os::unix::ffi::OsStrExt;
    let project = Project::hello(&["-static"]);
    let name = std::ffi::OsStr::from_bytes(b"\xff\x1b[2J");
    std::fs::rename(project.path("hello"), project.folder().join(name)).unwrap();
    project
        .coracle(["build", "--quiet"])
        .command()
        .arg(name)
        .output()
        .map(|output| {
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1));
            assert!(!said.contains('\x1b'), "{said:?}");
            assert!(said.contains("to the image's config: it is not UTF-8"), "{said}");
            assert_eq!(listing(project.folder()).len(), 1);
        })
        .unwrap();
}
