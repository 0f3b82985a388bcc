//! `cargo zigbuild`: cargo with Zig as the linker for every target.

use std::path::Path;
use std::process::{Command, Stdio};

use super::targets;
use crate::cli::args::CargoArgs;
use crate::cli::failure::Failure;

/// Only cargo-zigbuild knows targets with a version of glibc.
pub(super) fn check(args: &CargoArgs) -> Result<(), Failure> {
    let is_versioned = |target: &&String| targets::triple(target) != target.as_str();
    match args.targets.iter().find(is_versioned) {
        Some(target) if !args.zigbuild => Err(Failure::usage(
            format!("`{target}` names a version of glibc, which cargo does not know"),
            format!(
                "pass `--zigbuild`, which links against that version, or name `{}`",
                targets::triple(target)
            ),
        )),
        _ => Ok(()),
    }
}

/// What `cargo zigbuild` lacks, and how to get it.
pub(super) fn missing(args: &CargoArgs, cargo: &Path) -> Option<(String, String)> {
    if !args.zigbuild {
        return None;
    }
    if !runs(Command::new(cargo).args(["zigbuild", "--version"])) {
        return Some((
            "cargo-zigbuild is not installed, so there is no image".into(),
            "`cargo install cargo-zigbuild` installs it; it needs Zig, which `pip install ziglang` installs"
                .into(),
        ));
    }
    let has_zig = is_named() || runs(Command::new("zig").arg("version")) || runs(&mut python("python3"));
    (!has_zig).then(|| {
        (
            "cargo-zigbuild finds no Zig, so there is no image".into(),
            "`pip install ziglang` installs it; or name the program in the variable CARGO_ZIGBUILD_ZIG_PATH"
                .into(),
        )
    })
}

/// Source: cargo-zigbuild, `src/zig.rs`, `find_zig`.
#[allow(clippy::disallowed_methods, reason = "the environment says which zig it is")]
fn is_named() -> bool {
    std::env::var_os("CARGO_ZIGBUILD_ZIG_PATH").is_some_and(|path| !path.is_empty())
}

fn python(program: &str) -> Command {
    let mut python = Command::new(program);
    python.args(["-m", "ziglang", "version"]);
    python
}

fn runs(command: &mut Command) -> bool {
    let silent = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    silent.status().is_ok_and(|status| status.success())
}
