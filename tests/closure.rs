//! The closure of every program in `/usr/bin` and `/usr/sbin`, compared with what the real loader says: the same
//! objects, in the same order, spelled the same way.

#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use coracle::closure::{Closure, Kind, LinkMap, Surroundings};
use coracle::path::Spelled;
use coracle::tree::HostTree;

/// Paths as our resolver spells them; the loader where an object needs it.
fn ours(objects: &LinkMap) -> Vec<String> {
    let mapped = objects.objects.iter().enumerate().skip(1).filter(|(index, _)| objects.is_needed(*index));
    mapped.map(|(_, object)| object.spelled.to_string()).collect()
}

/// Paths as the loader prints them when it is asked to list instead of to start. Nothing for a file that it refuses.
fn loaders(interpreter: &str, program: &Path) -> Option<Vec<String>> {
    let mut trace = Command::new(interpreter);
    let output = trace.arg(program).env_clear().env("LD_TRACE_LOADED_OBJECTS", "1").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    if !output.status.success() || text.contains("not found") {
        return None;
    }
    let paths = text.lines().filter(|line| !line.contains("linux-vdso")).map(|line| {
        let line = line.trim();
        let path = line.split_once(" => ").map_or(line, |(_, path)| path);
        path.split(" (0x").next().unwrap().to_owned()
    });
    Some(paths.filter(|path| path.starts_with('/')).collect())
}

fn programs() -> Vec<PathBuf> {
    let directories = ["/usr/bin", "/usr/sbin"];
    let entries = directories.iter().flat_map(|directory| std::fs::read_dir(directory).unwrap());
    let mut programs: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    // `ld.so PROGRAM` takes `$ORIGIN` from the path as it was given, the kernel from where it leads.
    programs.retain(|path| path.is_file() && !path.is_symlink());
    programs.sort();
    programs
}

#[test]
fn programs_of_this_machine_have_the_closure_that_its_loader_maps() {
    let tree = HostTree::new("/");
    let around = Surroundings::default();
    let (mut compared, mut different) = (0, Vec::new());
    for program in programs() {
        let Ok(closure) = Closure::resolve(&tree, &Spelled::new(program.to_str().unwrap()), &around) else {
            continue;
        };
        let Kind::Elf(elf) = &closure.executed[0].kind else { continue };
        let Some(interpreter) = elf.objects.objects[0].object.interpreter.as_ref() else { continue };
        let Some(expected) = loaders(&interpreter.to_string(), &program) else { continue };
        compared += 1;
        let found = ours(&elf.objects);
        if found != expected {
            different.push(format!("{}\n  ours   {found:?}\n  loader {expected:?}", program.display()));
        }
    }
    assert!(different.is_empty(), "{} of {compared} differ:\n{}", different.len(), different.join("\n"));
    assert!(compared > 50, "only {compared} programs to compare with: is this a Linux with glibc?");
}
