//! A new crate with nothing configured.

use std::path::Path;
use std::process::Command;

use snapbox::str;

use crate::cargo::project::Project;

#[test]
fn a_new_crate_needs_no_configuration() {
    let project = Project::empty();
    let own = Path::new(env!("CARGO_BIN_EXE_cargo-coracle")).parent().unwrap();
    let cargo = |folder: &str, args: &[&str]| {
        let surroundings = project.surroundings();
        let path = surroundings.iter().find(|(name, _)| *name == "PATH").unwrap();
        let mut cargo = Command::new("cargo");
        cargo.args(args).current_dir(project.path(folder)).env_clear().envs(surroundings.iter().cloned());
        cargo.env("PATH", format!("{}:{}", own.display(), path.1)).output().unwrap()
    };
    assert!(cargo("", &["new", "app"]).status.success());
    let output = cargo("app", &["coracle", "build", "--quiet"]);
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.starts_with("app:latest@sha256:"), "{printed}");
    let layout = crate::build::layout::Layout::open(project.path("app/target/coracle/app.oci"));
    assert_eq!(layout.names(), ["latest docker.io/library/app:latest"]);
    assert_eq!(layout.config()["config"]["Entrypoint"][0], "/app/app");
    if let Some(printed) = layout.run() {
        assert_eq!(printed, "Hello, world!\n");
    }
}

#[test]
fn an_unchanged_crate_is_unchanged() {
    let project = Project::app("");
    // Of a program that was linked this very moment no record is kept, so the first build may leave none.
    let builds = [(); 3].map(|()| project.cargo(["build"]).command().output().unwrap());
    let said = builds.each_ref().map(|output| String::from_utf8_lossy(&output.stderr));
    assert!(builds.iter().all(|output| output.status.success()), "{said:?}");
    assert!(builds.iter().all(|output| output.stdout == builds[0].stdout));
    let [first, _, last] = &said;
    assert!(first.contains("\n  written to oci:target/coracle/app.oci\n"), "{first}");
    assert!(last.contains("\n  unchanged in oci:target/coracle/app.oci\n"), "{last}");
}

#[test]
fn profiles_and_targets_share_the_image_directory() {
    let project = Project::app("[profile.fast]\ninherits = \"dev\"\n");
    let host = Command::new("rustc").arg("-vV").output().unwrap().stdout;
    let host = String::from_utf8(host).unwrap();
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let entrypoint = |args: &[&str], built: &str| {
        let _ = std::fs::remove_dir_all(project.path("target/coracle"));
        project.built(args);
        assert!(project.path(built).exists(), "{built}");
        assert_eq!(project.layout("app").config()["config"]["Entrypoint"][0], "/app/app");
    };
    entrypoint(&["--debug"], "target/debug/app");
    entrypoint(&["--profile", "fast"], "target/fast/app");
    entrypoint(&["--target", host, "--debug"], &format!("target/{host}/debug/app"));
    project.file(".cargo/config.toml", format!("build.target = \"{host}\"\n"));
    entrypoint(&["--debug"], &format!("target/{host}/debug/app"));
}

#[test]
fn an_example_is_an_image() {
    let project = Project::empty();
    project.file("Cargo.toml", "[package]\nname = \"lib\"\nedition = \"2024\"\n");
    project.file("src/lib.rs", "").file("examples/tour.rs", crate::cargo::project::MAIN);
    project.cargo(["build", "--example", "tour", "--debug", "--strip"]).ends(
        0,
        str![[r#"
tour:latest@sha256:[..]

"#]],
        str![[r#"
   Compiling lib v0.0.0 ([FOLDER])
    Finished `dev` profile [unoptimized + debuginfo] target(s) in [..]
hint: `tour` needs nothing but the C library, [..]
hint: scanners do not see the crates of `/app/tour`: `cargo auditable build` adds a list of them, as does `cargo coracle build --auditable`
tour:latest  linux/amd64  [..]
  libraries  [..]
  program  [..]
  inventory  [..]
  written to oci:target/coracle/tour.oci

"#]],
    );
}

#[test]
fn passes_verbosity_to_cargo() {
    let project = Project::app("");
    let flags = ["build", "-v", "--debug", "--keep-going", "--ignore-rust-version", "--timings"];
    let output = project.cargo(flags).command().output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("Running `"), "{said}");
    assert!(project.path("target/cargo-timings").exists());
}

#[test]
fn help_lists_exactly_the_supported_flags_of_cargo() {
    let project = Project::empty();
    let help = project.cargo(["build", "--help"]).command().output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for flag in [
        "Usage: cargo coracle build [OPTIONS] [-- <ARG>...]",
        "\nCargo:\n",
        "--target <TRIPLE>",
        "target/coracle",
    ] {
        assert!(help.contains(flag), "{flag}: {help}");
    }
    for flag in ["--file", "--root", "[PROGRAM]", "--all-targets", "--message-format"] {
        assert!(!help.contains(flag), "{flag}: {help}");
    }
}

#[test]
fn reports_a_missing_coracle_program() {
    let project = Project::empty();
    coracle_testing::write_executable(
        &project.path("cargo-coracle"),
        std::fs::read(env!("CARGO_BIN_EXE_cargo-coracle")).unwrap(),
    );
    project.cargo(["build"]).through(project.path("cargo-coracle"), |_| false).ends(
        1,
        str![],
        str![[r#"
error: cannot run `[FOLDER]/coracle`: No such file or directory (os error 2)

hint: install `coracle` and `cargo-coracle` in the same directory, as `cargo install` does

"#]],
    );
}

#[test]
fn passes_other_commands_to_coracle() {
    let project = Project::app("");
    project.built(&[]);
    project.cargo(["deps", "--format", "paths", "target/release/app"]).ends(
        0,
        str![[r#"
...
[..]libc.so.6
...
"#]],
        str![],
    );
    project.cargo(["config", "--help"]).ends(
        0,
        str![[r#"
...
Usage: cargo coracle config [OPTIONS] <COMMAND>
...
"#]],
        str![],
    );
}
