//! Other targets: what cargo would build for them comes from Debian's cross compilers, and a script
//! stands for cargo.

use snapbox::str;

use crate::cargo::fake_cargo::{self, args, built, compiled, diagnostic, run};
use crate::cargo::project::Project;

const X86: &str = "x86_64-unknown-linux-gnu";
const ARM: &str = "aarch64-unknown-linux-gnu";

/// A crate `app` whose cargo has built these files, and ends with this code.
fn crate_with(files: &[&str], code: u8) -> Project {
    let project = Project::app("");
    project
        .file("target/messages", files.iter().map(|file| built(&project, "app", file)).collect::<String>());
    fake_cargo::cargo(&project, &format!("cat target/messages\nexit {code}"));
    project
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
    let expected = format!(
        "build --message-format=json,json-diagnostic-rendered-ansi --target {X86} --target {ARM} --release --locked\n"
    );
    assert_eq!(args(&project), expected);
    let layout = project.path("target/coracle/app.oci");
    assert!(coracle_oci::layout::verify_layout(&layout).unwrap().is_empty());
}

/// The hint about a static build names rustc's target, which is not always the machine's name.
#[test]
fn suggests_only_targets_of_rustc() {
    for (compiler, target, expected) in [
        (
            "riscv64-linux-gnu-gcc",
            "riscv64gc-unknown-linux-gnu",
            Some("`--target riscv64gc-unknown-linux-musl`"),
        ),
        (
            "arm-linux-gnueabihf-gcc",
            "armv7-unknown-linux-gnueabihf",
            Some("`--target armv7-unknown-linux-musleabihf`"),
        ),
        ("s390x-linux-gnu-gcc", "s390x-unknown-linux-gnu", None),
    ] {
        let file = format!("target/{target}/release/app");
        let project = crate_with(&[&file], 0);
        let Some(()) = compiled(&project, compiler, &[], &file) else { continue };
        let output = run(&project, ["build", "-q", "--target", target]).command().output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("hint: pass `--sysroot linux/"), "{said}");
        let last = said.lines().find(|line| line.contains("link the program statically"));
        let named = last.and_then(|line| line.split("as with ").nth(1));
        assert_eq!(named, expected, "{said}");
    }
}

