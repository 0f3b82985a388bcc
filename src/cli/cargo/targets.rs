//! What cargo builds for: what can be an image, and what is missing where cargo has failed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use coracle_core::content::Content;
use coracle_ld::elf::Header;
use coracle_core::platform::Platform;

use super::compile::Program;
use super::{directory, from_here};
use crate::cli::args::CargoArgs;
use crate::cli::failure::Failure;

/// More than any header of an ELF file has.
const HEADER: u64 = 64;

/// Whether the files are programs for Linux, each for another platform.
pub(super) fn check(program: &Program) -> Result<(), Failure> {
    let mut known: BTreeMap<Platform, &PathBuf> = BTreeMap::new();
    for file in &program.files {
        // What can't be read, or has no name as a platform, the build tells with the reason.
        let Ok(header) = header(file) else { continue };
        let Ok(header) = header else {
            return Err(Failure::usage(
                format!("`{}` is not a program for Linux", from_here(file).display()),
                "build for a target of Linux, as with `--target x86_64-unknown-linux-musl`; `rustup target add TARGET` \
                 installs one",
            ));
        };
        let Some(platform) = header.machine.platform() else { continue };
        if let Some(other) = known.insert(platform.clone(), file) {
            let place = |file: &Path| format!("\n  --> {}", from_here(file).display());
            return Err(Failure::usage(
                format!("`{}` has two programs for {platform}{}{}", program.name, place(other), place(file)),
                "an image has one program for each platform: name one `--target` for each, and build the other by itself, with \
                 another name or place",
            ));
        }
    }
    Ok(())
}

fn header(file: &Path) -> io::Result<Result<Header, coracle_ld::elf::Error>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(HEADER).read_to_end(&mut bytes)?;
    let reader = Content::bytes(bytes).open().map_err(io::Error::other)?;
    Ok(Header::read(&reader))
}

/// Whether the program is there for all `targets`. When none is named, cargo's configuration may name several, which shows in
/// where cargo writes; then nobody knows before cargo ends.
pub(super) fn are_all_there(program: &Program, targets: &[String]) -> bool {
    let asked: BTreeSet<&str> = targets.iter().map(|target| triple(target)).collect();
    match program.files.as_slice() {
        [file] if asked.is_empty() => {
            let above = directory::profile(file).parent().and_then(Path::parent);
            !above.is_some_and(directory::is_marked)
        }
        files => files.len() == asked.len(),
    }
}

/// `target` without the version of glibc that cargo-zigbuild takes behind it, as in `x86_64-unknown-linux-gnu.2.17`.
pub(super) fn triple(target: &str) -> &str {
    match target.split_once('.') {
        Some((triple, version)) if version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') => {
            triple
        }
        _ => target,
    }
}

/// The targets that the flags name, else the environment; those in files of cargo's configuration only cargo knows.
#[allow(clippy::disallowed_methods, reason = "the environment says which target it is")]
pub(super) fn named(args: &CargoArgs) -> Vec<String> {
    let variable = || std::env::var("CARGO_BUILD_TARGET").ok().filter(|target| !target.is_empty());
    if args.targets.is_empty() { variable().into_iter().collect() } else { args.targets.clone() }
}

/// The first of `targets` that rustc knows, and has no libraries for.
pub(super) fn not_installed(targets: &[String]) -> Option<&str> {
    let rustc = rustc();
    targets.iter().map(|target| triple(target)).find(|target| {
        let mut command = Command::new(&rustc);
        command.args(["--print", "target-libdir", "--target", target]);
        let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output();
        output.is_ok_and(|output| {
            let folder = String::from_utf8_lossy(&output.stdout);
            output.status.success() && !folder.trim().is_empty() && !Path::new(folder.trim()).exists()
        })
    })
}

/// As cargo chooses it.
#[allow(clippy::disallowed_methods, reason = "the environment says which rustc it is")]
fn rustc() -> OsString {
    std::env::var_os("RUSTC").filter(|rustc| !rustc.is_empty()).unwrap_or_else(|| "rustc".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_there_for_all_targets_or_nobody_knows() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        let program = |files: &[&str]| Program {
            name: "app".into(),
            manifest: at("Cargo.toml"),
            files: files.iter().map(|file| at(file)).collect(),
        };
        let here = program(&["target/release/app"]);
        let one = program(&["target/a/release/examples/app"]);
        let both = program(&["target/a/release/app", "target/b/release/app"]);
        std::fs::create_dir_all(at("target/a")).unwrap();
        // As cargo marks every directory that it makes.
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
            assert_eq!(are_all_there(program, &targets), expected, "{:?} {targets:?}", program.files);
        }
    }

    #[test]
    fn a_version_of_glibc_is_no_part_of_a_triple() {
        for (target, expected) in [
            ("x86_64-unknown-linux-gnu.2.17", "x86_64-unknown-linux-gnu"),
            ("x86_64-unknown-linux-gnu", "x86_64-unknown-linux-gnu"),
            ("thumbv8m.main-none-eabi", "thumbv8m.main-none-eabi"),
            ("targets/own.json", "targets/own.json"),
        ] {
            assert_eq!(triple(target), expected);
        }
    }
}
