//! Static or dynamic: what is asked of programs, and the advice where nothing is.

use std::fs;
use std::process::Command;

use coracle_testing::skipped;
use snapbox::str;

use crate::build::project::Project;

/// `hello`, as rustc links it with these flags.
fn rust(flags: &[&str]) -> Project {
    let project = Project::new();
    add_rust(&project, "hello", HELLO, flags);
    project
}

const HELLO: &str = r#"fn main() { println!("hello") }"#;
const OPENS: &str = r#"
unsafe extern "C" { fn dlopen(name: *const i8, flags: i32) -> *const u8; }
fn main() { println!("{:?}", unsafe { dlopen(c"libx.so".as_ptr(), 1) }) }
"#;

fn add_rust(project: &Project, name: &str, source: &str, flags: &[&str]) {
    project.file("hello.rs", source);
    let mut rustc = Command::new("rustc");
    rustc.args(["-Copt-level=1", "-Cstrip=symbols", "--edition=2024", "-o", name, "hello.rs"]).args(flags);
    assert!(rustc.current_dir(project.folder()).status().unwrap().success());
    fs::remove_file(project.path("hello.rs")).unwrap();
}

#[test]
fn advises_static_linking_of_rust_programs() {
    rust(&[]).coracle(["build", "hello"]).ends(
        0,
        str!["hello:latest@sha256:[..]\n"],
        str![[r#"
hint: `hello` needs nothing but the C library, [..] % of the image; rustc's `--target x86_64-unknown-linux-musl` makes it one file, `--linkage dynamic` disables this hint
...
"#]],
    );
}

#[test]
fn gives_no_advice_if_linkage_is_set() {
    let project = rust(&[]);
    project.file("coracle.toml", "[image]\nprograms = [\"hello\"]\nlinkage = \"dynamic\"\n");
    project.coracle(["build", "--quiet"]).ends(0, str!["hello:latest@sha256:[..]\n"], str![""]);
    project.coracle(["build", "--linkage", "static"]).ends(
        1,
        str![""],
        str![[r#"
error: `[FOLDER]/hello` is linked dynamically, but `linkage` requires the opposite

hint: rustc's `--target x86_64-unknown-linux-musl` links it statically; `--linkage auto` allows both

"#]],
    );
}

#[test]
fn rejects_a_static_program_if_dynamic_is_required() {
    let project = rust(&["-Ctarget-feature=+crt-static"]);
    project.coracle(["build", "hello", "--linkage", "static", "--quiet"]).ends(
        0,
        str!["hello:latest@sha256:[..]\n"],
        str![""],
    );
    project.coracle(["build", "hello", "--linkage", "dynamic"]).ends(
        1,
        str![""],
        str![[r#"
error: `[FOLDER]/hello` is linked statically, but `linkage` requires the opposite

hint: rustc's `--target x86_64-unknown-linux-gnu` links it dynamically; `--linkage auto` allows both

"#]],
    );
    project.program("c", "int main(void) { return 0; }", &["-static"]);
    project.coracle(["build", "c", "--linkage", "dynamic"]).ends(
        1,
        str![""],
        str![[r#"
error: `[FOLDER]/c` is linked statically, but `linkage` requires the opposite

hint: leaving out the linker's `-static` links it dynamically; `--linkage auto` allows both

"#]],
    );
    project.coracle(["build", "c", "--linkage", "half"]).ends(
        2,
        str![""],
        str![[r#"
error: `--linkage`: `half` is none of `auto`, `static` and `dynamic`

hint: `static` and `dynamic` reject programs that are linked otherwise, `auto` allows both

"#]],
    );
}

/// The C library is there for the one, so the other may use it.
#[test]
fn notes_a_static_program_next_to_a_dynamic_one() {
    let project = rust(&["-Ctarget-feature=+crt-static"]);
    project.program("c", "int main(void) { return 0; }", &[]);
    project.coracle(["build", "c", "hello"]).ends(0, str!["c:latest@sha256:[..]\n"], str![[r#"
hint: `hello` contains a C library, but the image has one for `c` as well; rustc's `--target x86_64-unknown-linux-gnu` makes it use that one
...
"#]]);
}

/// Programs that could not be static, and those whose compiler is not known.
#[test]
fn gives_no_advice_if_static_linking_is_impossible() {
    let project = Project::hello(&[]);
    project.library("libx.so", "answer", "42", &["-Wl,-soname,libx.so"]);
    add_rust(&project, "linked", HELLO, &["-Clink-arg=-Wl,--no-as-needed,-rpath,$ORIGIN,libx.so"]);
    add_rust(&project, "opens", OPENS, &[]);
    project.script("script", "#!/bin/sh\n");
    for programs in [&["hello"][..], &["linked"], &["opens"], &["script"], &["hello", "linked"]] {
        let output = project.coracle(["build", "--dry-run"]).command().args(programs).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && !said.contains("--linkage"), "{programs:?}: {said}");
    }
}

#[test]
fn advises_go_programs_to_disable_cgo() {
    if Command::new("go").arg("version").output().is_err() {
        return skipped("go is not there: `apt install golang-go`");
    }
    let project = Project::new();
    project.file(
        "main.go",
        "package main\nimport \"net\"\nfunc main() { println(net.LookupHost(\"localhost\")) }\n",
    );
    let go = |cgo: &str, name: &str| {
        let mut go = Command::new("go");
        go.args(["build", "-ldflags=-s", "-o", name, "main.go"]).current_dir(project.folder());
        go.env("GOCACHE", project.path("cache")).env("GO111MODULE", "off").env("CGO_ENABLED", cgo);
        assert!(go.status().unwrap().success());
    };
    go("1", "dynamic");
    project.coracle(["build", "dynamic"]).ends(0, str!["dynamic:latest@sha256:[..]\n"], str![[r#"
hint: `dynamic` needs nothing but the C library, [..] % of the image; Go's `CGO_ENABLED=0` makes it one file, `--linkage dynamic` disables this hint
...
"#]]);
    project.file(
        "main.go",
        "package main\n// static int one(void) { return 1; }\nimport \"C\"\nfunc main() { println(C.one()) }\n",
    );
    go("1", "own");
    let said = project.coracle(["build", "own", "--dry-run"]).command().output().unwrap().stderr;
    assert!(!String::from_utf8_lossy(&said).contains("--linkage"));
    project.coracle(["build", "own", "--linkage", "static"]).ends(
        1,
        str![""],
        str![[r#"
error: `[FOLDER]/own` is linked dynamically, but `linkage` requires the opposite

hint: Go's `-ldflags '-linkmode external -extldflags -static'` links it statically; `--linkage auto` allows both

"#]],
    );
    project.file("main.go", "package main\nfunc main() { println(\"hello\") }\n");
    go("0", "static");
    project.coracle(["build", "static", "--linkage", "dynamic"]).ends(
        1,
        str![""],
        str![[r#"
error: `[FOLDER]/static` is linked statically, but `linkage` requires the opposite

hint: Go's `CGO_ENABLED=1`, where a package uses cgo, links it dynamically; `--linkage auto` allows both

"#]],
    );
}
