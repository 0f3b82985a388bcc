//! Roots and sysroots: where files and their libraries are taken from.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::deps::test_programs::{deps, for_another_machine, project, root};

#[test]
fn selects_the_root_by_the_files_platform() {
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
    assert_eq!(
        (code, first),
        (4, "error: cannot use `/usr/bin/main`: it is for linux/amd64, not for linux/s390x")
    );
    let (code, _, stderr) = deps(at, &["main", "--root", "amd64", "--sysroot", "arm64"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("it cannot be combined with `--root`"), "{stderr}");
}

#[test]
fn a_sysroot_has_the_libraries_and_the_host_the_program() {
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
    let expected = "error: cannot use the root `nowhere`: No such file or directory (os error 2)";
    assert_eq!((code, first), (1, expected));
}

#[test]
fn searches_directories_of_ld_so_conf_in_a_sysroot() {
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
    let first = "hint: `libb.so` is in `/opt/b`, which `/etc/ld.so.conf.d/b.conf` lists, but not in the loader's \
                 cache, which `ldconfig` writes\n";
    let expected = format!(
        "{first}hint: run `ldconfig`; in a root file system of another machine, whose libraries `ldconfig` skips, pass \
         `--library-path /opt/b`\nhint: `--why libb.so` shows which paths were searched\n"
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
fn reads_nothing_outside_a_root() {
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
