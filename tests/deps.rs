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

/// What `--why` says, sizes left out: they are the compiler's.
fn why(at: &Path, arguments: &[&str]) -> (i32, String, String) {
    let (code, stdout, stderr) = deps(at, arguments);
    let lines = stdout.lines().map(|line| match line.split_once("  ") {
        Some((path, sizes)) if !path.is_empty() && sizes.ends_with(" compressed") => path,
        _ => line,
    });
    (code, lines.map(|line| format!("{line}\n")).collect(), stderr)
}

#[test]
fn every_chain_is_shown_with_the_rule_behind_it() {
    let project = project();
    let expected = "\
[AT]/lib/libb.so
  found: RPATH of [AT]/main
  [AT]/main
    needs libb.so: [AT]/lib/libb.so, RPATH of [AT]/main
  [AT]/main
    needs liba.so: [AT]/lib/liba.so, RPATH of [AT]/main
    needs libb.so: [AT]/lib/libb.so, mapped already
";
    let path = format!("{}/lib/libb.so", project.path().display());
    for name in ["libb.so", &path] {
        let seen = why(project.path(), &["main", "--why", name]);
        assert_eq!(seen, (0, expected.into(), String::new()));
    }
    let (_, stdout, _) = why(project.path(), &["main", "--why", "ld-linux-x86-64.so.2"]);
    assert!(stdout.contains("\n  found: the loader of [AT]/main\n"), "{stdout}");
}

#[test]
fn who_asks_for_what_is_not_there_hears_what_is() {
    let project = project();
    for (wanted, hint) in
        [("libb", "did you mean `libb.so`"), ("zzz", "without `--why`, everything that is mapped is shown")]
    {
        let (code, stdout, stderr) = deps(project.path(), &["main", "--why", wanted]);
        let error = format!("error: nothing that is mapped is called `{wanted}`\n\nhint: {hint}");
        assert_eq!((code, stdout.as_str()), (1, ""));
        assert!(stderr.starts_with(&error), "{stderr}");
    }
    // Of several files, some may have it.
    let (code, stdout, stderr) =
        deps(project.path(), &["/bin/true", "main", "--why", "libb.so", "--format", "jsonl"]);
    let lines: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert_eq!((&lines[0]["file"], &lines[0]["why"]), (&json!("/bin/true"), &json!([])));
    let why = &lines[1]["why"][0];
    assert_eq!(why["path"], "[AT]/lib/libb.so");
    assert_eq!(
        why["chains"][1][1],
        json!({
            "path": "[AT]/lib/liba.so", "name": "liba.so", "rule": "RPATH of [AT]/main",
        })
    );
    assert_eq!(
        (&why["chains"][1][2]["rule"], &why["more_chains"]),
        (&json!("mapped already"), &json!(false))
    );
    assert!(why["compressed"].as_u64().unwrap() < why["size"].as_u64().unwrap());
    let (code, _, stderr) = deps(project.path(), &["main", "--why", "libb.so", "--format", "paths"]);
    assert_eq!((code, stderr.lines().next()), (2, Some("error: `--why` can't be told as paths")));
}

/// `file` for another machine: `e_machine` of aarch64.
fn for_another_machine(file: &Path) -> Vec<u8> {
    let mut bytes = fs::read(file).unwrap();
    bytes[18] = 183;
    bytes
}

#[test]
fn where_else_was_looked_and_what_was_passed_over() {
    let project = project();
    let at = project.path();
    fs::create_dir(at.join("other")).unwrap();
    fs::write(at.join("other/libb.so"), for_another_machine(&at.join("lib/libb.so"))).unwrap();
    cc(
        at,
        &[
            "-o",
            "looks",
            "main.c",
            "lib/liba.so",
            "lib/libb.so",
            "-Wl,-rpath,/nowhere:$ORIGIN/other:$ORIGIN/lib",
        ],
    );
    let expected = "\
[AT]/lib/libb.so
  found: RUNPATH of [AT]/looks
  searched before, in order:
    /nowhere    RUNPATH of [AT]/looks
    [AT]/other  RUNPATH of [AT]/looks
  found but refused:
    [AT]/other/libb.so  machine is aarch64, x86-64 is wanted
  [AT]/looks
    needs libb.so: [AT]/lib/libb.so, RUNPATH of [AT]/looks
";
    let (code, stdout, stderr) = why(at, &["looks", "--why", "libb.so"]);
    // The columns are as wide as the real path.
    let squeezed = |text: &str| {
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert_eq!(squeezed(&stdout)[..8], squeezed(expected)[..8]);
    let (_, stdout, _) = deps(at, &["looks", "--why", "libb.so", "--format", "json"]);
    let value: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        value["why"][0]["searched"][2],
        json!({ "directory": "[AT]/lib", "rule": "RUNPATH of [AT]/looks" })
    );
    assert_eq!(value["why"][0]["refused"][0]["path"], "[AT]/other/libb.so");

    fs::remove_file(at.join("lib/libb.so")).unwrap();
    let (code, stdout, _) = why(at, &["looks", "--why", "libb.so"]);
    let lines = squeezed(&stdout);
    assert_eq!((code, lines[0].as_str(), lines[1].as_str()), (4, "libb.so not found", "searched, in order:"));
    let chain = ["[AT]/looks", "needs libb.so", "libb.so not found"];
    assert!(lines.windows(3).any(|lines| lines == chain), "both who need it are listed: {stdout}");
}

