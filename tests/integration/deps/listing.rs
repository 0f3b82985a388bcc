//! The listing of objects: a tree, their sizes, their symbols.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::deps::test_programs::{cc, deps, project};

#[test]
fn prints_each_object_once() {
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
fn escapes_control_characters() {
    let project = project();
    fs::copy(project.path().join("main"), project.path().join("a\x1b[2Jb")).unwrap();
    let (_, stdout, stderr) = deps(project.path(), &["a\x1b[2Jb", "no\x1b[2Jne", "--why", "liba.so"]);
    assert!(!stdout.contains('\x1b') && !stderr.contains('\x1b'), "{stdout}{stderr}");
    let (_, stdout, _) = deps(project.path(), &["a\x1b[2Jb"]);
    assert!(stdout.starts_with("a\\u{1b}[2Jb  "), "{stdout}");
}

#[test]
fn prints_sizes_as_in_the_image() {
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
fn checks_symbols_on_request() {
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
