//! The targets that cargo builds for: whether they suit an image, and which are not installed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use coracle_core::platform::Platform;

use super::{BuiltProgram, relative_to_cwd};
use crate::cli::args::CargoArgs;
use crate::cli::environment::{env_text, nonempty_env_var};
use crate::cli::error::CliError;
use crate::cli::read_project::{FileKind, read_file_kind};

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

/// Returns `target` without cargo-zigbuild's glibc suffix, as in `x86_64-unknown-linux-gnu.2.17`.
pub(super) fn without_glibc_version(target: &str) -> &str {
    match target.split_once('.') {
        Some((triple, version)) if version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') => {
            triple
        }
        _ => target,
    }
}

/// Fails if a target ends in a glibc version, which only cargo-zigbuild supports.
pub(super) fn check_glibc_versions(args: &CargoArgs) -> Result<(), CliError> {
    let is_versioned = |target: &&String| without_glibc_version(target) != target.as_str();
    match args.targets.iter().find(is_versioned) {
        Some(target) if !args.zigbuild => Err(CliError::usage(
            format!("`{target}` includes a glibc version, which cargo does not support"),
            format!(
                "pass `--zigbuild`, which links against that version, or use `{}`",
                without_glibc_version(target)
            ),
        )),
        _ => Ok(()),
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
pub(super) fn first_uninstalled_target(targets: &[String]) -> Option<&str> {
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
