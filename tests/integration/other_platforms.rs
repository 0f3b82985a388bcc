//! Programs of other platforms: libraries from a sysroot, programs from a root, several platforms
//! in one index.

use std::fs;
use std::path::Path;
use std::process::Command;

use coracle_testing::skipped;
use coracle_testing::unpacked::{Image, json};
use serde_json::Value;
use tempfile::TempDir;

const CROSS: &str = "aarch64-linux-gnu-gcc";
const SYSROOT: &str = "/usr/aarch64-linux-gnu";

/// Whether the cross compiler and qemu are installed.
fn is_installed() -> bool {
    let is_there = |program: &str| Command::new(program).arg("--version").output().is_ok();
    let all = is_there(CROSS) && is_there("qemu-aarch64-static");
    if !all {
        skipped("gcc-aarch64-linux-gnu or qemu-user-static is not installed");
    }
    all
}

/// The same program for this machine and for arm64.
fn project() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    fs::write(at.join("hello.c"), "#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }\n")
        .unwrap();
    for (compiler, program) in [("cc", "here"), (CROSS, "there")] {
        assert!(
            Command::new(compiler)
                .args(["-s", "-o", program, "hello.c"])
                .current_dir(at)
                .status()
                .unwrap()
                .success()
        );
    }
    directory
}

fn coracle(at: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_coracle"))
        .args(arguments)
        .current_dir(at)
        .env_clear()
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_image_for_arm64_runs_under_qemu() {
    if !is_installed() {
        return;
    }
    let project = project();
    let at = project.path();
    coracle(at, &["build", "there", "--sysroot", SYSROOT, "-o", "oci:out", "--quiet"]);
    let image = Image::read_single(&at.join("out"));
    assert_eq!(image.platform(), "linux/arm64");
    let root = at.join("root");
    image.unpack(&root);
    let output = Command::new("qemu-aarch64-static")
        .arg("-L")
        .arg(&root)
        .arg(root.join("app/there"))
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "hello\n",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn programs_of_two_platforms_are_one_index() {
    if !is_installed() {
        return;
    }
    let project = project();
    let at = project.path();
    let programs = ["here:/app/hello", "there:/app/hello"];
    let sysroot = format!("linux/arm64={SYSROOT}");
    let build = |destination: &str, programs: [&str; 2]| {
        let more = ["--sysroot", &sysroot, "-t", "hello", "-o", destination, "--quiet"];
        coracle(at, &[&["build"], &programs[..], &more].concat())
    };
    let line = build("oci:out", programs);
    let index = json(&at.join("out/index.json"));
    let descriptor = &index["manifests"][0];
    assert_eq!(index["manifests"].as_array().unwrap().len(), 1);
    assert_eq!(line, format!("hello:latest@{}\n", descriptor["digest"].as_str().unwrap()));
    let platforms: Vec<String> = Image::read_all(&at.join("out")).iter().map(Image::platform).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
    assert_eq!(coracle_oci::layout::verify_layout(&at.join("out")).unwrap(), []);
    assert_eq!(
        build("oci:other", [programs[1], programs[0]]),
        line,
        "the order of the programs does not matter"
    );
}

#[test]
fn a_recipe_names_the_sysroot_of_each_platform() {
    if !is_installed() {
        return;
    }
    let project = project();
    let at = project.path();
    let digest = |arguments: &[&str]| {
        let more = ["-o", "oci:out", "--quiet"];
        coracle(at, &[&["build"], arguments, &more].concat())
    };
    let by_flag = digest(&[
        "here:/app/hello",
        "there:/app/hello",
        "-t",
        "hello",
        "--sysroot",
        &format!("linux/arm64={SYSROOT}"),
    ]);
    // Relative to the recipe, not to where this runs; the other platform's libraries are the host's.
    fs::create_dir(at.join("sub")).unwrap();
    std::os::unix::fs::symlink(SYSROOT, at.join("sub/sysroot")).unwrap();
    let programs =
        ["here", "there"].map(|name| format!("{{ from = \"../{name}\", to = \"/app/hello\" }}")).join(", ");
    let recipe = |sysroot: &str| {
        format!(
            "[image]\nname = \"hello\"\nprograms = [{programs}]\n\n\
             [platform.\"linux/arm64\"]\nsysroot = \"{sysroot}\"\n"
        )
    };
    fs::write(at.join("sub/coracle.toml"), recipe("sysroot")).unwrap();
    assert_eq!(digest(&["-f", "sub/coracle.toml"]), by_flag);
    // A flag replaces what the recipe says.
    fs::write(at.join("sub/coracle.toml"), recipe("nowhere")).unwrap();
    assert_eq!(digest(&["-f", "sub/coracle.toml", "--sysroot", "linux/arm64=sub/sysroot"]), by_flag);
    let output = Command::new(env!("CARGO_BIN_EXE_coracle"))
        .args(["build", "--no-cache", "-f", "sub/coracle.toml"])
        .current_dir(at)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), said.lines().next()),
        (Some(1), Some("error: cannot use the root `sub/nowhere`: No such file or directory (os error 2)"))
    );
}

#[test]
fn takes_programs_from_a_root() {
    let project = tempfile::tempdir().unwrap();
    let at = project.path();
    for directory in ["root/lib64", "root/usr/bin", "root/usr/lib"] {
        fs::create_dir_all(at.join(directory)).unwrap();
    }
    let loader = fs::canonicalize("/lib64/ld-linux-x86-64.so.2").unwrap();
    fs::copy(&loader, at.join("root/lib64/ld-linux-x86-64.so.2")).unwrap();
    fs::copy("/bin/true", at.join("root/usr/bin/app")).unwrap();
    let libc = loader.parent().unwrap().join("libc.so.6");
    fs::copy(libc, at.join("root/usr/lib/libc.so.6")).unwrap();
    let plan = coracle(at, &["build", "/usr/bin/app", "--root", "root", "--dry-run", "--format", "json"]);
    let plan: Value = serde_json::from_str(&plan).unwrap();
    let entries = plan["images"][0]["entries"].as_array().unwrap();
    let paths: Vec<&str> = entries.iter().map(|entry| entry["path"].as_str().unwrap()).collect();
    for path in ["/usr/bin/app", "/usr/lib/libc.so.6", "/lib64/ld-linux-x86-64.so.2"] {
        assert!(paths.contains(&path), "{path} in {paths:?}");
    }
}
