//! `coracle deps` from outside, on programs made for it and in a root of its own.

#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

/// `main` needs `liba.so` and `libb.so` of its own `lib`, and `liba.so` needs `libb.so`.
fn project() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    fs::create_dir(at.join("lib")).unwrap();
    fs::write(at.join("b.c"), "int b(void) { return 1; }\n").unwrap();
    fs::write(at.join("a.c"), "int b(void);\nint a(void) { return b(); }\n").unwrap();
    fs::write(at.join("main.c"), "int a(void);\nint b(void);\nint main(void) { return a() - b(); }\n")
        .unwrap();
    cc(at, &["-shared", "-fPIC", "-Wl,-soname,libb.so", "-o", "lib/libb.so", "b.c"]);
    cc(at, &["-shared", "-fPIC", "-Wl,-soname,liba.so", "-o", "lib/liba.so", "a.c", "lib/libb.so"]);
    cc(
        at,
        &["-o", "main", "main.c", "lib/liba.so", "lib/libb.so", "-Wl,--disable-new-dtags,-rpath,$ORIGIN/lib"],
    );
    directory
}

fn cc(at: &Path, arguments: &[&str]) {
    assert!(Command::new("cc").args(arguments).current_dir(at).status().unwrap().success());
}

/// Exit code, stdout and stderr, with the project's path replaced.
fn deps(at: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_coracle"))
        .arg("deps")
        .args(arguments)
        .current_dir(at)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap().replace(at.to_str().unwrap(), "[AT]");
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn every_chain_is_shown_with_the_rule_behind_it() {
    let project = project();
    let expected = "\
[AT]/main
  needs libb.so: [AT]/lib/libb.so, RPATH of [AT]/main
[AT]/main
  needs liba.so: [AT]/lib/liba.so, RPATH of [AT]/main
  needs libb.so: [AT]/lib/libb.so, mapped already
";
    let seen = deps(project.path(), &["main", "--why", "libb.so"]);
    assert_eq!(seen, (0, expected.into(), String::new()));
    let (code, stdout, _) = deps(project.path(), &["main", "--why", "libz.so"]);
    assert_eq!((code, stdout.as_str()), (0, "nothing needs `libz.so`\n"));
}

#[test]
fn what_is_missing_is_a_finding_and_the_rest_is_complete() {
    let project = project();
    fs::write(project.path().join("lib/libb.so"), "not a library, but a linker's script\n").unwrap();
    fs::write(project.path().join("script"), "#!/nowhere/sh\n").unwrap();
    let (code, stdout, _) =
        deps(project.path(), &["--format", "jsonl", "main", "script", "a.c", "lib/liba.so"]);
    let lines: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((code, lines.len()), (4, 4));
    assert_eq!(lines[0]["missing"], json!(["libb.so"]));
    assert_eq!(lines[0]["problems"][0]["kind"], json!("refused"));
    assert!(lines[0]["problems"][0]["message"].as_str().unwrap().ends_with("/libb.so: it is no ELF file"));
    assert_eq!(
        lines[1]["error"],
        json!("cannot find the interpreter `/nowhere/sh` of the script `[AT]/script`: there is no such file")
    );
    assert_eq!(lines[2]["error"], json!("cannot use `[AT]/a.c` as a program: it is no ELF file"));
    assert_eq!(lines[3]["interpreter"], json!(null));
    assert_eq!(lines[3]["missing"], json!(["libb.so"]));
}

#[test]
fn when_no_file_can_be_read_it_fails() {
    let project = project();
    let (code, stdout, stderr) = deps(project.path(), &["a.c"]);
    let expected = "error: cannot use `[AT]/a.c` as a program: it is no ELF file\n\n\
                    hint: a program is an ELF file or starts with `#!`; if this is a script, write `#!/bin/sh` or the like as its \
                    first line\n";
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (1, "", expected));
}

#[test]
fn a_root_that_is_none_and_a_file_without_a_name_are_told_apart() {
    let project = project();
    let (code, _, stderr) = deps(project.path(), &["--root", "nowhere", "/usr/bin/main"]);
    assert_eq!(
        (code, stderr.lines().next()),
        (1, Some("error: cannot use `nowhere` as a root: it is no directory"))
    );
    let (code, _, stderr) = deps(project.path(), &[""]);
    assert!(code != 0 && !stderr.contains("stdout"), "{stderr}");
}

#[test]
fn nothing_outside_a_root_is_read() {
    let project = project();
    let root = project.path().join("root");
    for directory in ["lib64", "usr/bin", "usr/lib"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    fs::copy(project.path().join("main"), root.join("usr/bin/main")).unwrap();
    let (code, stdout, _) = deps(project.path(), &["--root", "root", "--format", "json", "/usr/bin/main"]);
    let value: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(code, 1);
    assert!(value["error"].as_str().unwrap().contains("cannot find the interpreter `/lib64/"), "{value}");

    let loader = fs::canonicalize("/lib64/ld-linux-x86-64.so.2").unwrap();
    fs::copy(loader, root.join("usr/lib/ld.so")).unwrap();
    std::os::unix::fs::symlink("/usr/lib/ld.so", root.join("lib64/ld-linux-x86-64.so.2")).unwrap();
    fs::copy(project.path().join("lib/liba.so"), root.join("usr/lib/liba.so")).unwrap();
    let (code, stdout, _) = deps(project.path(), &["--root", "root", "--format", "json", "usr/bin/main"]);
    let value: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(code, 4);
    assert_eq!(value["libs"], json!(["/usr/lib/liba.so"]));
    assert_eq!(value["missing"], json!(["libb.so", "libc.so.6"]));
}

#[test]
fn symbols_are_looked_for_when_asked() {
    let project = project();
    fs::write(project.path().join("none.c"), "int nothing;\n").unwrap();
    cc(project.path(), &["-shared", "-fPIC", "-Wl,-soname,libb.so", "-o", "lib/libb.so", "none.c"]);
    let problems = |arguments: &[&str]| {
        let (code, stdout, _) = deps(project.path(), &[&["--format", "json", "main"], arguments].concat());
        (code, serde_json::from_str::<Value>(&stdout).unwrap()["problems"].clone())
    };
    assert_eq!(problems(&[]), (0, json!([])));
    let (code, found) = problems(&["--symbols"]);
    let names: Vec<(&Value, &Value)> =
        found.as_array().unwrap().iter().map(|problem| (&problem["kind"], &problem["name"])).collect();
    assert!(names.contains(&(&json!("symbol"), &json!("b"))), "{found}");
    let stops = found.as_array().unwrap().iter().any(|problem| problem["severity"] == "error");
    assert_eq!(code, if stops { 4 } else { 0 });
}

#[test]
fn the_loader_is_told_by_flags_alone() {
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
