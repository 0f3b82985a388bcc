//! Paths of the workspace, and of what cargo built for the running test.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The workspace's root directory.
pub fn workspace_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().and_then(Path::parent).unwrap()
}

/// The directory of the running test's profile, such as `target/debug`.
fn profile_directory() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    // Tests are in `deps`.
    test.parent().and_then(Path::parent).unwrap().to_owned()
}

/// A program of the package under test, such as `coracle`. Cargo builds it for integration tests.
pub fn program(name: &str) -> PathBuf {
    let path = profile_directory().join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(path.exists(), "no {}: run `cargo build`", path.display());
    path
}

/// An example of the package `coracle`, built if it is out of date.
pub fn built_example(name: &str) -> PathBuf {
    build(&["--example", name]).join("examples").join(name)
}

/// The program of another package of the workspace, built if it is out of date. It has the name of
/// the package.
pub fn built_package(name: &str) -> PathBuf {
    build(&["--package", name]).join(name)
}

/// Builds with the running test's profile, and returns the profile's directory.
fn build(arguments: &[&str]) -> PathBuf {
    let directory = profile_directory();
    let profile = match directory.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        profile => profile,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--offline", "--profile", profile]).args(arguments).arg("--target-dir");
    let status = build.arg(directory.parent().unwrap()).current_dir(workspace_root()).status().unwrap();
    assert!(status.success(), "cannot build {arguments:?}");
    directory
}

/// A directory below `target` that outlives the test: `CARGO_TARGET_TMPDIR` of integration tests.
pub fn temporary_directory() -> PathBuf {
    let path = profile_directory().parent().unwrap().join("tmp");
    std::fs::create_dir_all(&path).unwrap();
    path
}
