//! Other targets: what cargo would build for them comes from Debian's cross compilers, and a script stands for cargo.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use snapbox::str;

use crate::project::Project;
use crate::support::{Coracle, skipped};

const X86: &str = "x86_64-unknown-linux-gnu";
const ARM: &str = "aarch64-unknown-linux-gnu";

/// A crate `app` whose cargo has built these files, and ends with this code.
fn crate_with(files: &[&str], code: u8) -> Project {
    let project = Project::app("");
    let folder = project.path("");
    let line = |file: &&str| {
        format!(
            "{{\"reason\":\"compiler-artifact\",\"package_id\":\"path+file:///app#1.2.3\",\"manifest_path\":\
             \"{0}/Cargo.toml\",\"target\":{{\"kind\":[\"bin\"],\"name\":\"app\"}},\"executable\":\"{0}/{file}\"}}\n",
            folder.display()
        )
    };
    let lines: String = files.iter().map(line).collect();
    project.file("target/messages", lines);
    let script = format!("#!/bin/sh\necho \"$@\" > target/args\ncat target/messages\nexit {code}\n");
    project.file("target/cargo", script);
    std::fs::set_permissions(project.path("target/cargo"), PermissionsExt::from_mode(0o755)).unwrap();
    project
}

/// A run of it.
fn run<const N: usize>(project: &Project, args: [&str; N]) -> Coracle {
    project.cargo(args).env("CARGO", project.path("target/cargo").to_str().unwrap())
}

/// Compiles a program; nothing where there is no such compiler.
fn compiled(project: &Project, compiler: &str, flags: &[&str], file: &str) -> Option<()> {
    project.file(file, "").file("target/main.c", "int main(void) { return 0; }\n");
    let mut command = Command::new(compiler);
    command.args(["-s", "-o"]).arg(project.path(file)).arg(project.path("target/main.c")).args(flags);
    match command.status() {
        Ok(status) => assert!(status.success(), "{compiler} {flags:?}"),
        Err(error) => {
            skipped(&format!("there is no `{compiler}`: {error}"));
            return None;
        }
    }
    Some(())
}

#[test]
fn several_targets_are_one_image_with_an_index() {
    let files = [X86, ARM].map(|target| format!("target/{target}/release/app"));
    let project = crate_with(&files.each_ref().map(String::as_str), 0);
    compiled(&project, "cc", &["-static"], &files[0]).unwrap();
    let Some(()) = compiled(&project, "aarch64-linux-gnu-gcc", &[], &files[1]) else { return };
    let sysroot = "linux/arm64=/usr/aarch64-linux-gnu";
    run(&project, ["build", "--target", X86, "--target", ARM, "--sysroot", sysroot, "--locked"]).ends(
        0,
        str![[r#"
app:latest@sha256:[..]

"#]],
        str![[r#"
app:latest  linux/amd64, linux/arm64  [..]
...
  written to oci:target/coracle/app.oci

"#]],
    );
    let args = std::fs::read_to_string(project.path("target/args")).unwrap();
    let expected = format!(
        "build --message-format=json-render-diagnostics --target {X86} --target {ARM} --release --locked\n"
    );
    assert_eq!(args, expected);
    let layout = project.path("target/coracle/app.oci");
    assert!(coracle::store::verify(&layout).unwrap().is_empty());
}

#[test]
fn a_sysroot_stands_in_the_settings() {
    let file = format!("target/{ARM}/release/app");
    let project = crate_with(&[&file], 0);
    let Some(()) = compiled(&project, "aarch64-linux-gnu-gcc", &[], &file) else { return };
    run(&project, ["build", "-q", "--target", ARM]).ends(
        1,
        str![],
        str![[r#"
error: cannot find the interpreter `/lib/ld-linux-aarch64.so.1` of `[FOLDER]/target/aarch64-unknown-linux-gnu/release/app`: there is no such file; the program is for linux/arm64

hint: install it, pass `--sysroot <DIR>` with the loader and libraries of its platform, or link the program statically

"#]],
    );
    project.krate(
        "",
        "app",
        "[package.metadata.coracle.platform.\"linux/arm64\"]\nsysroot = \"/usr/aarch64-linux-gnu\"\n",
    );
    run(&project, ["build", "-q", "--target", ARM]).ends(
        0,
        str![[r#"
app:latest@sha256:[..]

"#]],
        str![],
    );
}

#[test]
fn two_targets_of_one_machine_are_two_images() {
    let files = [X86, "x86_64-unknown-linux-musl"].map(|target| format!("target/{target}/release/app"));
    let project = crate_with(&files.each_ref().map(String::as_str), 0);
    for file in &files {
        compiled(&project, "cc", &["-static"], file).unwrap();
    }
    run(&project, ["build", "--target", X86, "--target", "x86_64-unknown-linux-musl"]).ends(
        2,
        str![],
        str![[r#"
error: `app` has two programs for linux/amd64
  --> target/x86_64-unknown-linux-gnu/release/app
  --> target/x86_64-unknown-linux-musl/release/app

hint: an image has one program for each platform: name one `--target` for each, and build the other by itself, with another name or place

"#]],
    );
}

#[test]
fn a_program_for_another_system_is_refused() {
    for (target, file, content) in [
        ("x86_64-pc-windows-gnu", "app.exe", b"MZ\x90\0".as_slice()),
        ("aarch64-apple-darwin", "app", b"\xcf\xfa\xed\xfe"),
    ] {
        let file = format!("target/{target}/release/{file}");
        let project = crate_with(&[&file], 0);
        project.file(&file, content);
        run(&project, ["build", "--target", target]).ends(
            2,
            str![],
            str![[r#"
error: `target/[..]` is not a program for Linux

hint: build for a target of Linux, as with `--target x86_64-unknown-linux-musl`; `rustup target add TARGET` installs one

"#]],
        );
    }
}

#[test]
fn a_target_that_is_not_installed() {
    let project = Project::app("");
    project.cargo(["build", "-q", "--target", "loongarch64-unknown-linux-musl"]).ends(
        1,
        str![],
        str![[r#"
...
error: the target `loongarch64-unknown-linux-musl` is not installed, so there is no image

hint: `rustup target add loongarch64-unknown-linux-musl` installs it

"#]],
    );
}

#[test]
fn a_cargo_that_is_killed() {
    let project = crate_with(&[], 0);
    project.file("target/cargo", "#!/bin/sh\nkill -9 $$\n");
    run(&project, ["build"]).ends(
        1,
        str![],
        str![[r#"
error: cargo was ended (signal: 9 (SIGKILL)), so there is no image

"#]],
    );
}
