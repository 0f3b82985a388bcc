//! `coracle completions`: what a shell completes, made from the flags themselves.

use clap::CommandFactory as _;

use super::args::{CargoCli, Cli, CompletionsArgs};
use super::exit::Exit;
use super::failure::Failure;
use super::{Caller, output};

/// Prints the script.
pub(super) fn run(args: &CompletionsArgs, caller: Caller) -> Result<Exit, Failure> {
    let (mut command, name) = match caller {
        Caller::Alone => (Cli::command(), "coracle"),
        Caller::Cargo => (CargoCli::command().name("cargo-coracle"), "cargo-coracle"),
    };
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    output::write(&script)?;
    Ok(Exit::Done)
}