#[test]
fn a_library_that_brings_in_others_says_what_they_cost() {
    let project = project();
    let at = project.path();
    fs::write(at.join("only.c"), "int a(void);\nint main(void) { return a(); }\n").unwrap();
    cc(
        at,
        &[
            "-o",
            "only",
            "only.c",
            "lib/liba.so",
            "-Wl,-rpath-link,lib,--disable-new-dtags,-rpath,$ORIGIN/lib",
        ],
    );
    let (code, stdout, stderr) = deps(at, &["only", "--why", "liba.so"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(stdout.contains("\n  it alone brings in 1 more object: "), "{stdout}");
    let (_, stdout, _) = deps(at, &["only", "--why", "liba.so", "--format", "json"]);
    let value: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(value["why"][0]["alone"]["libs"], json!(["[AT]/lib/libb.so"]));
}

#[test]
fn the_tree_has_each_object_once() {
    let project = project();
    let at = project.path();
    // Two names for one file that needs itself through another, without a soname to be known by.
    cc(at, &["-shared", "-fPIC", "-o", "lib/libx.so", "a.c", "-Llib", "-l:libb.so"]);
    std::os::unix::fs::symlink("libx.so", at.join("lib/liby.so")).unwrap();
    cc(
        at,
        &[
            "-shared",
            "-fPIC",
            "-Wl,-soname,libb.so,--no-as-needed",
            "-o",
            "lib/libb.so",
            "b.c",
            "-Llib",
            "-l:libx.so",
        ],
    );
    let flags = "-Wl,--no-as-needed,--disable-new-dtags,-rpath,$ORIGIN/lib";
    cc(at, &["-o", "twice", "main.c", flags, "-Llib", "-l:libx.so", "-l:liby.so", "-l:libb.so"]);
    let (code, stdout, stderr) = deps(at, &["twice"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let without_size = |line: &str| line.split_once("  ").map_or(line, |(path, _)| path).to_owned();
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(without_size(lines[0]), "twice");
    let tree: Vec<String> = lines[2..6].iter().map(|line| line.replace("  ", " ")).collect();
    assert!(tree[0].starts_with("├── [AT]/lib/libx.so ") && tree[0].ends_with(" kB, RPATH"), "{stdout}");
    assert!(tree[1].starts_with("├── [AT]/lib/liby.so mapped already, RPATH"), "{stdout}");
    assert!(tree[2].starts_with("├── [AT]/lib/libb.so "), "{stdout}");
    assert!(tree[3].starts_with("└── ") && tree[3].contains("/libc.so.6 "), "{stdout}");
    assert!(lines[6].starts_with("5 objects, ") && lines.len() == 7, "{stdout}");
}

#[test]
fn a_name_cannot_write_to_the_terminal() {
    let project = project();
    fs::copy(project.path().join("main"), project.path().join("a\x1b[2Jb")).unwrap();
    let (_, stdout, stderr) = deps(project.path(), &["a\x1b[2Jb", "no\x1b[2Jne", "--why", "liba.so"]);
    assert!(!stdout.contains('\x1b') && !stderr.contains('\x1b'), "{stdout}{stderr}");
    let (_, stdout, _) = deps(project.path(), &["a\x1b[2Jb"]);
    assert!(stdout.starts_with("a\\u{1b}[2Jb  "), "{stdout}");
}

#[test]
fn sizes_are_those_of_the_image() {
    let project = project();
    let at = project.path();
    fs::write(at.join("large.c"), "char large[3000000] = {1};\nint main(void) { return large[1]; }\n")
        .unwrap();
    cc(at, &["-o", "large", "large.c"]);
    let (code, stdout, _) = deps(at, &["large", "--compressed", "--format", "json"]);
    let value: Value = serde_json::from_str(&stdout).unwrap();
    let objects = value["objects"].as_array().unwrap();
    let sum = |key: &str, objects: &[Value]| {
        objects.iter().map(|object| object[key].as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!((code, objects.len(), &objects[0]["path"]), (0, 3, &json!("[AT]/large")));
    assert_eq!(value["size"], sum("size", objects));
    assert_eq!(value["compressed"], sum("compressed", objects));
    let built = Command::new(env!("CARGO_BIN_EXE_coracle"))
        .args(["build", "large", "-o", "oci:out", "--format", "json", "--quiet"])
        .current_dir(at)
        .output()
        .unwrap();
    let built: Value = serde_json::from_slice(&built.stdout).unwrap();
    let layer = |index: usize| built["images"][0]["layers"][index]["size"].as_u64().unwrap();
    // Headers, links and the end of the tar weigh a little; an object by itself can't refer to the one before it.
    for (layer, objects) in [(layer(0), &objects[1..]), (layer(1), &objects[..1])] {
        let own = sum("compressed", objects);
        assert!(own.abs_diff(layer) < 1500 + layer / 50, "{own} bytes, in the layer {layer}");
    }
    let (_, stdout, _) = deps(at, &["large", "--compressed"]);
    assert!(stdout.lines().all(|line| line.contains(" compressed")), "{stdout}");
}

#[test]
fn a_level_that_the_loader_does_not_know_is_wrong_usage() {
    let project = project();
    let (code, stdout, stderr) = deps(project.path(), &["main", "--hwcaps", "x86-64-v9"]);
    let expected = "error: cannot read the loader `/lib64/ld-linux-x86-64.so.2` of `[AT]/main`: it knows no variants for \
                    `x86-64-v9`, but for `x86-64-v4`, `x86-64-v3`, `x86-64-v2`\n\n\
                    hint: name a kind of CPU that the loader knows, or `none` for the base\n";
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (2, "", expected));
    // Those of another machine bound nothing here.
    for level in ["x86-64-v2", "none", "power10"] {
        let (code, _, stderr) = deps(project.path(), &["main", "--hwcaps", level]);
        assert_eq!((code, stderr.as_str()), (0, ""));
    }
}

/// A root with `main` in `/usr/bin`, its loader, and in `/usr/lib` the libraries that are named.
fn root(at: &Path, name: &str, libraries: &[&Path]) {
    let root = at.join(name);
    for directory in ["lib64", "usr/bin", "usr/lib", "etc"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    let loader = fs::canonicalize("/lib64/ld-linux-x86-64.so.2").unwrap();
    fs::copy(&loader, root.join("lib64/ld-linux-x86-64.so.2")).unwrap();
    fs::copy(loader.with_file_name("libc.so.6"), root.join("usr/lib/libc.so.6")).unwrap();
    fs::copy(at.join("main"), root.join("usr/bin/main")).unwrap();
    for library in libraries {
        fs::copy(library, root.join("usr/lib").join(library.file_name().unwrap())).unwrap();
    }
}

#[test]
fn the_platform_of_the_file_chooses_the_root() {
    let project = project();
    let at = project.path();
    let (a, b) = (at.join("lib/liba.so"), at.join("lib/libb.so"));
    root(at, "amd64", &[&a, &b]);
    root(at, "arm64", &[]);
    fs::write(at.join("arm64/usr/bin/main"), for_another_machine(&at.join("main"))).unwrap();
    fs::write(at.join("arm64/usr/bin/tool"), "#!/usr/bin/main\n").unwrap();
    let roots = ["--root", "linux/arm64=arm64", "--root", "linux/amd64=amd64"];
    let (code, stdout, stderr) =
        deps(at, &[&["/usr/bin/main", "--format", "paths"][..], &roots[2..]].concat());
    let paths = "/usr/lib/liba.so\n/usr/lib/libb.so\n/usr/lib/libc.so.6\n/lib64/ld-linux-x86-64.so.2\n";
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, paths, ""));
    // It stands in both; the first in order is the other machine's.
    let (code, stdout, _) = deps(at, &[&["/usr/bin/main", "--format", "json"][..], &roots].concat());
    let value: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, value["problems"][0]["kind"].as_str()), (4, Some("refused")), "{value}");
    // A file of no root, and one that stands only in a root for something else.
    let (code, _, stderr) = deps(at, &[&["/usr/bin/none"][..], &roots].concat());
    let first = stderr.lines().next().unwrap();
    assert_eq!((code, first), (1, "error: cannot use `/usr/bin/none` as a program: there is no such file"));
    let (code, _, stderr) = deps(at, &["/usr/bin/main", "--root", "linux/s390x=amd64"]);
    let first = stderr.lines().next().unwrap();
    assert_eq!((code, first), (4, "error: `/usr/bin/main` is for linux/amd64, not for linux/s390x"));
    let (code, _, stderr) = deps(at, &["main", "--root", "amd64", "--sysroot", "arm64"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("it can't go together with `--root`"), "{stderr}");
}

#[test]
fn with_a_sysroot_the_file_is_the_hosts_and_the_libraries_are_not() {
    let project = project();
    let at = project.path();
    root(at, "sysroot", &[]);
    fs::write(at.join("foreign"), for_another_machine(&at.join("main"))).unwrap();
    let sysroot = ["--sysroot", "linux/amd64=sysroot", "--format", "jsonl"];
    let (code, stdout, _) = deps(at, &[&["main", "/bin/true", "foreign"][..], &sysroot].concat());
    let lines: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(code, 4);
    assert_eq!(
        lines[0]["libs"],
        json!(["[AT]/lib/liba.so", "[AT]/lib/libb.so", "/usr/lib/libc.so.6", "/lib64/ld-linux-x86-64.so.2"])
    );
    assert_eq!(lines[1]["libs"], json!(["/usr/lib/libc.so.6", "/lib64/ld-linux-x86-64.so.2"]));
    // For its platform there is none, so it is the host's.
    assert_eq!(lines[2]["problems"][0]["kind"], json!("refused"));
    let (code, _, stderr) = deps(at, &["main", "--sysroot", "nowhere"]);
    let first = stderr.lines().next().unwrap();
    assert_eq!((code, first), (1, "error: cannot use `nowhere` as a root: it is no directory"));
}

#[test]
fn a_library_that_only_ld_so_conf_knows_of() {
    let project = project();
    let at = project.path();
    root(at, "root", &[&at.join("lib/liba.so")]);
    fs::create_dir_all(at.join("root/opt/b")).unwrap();
    fs::create_dir_all(at.join("root/etc/ld.so.conf.d")).unwrap();
    fs::copy(at.join("lib/libb.so"), at.join("root/opt/b/libb.so")).unwrap();
    fs::write(at.join("root/etc/ld.so.conf"), "/opt/a\ninclude ld.so.conf.d/*.conf\n").unwrap();
    fs::write(at.join("root/etc/ld.so.conf.d/b.conf"), "/opt/b\n").unwrap();
    let (code, stdout, stderr) = deps(at, &["--root", "root", "/usr/bin/main"]);
    assert_eq!(code, 4);
    assert!(stdout.contains("libb.so  not found\n"), "{stdout}");
    let first = "hint: `libb.so` is in `/opt/b`, which `/etc/ld.so.conf.d/b.conf` names; but loaders read only what \
                 `ldconfig` wrote into their cache, and that lacks it\n";
    let expected = format!(
        "{first}hint: run `ldconfig`; for a root of another machine, whose libraries `ldconfig` leaves out, pass \
         `--library-path /opt/b`\nhint: `--why libb.so` shows where was searched for it\n"
    );
    assert_eq!(stderr, expected);
    let (code, stdout, stderr) =
        deps(at, &["--root", "root", "/usr/bin/main", "--library-path", "/opt/b", "--format", "paths"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(stdout.contains("/opt/b/libb.so\n"), "{stdout}");
    // `build` gives the same advice with its error.
    let output = Command::new(env!("CARGO_BIN_EXE_coracle"))
        .args(["build", "--root", "root", "/usr/bin/main", "--dry-run"])
        .current_dir(at)
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && stderr.contains(first), "{stderr}");
    assert!(stderr.contains("pass `--env LD_LIBRARY_PATH=/opt/b`"), "{stderr}");
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
    assert_eq!(lines[1]["missing"], json!(["/nowhere/sh"]));
    assert_eq!(
        lines[1]["error"],
        json!("cannot find the interpreter `/nowhere/sh` of the script `[AT]/script`: there is no such file")
    );
    assert_eq!(lines[2]["error"], json!("cannot use `[AT]/a.c` as a program: it is no ELF file"));
    assert_eq!(deps(project.path(), &["script"]).0, 4, "the script could be read");
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
    assert_eq!(code, 4, "the program could be read");
    assert_eq!(value["missing"], json!(["/lib64/ld-linux-x86-64.so.2"]));
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
