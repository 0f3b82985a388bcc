//! The targets that cargo builds for: whether they suit an image, and which are not installed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use coracle_core::content::Content;
use coracle_core::platform::Platform;
use coracle_ld::elf::Header;

use super::cargo_build::BuiltProgram;
use super::{relative_to_cwd, target_directory};
use crate::cli::args::CargoArgs;
use crate::cli::error::CliError;

/// The size of the largest ELF header, in bytes.
const ELF_HEADER_SIZE: u64 = 64;

/// Fails unless the files are Linux programs, each for a different platform.
pub(super) fn check_platforms(program: &BuiltProgram) -> Result<(), CliError> {
    let mut known: BTreeMap<Platform, &PathBuf> = BTreeMap::new();
    for file in &program.files {
        // The build reports files that can't be read and unknown platforms, with the reason.
        let Ok(header) = read_header(file) else { continue };
        let Ok(header) = header else {
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

fn read_header(file: &Path) -> io::Result<Result<Header, coracle_ld::elf::Error>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(ELF_HEADER_SIZE).read_to_end(&mut bytes)?;
    let reader = Content::from_bytes(bytes).open().map_err(io::Error::other)?;
    Ok(Header::read(&reader))
}

/// Whether the program has been built for all `targets`. If none is named, cargo's configuration
/// may name several, which is seen from cargo's directories; returns `false` then.
pub(super) fn is_built_for_all(program: &BuiltProgram, targets: &[String]) -> bool {
    let asked: BTreeSet<&str> = targets.iter().map(|target| without_glibc_version(target)).collect();
    match program.files.as_slice() {
        [file] if asked.is_empty() => {
            let above = target_directory::profile_directory(file).parent().and_then(Path::parent);
            !above.is_some_and(target_directory::is_cargo_directory)
        }
        files => files.len() == asked.len(),
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
#[allow(clippy::disallowed_methods, reason = "cargo reads the target from the environment")]
pub(super) fn requested_targets(args: &CargoArgs) -> Vec<String> {
    let variable = || std::env::var("CARGO_BUILD_TARGET").ok().filter(|target| !target.is_empty());
    if args.targets.is_empty() { variable().into_iter().collect() } else { args.targets.clone() }
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
#[allow(clippy::disallowed_methods, reason = "cargo reads the compiler from the environment")]
fn rustc_program() -> OsString {
    std::env::var_os("RUSTC").filter(|rustc| !rustc.is_empty()).unwrap_or_else(|| "rustc".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detects_program_built_for_all_targets() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        let program = |files: &[&str]| BuiltProgram {
            name: "app".into(),
            manifest: at("Cargo.toml"),
            files: files.iter().map(|file| at(file)).collect(),
        };
        let here = program(&["target/release/app"]);
        let one = program(&["target/a/release/examples/app"]);
        let both = program(&["target/a/release/app", "target/b/release/app"]);
        std::fs::create_dir_all(at("target/a")).unwrap();
        // Cargo marks every directory that it creates.
        std::fs::write(at("target/CACHEDIR.TAG"), "# This file is a tag created by cargo.").unwrap();
        std::fs::write(at("target/a/CACHEDIR.TAG"), "# This file is a tag created by cargo.").unwrap();
        let asked = |targets: &[&str]| targets.iter().map(ToString::to_string).collect::<Vec<_>>();
        for (program, targets, expected) in [
            (&here, asked(&[]), true),
            (&one, asked(&[]), false),
            (&both, asked(&[]), false),
            (&one, asked(&["a"]), true),
            (&one, asked(&["a", "b"]), false),
            (&both, asked(&["a", "b"]), true),
            (&one, asked(&["a.2.17", "a"]), true),
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
