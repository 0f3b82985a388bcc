//! What is missing, can not be read, or is asked for wrongly.

use std::fs;

use serde_json::{Value, json};

use crate::project::{cc, deps, project};

#[test]
fn a_level_that_the_loader_does_not_know_is_wrong_usage() {
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
fn when_no_file_can_be_read_it_fails() {
    let project = project();
    let (code, stdout, stderr) = deps(project.path(), &["a.c"]);
    let expected = "error: cannot use `[AT]/a.c` as a program: it is not an ELF file\n\n\
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
        (1, Some("error: cannot use `nowhere` as a root: it is not a directory"))
    );
    let (code, _, stderr) = deps(project.path(), &[""]);
    assert!(code != 0 && !stderr.contains("stdout"), "{stderr}");
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
