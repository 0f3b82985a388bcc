//! Coracle's own image: made by Coracle, it makes an image in a container.

use std::path::Path;
use std::process::Command;

use coracle_testing::process::stdout_of;
use coracle_testing::requirement;
use coracle_testing::sandbox::Sandbox;

use crate::podman::{self, Podman};

#[test]
fn coracle_builds_in_its_own_image() {
    if !requirement::programs_installed("coracle's own image", podman::NEEDS) {
        return;
    }
    let sandbox = Sandbox::new();
    let podman = Podman::new(&sandbox);
    let archive = sandbox.shared().join("coracle.tar");
    let program = concat!(env!("CARGO_BIN_EXE_coracle"), ":/usr/bin/coracle");
    let mut build = Command::new(env!("CARGO_BIN_EXE_coracle"));
    build.args([
        "build",
        program,
        "--quiet",
        "--no-cache",
        "--strip",
        "--file",
        "release/coracle.toml",
        "--output",
    ]);
    stdout_of(build.arg(format!("oci-archive:{}", archive.display())));
    podman.run(&["load", "--quiet", "--input", archive.to_str().unwrap()]);

    let version = podman.container_with(&["--rm"], "coracle", &["--version"]);
    assert_eq!(version, format!("coracle {}\n", env!("CARGO_PKG_VERSION")));

    // As docs/release.md has it: a static program in a folder that is mounted, and its image beside it.
    let work = sandbox.shared().join("work");
    std::fs::create_dir(&work).unwrap();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/hello.c");
    stdout_of(Command::new("gcc").args(["-Os", "-static", "-s", "-o"]).arg(work.join("hello")).arg(source));
    let mount = format!("{}:/work", work.display());
    let restricted = ["--rm", "--read-only", "--cap-drop", "ALL", "--user", "0:0", "--volume", &mount];
    let reference = podman.container_with(&restricted, "coracle", &["build", "hello", "--no-cache"]);
    assert_eq!(reference, on_host(&work));
    assert!(coracle_oci::layout::verify_layout(&work.join("hello.oci")).unwrap().is_empty());
}

/// The output of the same build outside of the container.
fn on_host(work: &Path) -> String {
    let output = tempfile::TempDir::new().unwrap();
    let mut coracle = Command::new(env!("CARGO_BIN_EXE_coracle"));
    coracle.args(["build", "hello", "--no-cache", "--output"]).current_dir(work);
    stdout_of(coracle.arg(format!("oci:{}/out", output.path().display())))
}