#[test]
fn reads_the_sysroot_from_settings() {
    let file = format!("target/{ARM}/release/app");
    let project = crate_with(&[&file], 0);
    let Some(()) = compiled(&project, "aarch64-linux-gnu-gcc", &[], &file) else { return };
    run(&project, ["build", "-q", "--target", ARM]).ends(
        1,
        str![],
        str![[r#"
error: cannot find the interpreter `/lib/ld-linux-aarch64.so.1` of `[FOLDER]/target/aarch64-unknown-linux-gnu/release/app`: there is no such file; the program is for linux/arm64

hint: pass `--sysroot linux/arm64=/usr/aarch64-linux-gnu`: Debian's package `libc6-arm64-cross` installs the dynamic loader and glibc there
hint: or set it in Cargo.toml: `sysroot = "/usr/aarch64-linux-gnu"` in `[package.metadata.coracle.platform."linux/arm64"]`
hint: or link the program statically, as with `--target aarch64-unknown-linux-musl`

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
error: `app` was built twice for linux/amd64
  --> target/x86_64-unknown-linux-gnu/release/app
  --> target/x86_64-unknown-linux-musl/release/app

hint: an image has one program per platform: name one `--target` for each, and build the other one separately, with another image name or destination

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

hint: build for a Linux target, as with `--target x86_64-unknown-linux-musl`; install one with `rustup target add TARGET`

"#]],
        );
    }
}

#[test]
fn reports_a_target_that_is_not_installed() {
    let project = Project::app("");
    project.cargo(["build", "-q", "--target", "loongarch64-unknown-linux-musl"]).ends(
        1,
        str![],
        str![[r#"
...
error: the target `loongarch64-unknown-linux-musl` is not installed; no image was built

hint: install it with `rustup target add loongarch64-unknown-linux-musl`

"#]],
    );
}

#[test]
fn cargo_build_target_works_like_the_flag() {
    let project = Project::app("");
    project.cargo(["build", "-q"]).env("CARGO_BUILD_TARGET", "loongarch64-unknown-linux-musl").ends(
        1,
        str![],
        str![[r#"
...
error: the target `loongarch64-unknown-linux-musl` is not installed; no image was built

hint: install it with `rustup target add loongarch64-unknown-linux-musl`

"#]],
    );
    let notes = "No such file or directory (os error 2)";
    let project = crate_where_rustc_says("linker `aarch64-linux-musl-gcc` not found", notes);
    run(&project, ["build", "-q"]).env("CARGO_BUILD_TARGET", "aarch64-unknown-linux-musl").ends(
        1,
        str![],
        str![[r#"
...
error: the linker `aarch64-linux-musl-gcc` is not installed; no image was built

hint: name the linker in .cargo/config.toml: `target.aarch64-unknown-linux-musl.linker = "rust-lld"`
hint: or pass `--zigbuild`, which links with Zig for any target

"#]],
    );
}

#[test]
fn other_errors_do_not_hint_at_the_target() {
    const TARGET: &str = "loongarch64-unknown-linux-musl";
    let project = Project::app("");
    project.cargo(["build", "--bin", "nope", "--target", TARGET]).ends(
        1,
        str![],
        str![[r#"
error: no bin target named `nope` in default-run packages
...
error: cargo could not build the programs; no image was built

"#]],
    );
    // As with a standard library of its own.
    let project = crate_where_rustc_says("cannot find value `x` in this scope", "not found");
    run(&project, ["build", "-q", "-Z", "build-std", "--target", TARGET]).ends(
        1,
        str![],
        str![[r#"
...
error: cargo could not build the programs; no image was built

"#]],
    );
}

#[test]
fn reports_a_killed_cargo() {
    let project = crate_with(&[], 0);
    fake_cargo::cargo(&project, "kill -9 $$");
    run(&project, ["build"]).ends(
        1,
        str![],
        str![[r#"
error: cargo was terminated (signal: 9 (SIGKILL)); no image was built

"#]],
    );
}

/// A crate whose cargo fails after rustc has said this.
fn crate_where_rustc_says(message: &str, notes: &str) -> Project {
    let project = Project::app("");
    let rendered = format!("error: {message}\n  |\n  = note: {notes}\n\n");
    project.file("target/messages", diagnostic(message, &rendered));
    fake_cargo::cargo(&project, "cat target/messages\nexit 101");
    project
}

#[test]
fn reports_a_missing_linker() {
    let notes = "No such file or directory (os error 2)";
    let project = crate_where_rustc_says("linker `aarch64-linux-gnu-gcc` not found", notes);
    run(&project, ["build", "--target", ARM]).ends(
        1,
        str![],
        str![[r#"
error: linker `aarch64-linux-gnu-gcc` not found
  |
  = note: No such file or directory (os error 2)

error: the linker `aarch64-linux-gnu-gcc` is not installed; no image was built

hint: on Debian, install it with `apt-get install gcc-aarch64-linux-gnu`
hint: or pass `--zigbuild`, which links with Zig for any target

"#]],
    );
    let project = crate_where_rustc_says("linker `aarch64-linux-musl-gcc` not found", notes);
    run(&project, ["build", "-q", "--target", "aarch64-unknown-linux-musl"]).ends(
        1,
        str![],
        str![[r#"
...
error: the linker `aarch64-linux-musl-gcc` is not installed; no image was built

hint: name the linker in .cargo/config.toml: `target.aarch64-unknown-linux-musl.linker = "rust-lld"`
hint: or pass `--zigbuild`, which links with Zig for any target

"#]],
    );
}

#[test]
fn reports_a_linker_for_another_machine() {
    let notes = "/usr/bin/ld: app.o: error adding symbols: file in wrong format";
    let project = crate_where_rustc_says("linking with `cc` failed: exit status: 1", notes);
    run(&project, ["build", "-q", "--target", X86, "--target", ARM]).ends(
        1,
        str![],
        str![[r#"
...
error: `cc` can't link files for another machine; no image was built

hint: name the linker in .cargo/config.toml: `target.aarch64-unknown-linux-gnu.linker = "aarch64-linux-gnu-gcc"`
hint: on Debian, install it with `apt-get install gcc-aarch64-linux-gnu`
hint: or pass `--zigbuild`, which links with Zig for any target

"#]],
    );
}

#[test]
fn zig_links_for_any_target() {
    let file = format!("target/{ARM}/release/app");
    let project = crate_with(&[&file], 0);
    let Some(()) = compiled(&project, "aarch64-linux-gnu-gcc", &["-static"], &file) else { return };
    let target = format!("{ARM}.2.17");
    run(&project, ["build", "--zigbuild", "--target", &target, "-q"]).ends(
        0,
        str![[r#"
app:latest@sha256:[..]

"#]],
        str![],
    );
    let expected = format!(
        "zigbuild --message-format=json,json-diagnostic-rendered-ansi --target {target} --release --quiet\n"
    );
    assert_eq!(args(&project), expected);
    assert_eq!(project.layout("app").names(), ["latest docker.io/library/app:latest"]);
    run(&project, ["build", "--target", &target]).ends(
        2,
        str![],
        str![[r#"
error: `aarch64-unknown-linux-gnu.2.17` includes a glibc version, which cargo does not support

hint: pass `--zigbuild`, which links against that version, or use `aarch64-unknown-linux-gnu`

"#]],
    );
}

#[test]
fn reports_a_missing_zig() {
    let project = Project::app("");
    // The query after a failed build: whether cargo-zigbuild is installed.
    fake_cargo::cargo(&project, "exit 101");
    let target = format!("{ARM}.2.17");
    run(&project, ["build", "--zigbuild", "--target", &target]).ends(
        1,
        str![],
        str![[r#"
error: cargo-zigbuild is not installed; no image was built

hint: install it with `cargo install cargo-zigbuild`, and Zig, which it needs, with `pip install ziglang`

"#]],
    );
    fake_cargo::cargo(&project, "test \"$2\" = --version");
    run(&project, ["build", "--zigbuild", "--target", &target]).env("PATH", "/nowhere").ends(
        1,
        str![],
        str![[r#"
error: cargo-zigbuild can't find Zig; no image was built

hint: install it with `pip install ziglang`, or name it in the environment variable CARGO_ZIGBUILD_ZIG_PATH

"#]],
    );
}
