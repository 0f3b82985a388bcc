//! `cargo coracle`: hands over to the `coracle` beside it.
//!
//! Cargo runs `cargo-coracle coracle build …` for `cargo coracle build …`. `coracle` is told so, and runs cargo first.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// What tells `coracle` who has called it; `cli` of `coracle` reads it.
const UNDER_CARGO: &str = "--under-cargo";

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1).peekable();
    // Who runs this program by itself says it without the subcommand.
    args.next_if(|arg| arg == "coracle");
    hand_over(args.collect())
}

#[allow(clippy::print_stderr, reason = "stderr is the binary's")]
fn hand_over(args: Vec<OsString>) -> ExitCode {
    let coracle = std::env::current_exe()
        .map(|own| own.with_file_name(format!("coracle{}", std::env::consts::EXE_SUFFIX)))
        .unwrap_or_else(|_| PathBuf::from("coracle"));
    let mut command = Command::new(&coracle);
    command.arg(UNDER_CARGO).args(args);
    match run(&mut command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: cannot run `{}`: {error}\n", coracle.display());
            eprintln!(
                "hint: `coracle` and `cargo-coracle` stand in one directory, as `cargo install` puts them"
            );
            ExitCode::FAILURE
        }
    }
}

/// Becomes `command`; comes back only when that can't be done.
#[cfg(unix)]
fn run(command: &mut Command) -> std::io::Result<ExitCode> {
    Err(std::os::unix::process::CommandExt::exec(command))
}

#[cfg(not(unix))]
fn run(command: &mut Command) -> std::io::Result<ExitCode> {
    let code = command.status()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
