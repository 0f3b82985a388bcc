//! musl's loader, programs for other machines, and all programs of this machine.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use coracle_testing::skipped;

use crate::symbols::folder::{CALLS_A_AND_B, DEFINES_A, DEFINES_A_AND_B, Folder, V1, V1_V2};
use crate::symbols::messages::{
    has_errors, loader_messages, our_messages, parse_loader_message, problems, problems_in,
};

#[test]
fn musl_binds_everything_at_the_start_and_knows_no_versions() {
    let folder = Folder::new();
    folder.write("x.c", DEFINES_A_AND_B).write("main.c", CALLS_A_AND_B);
    if !folder.run("musl-gcc -shared -fPIC -Wl,-soname,libx.so x.c -o libx.so") {
        return;
    }
    folder.run("musl-gcc main.c -L. -lx -Wl,-z,lazy -Wl,-rpath,$ORIGIN -o main");
    let assert_problems = |expected: &[&str], starts: bool| {
        let (_, problems) = problems(&folder.path("main")).unwrap();
        let output = Command::new(folder.path("main")).env_clear().output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        let expected: BTreeSet<String> = expected.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(our_messages(&problems), expected);
        assert_eq!(text.lines().filter_map(parse_loader_message).collect::<BTreeSet<_>>(), expected);
        assert_eq!((output.status.success(), !has_errors(&problems)), (starts, starts));
    };
    assert_problems(&[], true);
    folder.write("x.c", DEFINES_A);
    folder.run("musl-gcc -shared -fPIC -Wl,-soname,libx.so x.c -o libx.so");
    assert_problems(&["symbol b"], false);
}

#[test]
fn programs_for_other_machines_are_checked_without_running_them() {
    for triple in [
        "aarch64-linux-gnu",
        "arm-linux-gnueabihf",
        "i686-linux-gnu",
        "powerpc64le-linux-gnu",
        "riscv64-linux-gnu",
        "s390x-linux-gnu",
    ] {
        if !Path::new(&format!("/usr/bin/{triple}-gcc")).exists() {
            skipped(&format!("`{triple}-gcc` is not installed"));
            continue;
        }
        let folder = Folder::new();
        let (lib, link) = (folder.path("lib"), folder.path("lib64"));
        std::fs::create_dir(&lib).unwrap();
        std::os::unix::fs::symlink("lib", link).unwrap();
        for entry in std::fs::read_dir(format!("/usr/{triple}/lib")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if name == "libc.so.6" || name.starts_with("ld") && name.contains(".so.") {
                std::fs::copy(&path, lib.join(name)).unwrap();
            }
        }
        let build = |source: &str, script: &str| {
            folder.write("x.c", source).write("x.map", script);
            let to = "-Wl,-soname,libx.so -Wl,--version-script=x.map x.c -o lib/libx.so";
            folder.run(&format!("{triple}-gcc -shared -fPIC {to}"));
        };
        let found = || our_messages(&problems_in(&folder.path(""), Path::new("/main")).expect(triple).1);
        let expect =
            |words: &[&str]| -> BTreeSet<String> { words.iter().map(|word| (*word).into()).collect() };
        build(DEFINES_A_AND_B, V1_V2);
        folder.write("main.c", CALLS_A_AND_B);
        folder.run(&format!("{triple}-gcc main.c -Llib -lx -Wl,-rpath,/lib -o main"));
        assert_eq!(found(), expect(&[]), "{triple}");
        build(DEFINES_A, "V1 { global: a; local: *; }; V2 { } V1;");
        assert_eq!(found(), expect(&["symbol b"]), "{triple}");
        build(DEFINES_A_AND_B, V1);
        assert_eq!(found(), expect(&["version V2", "symbol b"]), "{triple}");
    }
}

fn programs() -> Vec<PathBuf> {
    let directories = ["/usr/bin", "/usr/sbin"];
    let entries = directories.iter().flat_map(|directory| std::fs::read_dir(directory).unwrap());
    let mut programs: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    programs.retain(|path| path.is_file() && !path.is_symlink());
    programs.sort();
    programs
}

#[test]
fn programs_of_this_machine_have_the_problems_that_its_loader_sees() {
    let (mut compared, mut different) = (0, Vec::new());
    for program in programs() {
        let Some((interpreter, problems)) = problems(&program) else { continue };
        if interpreter.contains("ld-musl") {
            continue;
        }
        let (our_messages, loader_messages) =
            (our_messages(&problems), loader_messages(&interpreter, &program));
        compared += 1;
        if our_messages != loader_messages {
            different.push(format!(
                "{}\n  our_messages   {our_messages:?}\n  loader {loader_messages:?}",
                program.display()
            ));
        }
    }
    #[allow(clippy::print_stderr, reason = "the harness shows it if the test fails")]
    {
        eprintln!("{compared} programs compared");
    }
    assert!(different.is_empty(), "{} of {compared} differ:\n{}", different.len(), different.join("\n"));
    assert!(compared > 50, "only {compared} programs to compare with: is this a Linux with glibc?");
}
