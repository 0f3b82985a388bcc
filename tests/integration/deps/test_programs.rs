//! Programs made for these tests, and `coracle deps` run on them.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// `main` needs `liba.so` and `libb.so` of its own `lib`, and `liba.so` needs `libb.so`.
pub(crate) fn project() -> TempDir {
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

pub(crate) fn cc(at: &Path, arguments: &[&str]) {
    assert!(Command::new("cc").args(arguments).current_dir(at).status().unwrap().success());
}

/// Exit code, stdout and stderr, with the project's path replaced.
pub(crate) fn deps(at: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_coracle"))
        .arg("deps")
        .args(arguments)
        .current_dir(at)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap().replace(at.to_str().unwrap(), "[AT]");
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// The output of `--why` without sizes, which depend on the compiler.
pub(crate) fn why(at: &Path, arguments: &[&str]) -> (i32, String, String) {
    let (code, stdout, stderr) = deps(at, arguments);
    let lines = stdout.lines().map(|line| match line.split_once("  ") {
        Some((path, sizes)) if !path.is_empty() && sizes.ends_with(" compressed") => path,
        _ => line,
    });
    (code, lines.map(|line| format!("{line}\n")).collect(), stderr)
}

/// `file` for another machine: `e_machine` of aarch64.
pub(crate) fn for_another_machine(file: &Path) -> Vec<u8> {
    let mut bytes = fs::read(file).unwrap();
    bytes[18] = 183;
    bytes
}

/// A root with `main` in `/usr/bin`, its loader, and in `/usr/lib` the libraries that are named.
pub(crate) fn root(at: &Path, name: &str, libraries: &[&Path]) {
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
