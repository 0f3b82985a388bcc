//! Inputs of an image may change until cargo has ended: the image contains the last state.

use std::fs;

use snapbox::str;

use crate::cargo::fake_cargo::{self, built, compiled, run};
use crate::cargo::project::Project;

/// A crate whose program `app` cargo reports, before it does something with it; `target/new` is another one.
fn app_that_then(then: &str) -> Project {
    let project = Project::app("");
    compiled(&project, "cc", &["-static"], "target/release/app").unwrap();
    let other = [fs::read(project.path("target/release/app")).unwrap(), b"another".into()].concat();
    project.file("target/new", other);
    project.file("target/app", built(&project, "app", "target/release/app"));
    fake_cargo::cargo(&project, &format!("cat target/app\n{then}"));
    project
}

/// Waits until the image is packed.
const PACKED: &str = "while ! ls target/coracle/.coracle-*/????????????????????????????????????????????????????????????????; do sleep 0.05; done >/dev/null 2>&1";
/// Puts the other program there.
const REWRITE: &str = "cat target/new >target/release/app";

/// A shared library that answers with `value`.
fn library(project: &Project, file: &str, value: &str) {
    project.file("target/plug.c", format!("int answer(void) {{ return {value}; }}\n")).file(file, "");
    let mut cc = std::process::Command::new("cc");
    cc.args(["-s", "-shared", "-fPIC", "-Wl,-soname,libplug.so", "-o"]).arg(project.path(file));
    assert!(cc.arg(project.path("target/plug.c")).status().unwrap().success());
}

/// The program in the image is the one that is there.
#[track_caller]
fn holds_what_is_there(project: &Project) {
    let unpacked = project.layout("app").unpack();
    let [image, there] = [unpacked.path().join("app/app"), project.path("target/release/app")].map(fs::read);
    assert!(image.unwrap() == there.unwrap());
    let left = coracle_testing::listing(&project.path("target/coracle")).into_keys();
    assert_eq!(left.filter(|path| path.to_string_lossy().contains(".coracle-")).count(), 0);
}

#[test]
fn packs_the_final_version_of_a_program() {
    for then in [
        REWRITE,
        "rm target/release/app\ncp target/new target/release/app",
        "mv target/new target/release/app",
    ] {
        let project = app_that_then(&format!("{PACKED}\n{then}"));
        run(&project, ["build", "-q"]).ends(0, str!["app:latest@sha256:[..]\n"], str![]);
        holds_what_is_there(&project);
    }
}

#[test]
fn fails_if_a_program_is_removed_before_cargo_ends() {
    let project = app_that_then(&format!("{PACKED}\nrm target/release/app"));
    run(&project, ["build", "-q"]).ends(
        1,
        str![],
        str![[r#"
error: cannot use `[FOLDER]/target/release/app` as a program: there is no such file

hint: check the path, and build the program first

"#]],
    );
    assert!(!project.path("target/coracle").exists());
}

#[test]
fn a_program_may_be_incomplete_when_reported() {
    let project = app_that_then(&format!("sleep 0.5\n{REWRITE}"));
    project.file("target/release/app", "");
    run(&project, ["build", "-q"]).ends(0, str!["app:latest@sha256:[..]\n"], str![]);
    holds_what_is_there(&project);
}

#[test]
fn rebuilds_an_image_whose_program_changes_after_the_check() {
    let project = app_that_then("");
    run(&project, ["build", "-q"]).ends(0, str!["app:latest@sha256:[..]\n"], str![]);
    fake_cargo::cargo(&project, &format!("cat target/app\nsleep 0.5\n{REWRITE}"));
    run(&project, ["build", "-q"]).ends(0, str!["app:latest@sha256:[..]\n"], str![]);
    holds_what_is_there(&project);
}

#[test]
fn uses_the_final_version_of_templates_and_libraries() {
    let project = app_that_then("");
    library(&project, "target/release/libplug.so", "1");
    compiled(
        &project,
        "cc",
        &[
            "-Wl,--no-as-needed,-rpath,$ORIGIN",
            &project.path("target/release/libplug.so").display().to_string(),
        ],
        "target/release/app",
    )
    .unwrap();
    project.file("conf/app.toml.j2", "a = {{ old }}\n").file("target/new.j2", "a = {{ new }}\n");
    library(&project, "target/new.so", "2");
    let args = ["build", "-q", "--config", "conf:/etc/app", "--set", "old=1", "--set", "new=2"];
    for change in ["cat target/new.j2 >conf/app.toml.j2", "cat target/new.so >target/release/libplug.so"] {
        fake_cargo::cargo(&project, &format!("cat target/app\nsleep 0.7\n{change}"));
        let early = run(&project, args).command().output().unwrap();
        fake_cargo::cargo(&project, "cat target/app");
        let fresh = run(&project, args).command().arg("--no-cache").output().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&early.stdout),
            String::from_utf8_lossy(&fresh.stdout),
            "{change}: {}",
            String::from_utf8_lossy(&early.stderr)
        );
        assert!(early.status.success() && fresh.status.success());
    }
}
