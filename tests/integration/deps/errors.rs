//! Errors: missing files, unreadable files, invalid arguments.

use std::fs;
use std::process::Command;

use coracle_testing::SyntheticElf;
use serde_json::{Value, json};

use crate::deps::test_programs::{cc, deps, project};

#[test]
fn rejects_an_unknown_hwcaps_level() {
    let project = project();
    let (code, stdout, stderr) = deps(project.path(), &["main", "--hwcaps", "x86-64-v9"]);
    let expected = "error: cannot read the loader `/lib64/ld-linux-x86-64.so.2` of `[AT]/main`: it does not support the \
                    CPU level `x86-64-v9`; supported: `x86-64-v4`, `x86-64-v3`, `x86-64-v2`\n\n\
                    hint: name a CPU level that the loader supports, or `none` for the baseline\n";
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (2, "", expected));
    // Those of another machine bound nothing here.
    for level in ["x86-64-v2", "none", "power10"] {
        let (code, _, stderr) = deps(project.path(), &["main", "--hwcaps", level]);
        assert_eq!((code, stderr.as_str()), (0, ""));
    }
}

#[test]
fn reports_missing_libraries_and_the_rest() {
    let project = project();
    fs::write(project.path().join("lib/libb.so"), "not a library, but a linker's script\n").unwrap();
    fs::write(project.path().join("script"), "#!/nowhere/sh\n").unwrap();
    let (code, stdout, _) =
        deps(project.path(), &["--format", "jsonl", "main", "script", "a.c", "lib/liba.so"]);
    let lines: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((code, lines.len()), (4, 4));
    assert_eq!(lines[0]["missing"], json!(["libb.so"]));
    assert_eq!(lines[0]["problems"][0]["kind"], json!("refused"));
    assert!(
        lines[0]["problems"][0]["message"].as_str().unwrap().ends_with("/libb.so: it is not an ELF file")
    );
    assert_eq!(lines[1]["missing"], json!(["/nowhere/sh"]));
    assert_eq!(
        lines[1]["error"],
        json!("cannot find the interpreter `/nowhere/sh` of the script `[AT]/script`: there is no such file")
    );
    assert_eq!(lines[2]["error"], json!("cannot use `[AT]/a.c` as a program: it is not an ELF file"));
    assert_eq!(deps(project.path(), &["script"]).0, 4, "the script could be read");
    assert_eq!(lines[3]["interpreter"], json!(null));
    assert_eq!(lines[3]["missing"], json!(["libb.so"]));
}

#[test]
fn fails_if_no_file_is_readable() {
    let project = project();
    let (code, stdout, stderr) = deps(project.path(), &["a.c"]);
    let expected = "error: cannot use `[AT]/a.c` as a program: it is not an ELF file\n\n\
                    hint: a program is an ELF file or starts with `#!`; if this is a script, write `#!/bin/sh` or the like as its \
                    first line\n";
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (1, "", expected));
}

#[test]
fn distinguishes_a_missing_root_from_a_missing_file() {
    let project = project();
    for (root, expected) in [
        ("nowhere", "error: cannot use the root `nowhere`: No such file or directory (os error 2)"),
        ("main.c", "error: cannot use `main.c` as a root: it is not a directory"),
        ("main.c/x", "error: cannot use the root `main.c/x`: Not a directory (os error 20)"),
    ] {
        let (code, _, stderr) = deps(project.path(), &["--root", root, "/usr/bin/main"]);
        assert_eq!((code, stderr.lines().next()), (1, Some(expected)));
    }
    let (code, _, stderr) = deps(project.path(), &[""]);
    assert!(code != 0 && !stderr.contains("stdout"), "{stderr}");
}

#[test]
fn ignores_loader_variables_of_the_environment() {
    let project = project();
    cc(project.path(), &["-o", "plain", "main.c", "lib/liba.so", "lib/libb.so"]);
    let libs = |arguments: &[&str]| {
        let (_, stdout, _) = deps(project.path(), &[&["--format", "json", "plain"], arguments].concat());
        serde_json::from_str::<Value>(&stdout).unwrap()["libs"].clone()
    };
    assert!(!libs(&[]).to_string().contains("liba.so"));
    let directory = format!("/nowhere:{}/lib", project.path().display());
    assert!(libs(&["--library-path", &directory]).to_string().contains("[AT]/lib/liba.so"));
    let preload = format!("{}/lib/libb.so", project.path().display());
    assert_eq!(libs(&["--preload", &preload])[0], json!("[AT]/lib/libb.so"));
}

#[test]
fn names_and_directories_of_66_kilobytes_are_printed() {
    let project = project();
    let long = |c: &str| -> &'static str { format!("/{}", c.repeat(66_000)).leak() };
    let (needed, runpath) = (long("n"), long("r"));
    let program = SyntheticElf {
        interpreter: Some("/lib64/ld-linux-x86-64.so.2"),
        needed: vec![needed, "missing.so"],
        runpath: Some(runpath),
        ..SyntheticElf::default()
    };
    fs::write(project.path().join("long"), program.bytes()).unwrap();
    for arguments in [&["long"][..], &["long", "--why", "missing.so"], &["long", "--why", needed]] {
        let (code, stdout, stderr) = deps(project.path(), arguments);
        assert!((0..=4).contains(&code) && !stderr.contains("panicked"), "{code} {stderr}");
        assert!(stdout.contains(&needed[1..]) || stdout.contains(runpath), "{stderr}");
    }
    let build = Command::new(env!("CARGO_BIN_EXE_coracle"))
        .args(["build", "long", "--no-cache"])
        .current_dir(project.path())
        .output()
        .unwrap();
    let stderr = String::from_utf8(build.stderr).unwrap();
    assert_eq!(build.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("searched, in order:") && stderr.contains(runpath), "{stderr}");
}
