//! Errors of `cargo coracle`, with the complete output.

use snapbox::str;

use crate::cargo::project::Project;

#[test]
fn fails_without_a_cargo_toml() {
    let project = Project::empty();
    project.cargo(["build"]).ends(2, str![], str![[r#"
error: there is no Cargo.toml in `[FOLDER]` or its parent directories

hint: name one with `--manifest-path`, create one with `cargo new app`, or build an image of an existing program: `coracle build ./app`

"#]]);
    project.cargo(["build", "--manifest-path", "x/Cargo.toml"]).ends(2, str![], str![[r#"
error: `--manifest-path`: `x/Cargo.toml` does not exist

hint: name one with `--manifest-path`, create one with `cargo new app`, or build an image of an existing program: `coracle build ./app`

"#]]);
}

#[test]
fn fails_without_a_program() {
    let project = Project::empty();
    project.file("Cargo.toml", "[package]\nname = \"lib\"\nedition = \"2024\"\n").file("src/lib.rs", "");
    project.cargo(["build", "--debug"]).ends(2, str![], str![[r#"
   Compiling lib v0.0.0 ([FOLDER])
    Finished `dev` profile [unoptimized + debuginfo] target(s) in [..]
error: cargo has built no program, so there is no image to build

hint: a package has a program if it has src/main.rs or `[[bin]]`; `--example NAME` selects an example of a library

"#]]);
}

#[test]
fn fails_without_cargo() {
    let project = Project::app("");
    project.cargo(["build"]).env("CARGO", "/nowhere/cargo").ends(
        1,
        str![],
        str![[r#"
error: cannot run `/nowhere/cargo`: No such file or directory (os error 2)

hint: install Rust as described at https://rustup.rs, or name cargo in the environment variable CARGO

"#]],
    );
}

#[test]
fn reports_errors_of_cargo() {
    let project = Project::app("");
    project.file("src/main.rs", "fn main() { nothing }\n");
    project.cargo(["build", "--debug"]).ends(
        1,
        str![],
        str![[r#"
   Compiling app v1.2.3 ([FOLDER])
...
error: could not compile `app` (bin "app") due to 1 previous error
error: cargo could not build the programs; no image was built

"#]],
    );
    project.file("Cargo.toml", "[package\n");
    project.cargo(["build", "--debug"]).ends(
        1,
        str![],
        str![[r#"
error: unclosed table, expected `]`
 --> Cargo.toml:1:9
  |
1 | [package
  |         ^
error: cargo could not build the programs; no image was built

"#]],
    );
}

#[test]
fn does_not_repeat_messages_of_cargo() {
    let project = Project::app("");
    project.cargo(["build", "target/release/app"]).ends(2, str![], str![[r#"
error: `target/release/app`: `cargo coracle build` takes no PROGRAM, because cargo builds the programs

hint: select one with `--bin target/release/app`, or its package with `-p`; for a file, run `coracle build target/release/app`

"#]]);
    project.cargo(["build", "-f", "coracle.toml"]).ends(
        2,
        str![],
        str![[r#"
error: `--file` can't be used under cargo: the settings are in Cargo.toml

hint: move them to `[package.metadata.coracle]`, or build the recipe with `coracle build --file`

"#]],
    );
    project.cargo(["build", "--root", "/"]).ends(
        2,
        str![],
        str![[r#"
error: `--root` can't be used under cargo: the programs that cargo builds are not in another root

hint: use `--sysroot`, which takes the dynamic loader and the libraries from there

"#]],
    );
    project.cargo(["build", "--release", "--debug"]).ends(
        2,
        str![],
        str![[r#"
error: the argument `--release` cannot be used with `--debug`

  usage: cargo coracle build --release [-- <ARG>...]

hint: `cargo coracle build --help` lists all flags, with examples

"#]],
    );
}

#[test]
fn a_program_whose_name_is_none_of_an_image_has_no_name() {
    let project = Project::app("[[bin]]\nname = \"App_\"\npath = \"src/main.rs\"\n");
    project.cargo(["build", "--quiet", "--debug"]).ends(0, str!["sha256:[..]\n"], str![]);
    project.built(&["--debug", "-t", "app"]);
}

#[test]
fn rejects_two_programs_with_the_same_name() {
    let project = Project::app("[[bin]]\nname = \"one\"\npath = \"src/main.rs\"\n");
    project.file("src/bin/One.rs", crate::cargo::project::MAIN);
    project.cargo(["build", "--quiet", "--debug"]).ends(2, str![], str![[r#"
error: two images have the name `one:latest`
  --> `One` of Cargo.toml
  --> `one` of Cargo.toml

hint: build them one at a time with `-p PACKAGE` or `--bin NAME`, name each package or program differently, or put them into one image: `programs` in `[package.metadata.coracle.image]`

"#]]);
}

#[test]
fn does_not_push_a_default_name() {
    let project = Project::app("");
    project.cargo(["build", "--quiet", "--debug", "--push"]).ends(
        2,
        str![],
        str![[r#"
error: `--push`: the image has no name, so its registry is unknown

hint: name it: `--tag REGISTRY/NAME:TAG`, or `name` below `[package.metadata.coracle.image]`

"#]],
    );
}

/// The summary of a job has the reason why there is no image, for every error.
#[test]
fn a_failed_image_has_a_summary() {
    let project = Project::app("");
    let sums_up = |args: &[&str], expected: &str| {
        let mut command = project.cargo(["build", "--debug", "--quiet", "--summary", "s.md"]).command();
        let output = command.args(args).stdin(std::process::Stdio::null()).output().unwrap();
        assert!(!output.status.success(), "{args:?}");
        let summary = std::fs::read_to_string(project.path("s.md")).unwrap_or_default();
        assert!(summary.starts_with("### No image\n") && summary.contains(expected), "{args:?}: {summary}");
        std::fs::remove_file(project.path("s.md")).unwrap();
    };
    sums_up(
        &["./app"],
        "error: `./app`: `cargo coracle build` takes no PROGRAM, because cargo builds the programs",
    );
    sums_up(
        &["--include", "src:/srv", "--dotenv", "src/d.env"],
        "which the image includes: the image would contain",
    );
    project.file("src/main.rs", "fn main() { nothing }\n");
    sums_up(&[], "error: cargo could not build the programs; no image was built");
}

#[test]
fn hints_at_cargo_toml_if_no_configuration_is_named() {
    let project = Project::app("");
    project.cargo(["config", "render"]).ends(
        2,
        str![],
        str![[r#"
error: nothing to render: no configuration is specified

hint: write `[[package.metadata.coracle.config]]` in `Cargo.toml`, or pass `--config FOLDER:/etc/app`

"#]],
    );
    let outside = Project::empty();
    outside.cargo(["config", "render"]).ends(
        2,
        str![],
        str![[r#"
error: nothing to render: no configuration is specified

hint: write `[[config]]` in `coracle.toml`, or pass `--config FOLDER:/etc/app`

"#]],
    );
}

#[test]
fn rejects_flags_of_cargo_that_select_no_program() {
    let project = Project::app("");
    let said = |args: &[&str]| {
        let output = project.cargo([]).command().args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let programs =
        "images contain programs: select them with `--bins`, `--bin NAME`, `--examples` or `--example NAME`";
    for flag in ["--lib", "--tests", "--test", "--benches", "--bench", "--all-targets"] {
        let expected = format!(
            "error: `{flag}` is not supported: it builds no program for an image\n\nhint: {programs}\n"
        );
        assert_eq!(said(&["build", flag]), expected);
        assert_eq!(said(&["manifests", flag]), expected);
    }
    for flag in ["--message-format=json", "--artifact-dir=x", "--unit-graph", "--future-incompat-report"] {
        let said = said(&["build", flag]);
        assert!(
            said.contains("is not supported: it builds no program for an image") && said.contains("hint: "),
            "{said}"
        );
    }
    assert!(!project.path("target").exists());
}

#[test]
fn reports_invalid_settings_before_cargo_runs() {
    let project = Project::app("");
    for config in ["build.jobs=2", "target.x86_64-unknown-linux-gnu.linker=\"/usr/bin/cc\"", "cargo.toml"] {
        for command in ["build", "manifests"] {
            let output = project.cargo([command, "--config", config]).command().output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{config}");
            let said = String::from_utf8(output.stderr).unwrap();
            let expected = format!(
                "error: `--config {config}`: `--config` mounts configuration here; it does not set cargo's settings\n\n\
                 hint: set cargo's settings in `.cargo/config.toml`, or in environment variables such as CARGO_BUILD_JOBS; \
                 `--config FOLDER:/etc/app` mounts a folder\n"
            );
            assert_eq!(said, expected);
        }
    }
    assert!(!project.path("target").exists());
}
