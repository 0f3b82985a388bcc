//! The `cargo coracle` subcommand: runs the `coracle` binary in the same directory.
//!
//! Cargo runs `cargo-coracle coracle build …` for `cargo coracle build …`. This binary passes
//! `--under-cargo` on, so that `coracle` runs cargo first.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// First argument of `coracle` if it runs as a cargo subcommand; read by its `cli` module.
const UNDER_CARGO: &str = "--under-cargo";

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1).peekable();
    // Cargo inserts the subcommand's name; a direct call has none.
    args.next_if(|arg| arg == "coracle");
    run_coracle(args.collect())
}

#[allow(clippy::print_stderr, reason = "stderr is the binary's")]
fn run_coracle(args: Vec<OsString>) -> ExitCode {
    let coracle = std::env::current_exe()
        .map(|own| own.with_file_name(format!("coracle{}", std::env::consts::EXE_SUFFIX)))
        .unwrap_or_else(|_| PathBuf::from("coracle"));
    let mut command = Command::new(&coracle);
    command.arg(UNDER_CARGO).args(args);
    match exec(&mut command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: cannot run `{}`: {error}\n", coracle.display());
            eprintln!(
                "hint: install `coracle` and `cargo-coracle` in the same directory, as `cargo install` does"
            );
            ExitCode::FAILURE
        }
    }
}

/// Replaces this process with `command`; returns only if that fails.
#[cfg(unix)]
fn exec(command: &mut Command) -> std::io::Result<ExitCode> {
    Err(std::os::unix::process::CommandExt::exec(command))
}

#[cfg(not(unix))]
fn exec(command: &mut Command) -> std::io::Result<ExitCode> {
    let code = command.status()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
