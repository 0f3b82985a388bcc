//! `cargo zigbuild`, which uses Zig as the linker for every target.

use std::path::Path;
use std::process::{Command, Stdio};

use super::targets;
use crate::cli::args::CargoArgs;
use crate::cli::environment::nonempty_env_var;
use crate::cli::error::CliError;

/// Fails if a target ends in a glibc version, which only cargo-zigbuild supports.
pub(super) fn check_glibc_versions(args: &CargoArgs) -> Result<(), CliError> {
    let is_versioned = |target: &&String| targets::without_glibc_version(target) != target.as_str();
    match args.targets.iter().find(is_versioned) {
        Some(target) if !args.zigbuild => Err(CliError::usage(
            format!("`{target}` includes a glibc version, which cargo does not support"),
            format!(
                "pass `--zigbuild`, which links against that version, or use `{}`",
                targets::without_glibc_version(target)
            ),
        )),
        _ => Ok(()),
    }
}

/// Returns what `cargo zigbuild` is missing, and how to install it; `None` if nothing.
pub(super) fn missing_tools(args: &CargoArgs, cargo: &Path) -> Option<(String, String)> {
    if !args.zigbuild {
        return None;
    }
    if !succeeds(Command::new(cargo).args(["zigbuild", "--version"])) {
        return Some((
            "cargo-zigbuild is not installed; no image was built".into(),
            "install it with `cargo install cargo-zigbuild`, and Zig, which it needs, with `pip install ziglang`"
                .into(),
        ));
    }
    let has_zig = has_zig_variable()
        || succeeds(Command::new("zig").arg("version"))
        || succeeds(&mut python_ziglang("python3"));
    (!has_zig).then(|| {
        (
            "cargo-zigbuild can't find Zig; no image was built".into(),
            "install it with `pip install ziglang`, or name it in the environment variable CARGO_ZIGBUILD_ZIG_PATH"
                .into(),
        )
    })
}

/// Whether the environment names Zig. Source: cargo-zigbuild, `src/zig.rs`, `find_zig`.
fn has_zig_variable() -> bool {
    nonempty_env_var("CARGO_ZIGBUILD_ZIG_PATH").is_some()
}

fn python_ziglang(program: &str) -> Command {
    let mut python = Command::new(program);
    python.args(["-m", "ziglang", "version"]);
    python
}

fn succeeds(command: &mut Command) -> bool {
    let silent = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    silent.status().is_ok_and(|status| status.success())
}
