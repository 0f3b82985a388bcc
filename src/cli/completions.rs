//! `coracle completions`: what a shell completes, made from the flags themselves.

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;

use super::args::{CargoCli, Cli, CompletionsArgs};
use super::exit::Exit;
use super::failure::Failure;
use super::{Caller, output};

/// Prints the script.
pub(super) fn run(args: &CompletionsArgs, caller: Caller) -> Result<Exit, Failure> {
    let script = match (caller, args.shell) {
        (Caller::Alone, shell) => script(shell, Cli::command(), "coracle"),
        // clap_complete 4.6 loses the subcommands of a name with a hyphen, in the functions of bash alone.
        (Caller::Cargo, Shell::Bash) => script(Shell::Bash, CargoCli::command(), "cargo_coracle")
            .replace(" cargo_coracle\n", " cargo-coracle\n"),
        (Caller::Cargo, shell) => script(shell, CargoCli::command(), "cargo-coracle"),
    };
    output::write(script.as_bytes())?;
    Ok(Exit::Done)
}

fn script(shell: Shell, command: Command, name: &'static str) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command.name(name), name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
