//! Other loaders, other machines, and every program of this one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use coracle_testing::skipped;

use crate::symbols::folder::{BOTH, CALLS, Folder, ONE, V1, V1_V2};
use crate::symbols::messages::{loaders, ours, problems, problems_in, stops, word_of};

#[test]
fn musl_binds_everything_at_the_start_and_knows_no_versions() {
    let folder = Folder::new();
    folder.write("x.c", BOTH).write("main.c", CALLS);
    if !folder.run("musl-gcc -shared -fPIC -Wl,-soname,libx.so x.c -o libx.so") {
        return;
    }
    folder.run("musl-gcc main.c -L. -lx -Wl,-z,lazy -Wl,-rpath,$ORIGIN -o main");
    let says = |expected: &[&str], starts: bool| {
        let (_, problems) = problems(&folder.path("main")).unwrap();
        let output = Command::new(folder.path("main")).env_clear().output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        let expected: BTreeSet<String> = expected.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(ours(&problems), expected);
        assert_eq!(text.lines().filter_map(word_of).collect::<BTreeSet<_>>(), expected);
        assert_eq!((output.status.success(), !stops(&problems)), (starts, starts));
    };
    says(&[], true);
    folder.write("x.c", ONE);
    folder.run("musl-gcc -shared -fPIC -Wl,-soname,libx.so x.c -o libx.so");
    says(&["symbol b"], false);
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
        let found = || ours(&problems_in(&folder.path(""), Path::new("/main")).expect(triple).1);
        let expect =
            |words: &[&str]| -> BTreeSet<String> { words.iter().map(|word| (*word).into()).collect() };
        build(BOTH, V1_V2);
        folder.write("main.c", CALLS);
        folder.run(&format!("{triple}-gcc main.c -Llib -lx -Wl,-rpath,/lib -o main"));
        assert_eq!(found(), expect(&[]), "{triple}");
        build(ONE, "V1 { global: a; local: *; }; V2 { } V1;");
        assert_eq!(found(), expect(&["symbol b"]), "{triple}");
        build(BOTH, V1);
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
        let (ours, loaders) = (ours(&problems), loaders(&interpreter, &program));
        compared += 1;
        if ours != loaders {
            different.push(format!("{}\n  ours   {ours:?}\n  loader {loaders:?}", program.display()));
        }
    }
    #[allow(clippy::print_stderr, reason = "the harness shows it if the test fails")]
    {
        eprintln!("{compared} programs compared");
    }
    assert!(different.is_empty(), "{} of {compared} differ:\n{}", different.len(), different.join("\n"));
    assert!(compared > 50, "only {compared} programs to compare with: is this a Linux with glibc?");
}
