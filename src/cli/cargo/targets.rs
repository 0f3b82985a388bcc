//! The targets that cargo builds for: whether they suit an image, and which are not installed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use coracle_core::platform::Platform;

use super::cargo_build::BuiltProgram;
use super::{relative_to_cwd, target_directory};
use crate::cli::args::CargoArgs;
use crate::cli::environment::{env_text, nonempty_env_var};
use crate::cli::error::CliError;
use crate::cli::program_file::{FileKind, read_file_kind};

/// Fails unless the files are Linux programs, each for a different platform.
pub(super) fn check_platforms(program: &BuiltProgram) -> Result<(), CliError> {
    let mut known: BTreeMap<Platform, &PathBuf> = BTreeMap::new();
    for file in &program.files {
        // The build reports files that can't be read and unknown platforms, with the reason.
        let Ok(kind) = read_file_kind(file) else { continue };
        let FileKind::Elf(header) = kind else {
            return Err(CliError::usage(
                format!("`{}` is not a program for Linux", relative_to_cwd(file).display()),
                "build for a Linux target, as with `--target x86_64-unknown-linux-musl`; install one with `rustup target add \
                 TARGET`",
            ));
        };
        let Some(platform) = header.machine.platform() else { continue };
        if let Some(other) = known.insert(platform.clone(), file) {
            let place = |file: &Path| format!("\n  --> {}", relative_to_cwd(file).display());
            return Err(CliError::usage(
                format!("`{}` was built twice for {platform}{}{}", program.name, place(other), place(file)),
                "an image has one program per platform: name one `--target` for each, and build the other one separately, with \
                 another image name or destination",
            ));
        }
    }
    Ok(())
}

/// Whether the program has been built for all `targets`. If none is named, cargo's configuration
/// may name several, which is seen from cargo's directories; returns `false` then.
pub(super) fn is_built_for_all(program: &BuiltProgram, targets: &[String]) -> bool {
    let triples: BTreeSet<&str> = targets.iter().map(|target| without_glibc_version(target)).collect();
    match program.files.as_slice() {
        [file] if triples.is_empty() => {
            // Above the profile is the target directory, or a target's directory in it.
            let above = target_directory::profile_directory(file).parent().and_then(Path::parent);
            !above.is_some_and(target_directory::is_cargo_directory)
        }
        files => files.len() == triples.len(),
    }
}

/// Returns `target` without cargo-zigbuild's glibc suffix, as in `x86_64-unknown-linux-gnu.2.17`.
pub(super) fn without_glibc_version(target: &str) -> &str {
    match target.split_once('.') {
        Some((triple, version)) if version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') => {
            triple
        }
        _ => target,
    }
}

/// Returns the targets from the flags, or else from the environment. Targets in cargo's
/// configuration files are not known here.
pub(super) fn requested_targets(args: &CargoArgs) -> Vec<String> {
    if args.targets.is_empty() {
        return env_text("CARGO_BUILD_TARGET").into_iter().collect();
    }
    args.targets.clone()
}

/// Returns the first of `targets` that rustc supports but has no standard library for.
pub(super) fn find_uninstalled(targets: &[String]) -> Option<&str> {
    let rustc = rustc_program();
    targets.iter().map(|target| without_glibc_version(target)).find(|target| {
        let mut command = Command::new(&rustc);
        command.args(["--print", "target-libdir", "--target", target]);
        let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output();
        output.is_ok_and(|output| {
            let folder = String::from_utf8_lossy(&output.stdout);
            output.status.success() && !folder.trim().is_empty() && !Path::new(folder.trim()).exists()
        })
    })
}

/// Returns the rustc that cargo runs.
fn rustc_program() -> OsString {
    nonempty_env_var("RUSTC").unwrap_or_else(|| "rustc".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detects_program_built_for_all_targets() {
        let folder = tempfile::tempdir().unwrap();
        let path = |path: &str| folder.path().join(path);
        let program = |files: &[&str]| BuiltProgram {
            name: "app".into(),
            manifest: path("Cargo.toml"),
            files: files.iter().map(|file| path(file)).collect(),
        };
        let here = program(&["target/release/app"]);
        let one = program(&["target/a/release/examples/app"]);
        let both = program(&["target/a/release/app", "target/b/release/app"]);
        std::fs::create_dir_all(path("target/a")).unwrap();
        // Cargo marks every directory that it creates.
        std::fs::write(path("target/CACHEDIR.TAG"), "# This file is a tag created by cargo.").unwrap();
        std::fs::write(path("target/a/CACHEDIR.TAG"), "# This file is a tag created by cargo.").unwrap();
        let owned = |targets: &[&str]| targets.iter().map(ToString::to_string).collect::<Vec<_>>();
        for (program, targets, expected) in [
            (&here, owned(&[]), true),
            (&one, owned(&[]), false),
            (&both, owned(&[]), false),
            (&one, owned(&["a"]), true),
            (&one, owned(&["a", "b"]), false),
            (&both, owned(&["a", "b"]), true),
            (&one, owned(&["a.2.17", "a"]), true),
        ] {
            assert_eq!(is_built_for_all(program, &targets), expected, "{:?} {targets:?}", program.files);
        }
    }

    #[test]
    fn removes_glibc_version_from_triple() {
        for (target, expected) in [
            ("x86_64-unknown-linux-gnu.2.17", "x86_64-unknown-linux-gnu"),
            ("x86_64-unknown-linux-gnu", "x86_64-unknown-linux-gnu"),
            ("thumbv8m.main-none-eabi", "thumbv8m.main-none-eabi"),
            ("targets/own.json", "targets/own.json"),
        ] {
            assert_eq!(without_glibc_version(target), expected);
        }
    }
}
