//! Paths of the workspace, and of what cargo built for the running test.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The workspace's root directory.
pub fn workspace_root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).parent().and_then(Path::parent).unwrap()
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

/// An example of the package under test. Cargo builds it before it runs tests.
pub fn built_example(name: &str) -> PathBuf {
    let path = profile_directory().join("examples").join(name);
    assert!(path.exists(), "no {}: run `cargo build --examples`", path.display());
    path
}

/// The program of another package of the workspace, which is named as the package. It is built here.
pub fn built_package(name: &str) -> PathBuf {
    let directory = profile_directory();
    let profile = match directory.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        profile => profile,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--offline", "--package", name, "--profile", profile, "--target-dir"]);
    let status = build.arg(directory.parent().unwrap()).current_dir(workspace_root()).status().unwrap();
    assert!(status.success(), "cannot build the package `{name}`");
    directory.join(name)
}

/// A directory below `target` that outlives the test; integration tests know it as `CARGO_TARGET_TMPDIR`.
pub fn temporary_directory() -> PathBuf {
    let path = profile_directory().parent().unwrap().join("tmp");
    std::fs::create_dir_all(&path).unwrap();
    path
}
