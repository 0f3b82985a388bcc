//! `coracle completions`: shell completion scripts, generated from the argument definitions.

use std::any::TypeId;

use clap::{Arg, Command, CommandFactory as _, ValueHint};
use clap_complete::Shell;

use super::args::{CargoCli, Cli, CompletionsArgs};
use super::exit::Exit;
use super::failure::Failure;
use super::{Caller, output};

/// Prints the completion script.
pub(super) fn run(args: &CompletionsArgs, caller: Caller) -> Result<Exit, Failure> {
    let script = match (caller, args.shell) {
        (Caller::Alone, shell) => script(shell, Cli::command(), "coracle"),
        // clap_complete 4.6 loses subcommands in bash if the command's name contains a hyphen.
        (Caller::Cargo, Shell::Bash) => script(Shell::Bash, CargoCli::command(), "cargo_coracle")
            .replace(" cargo_coracle\n", " cargo-coracle\n"),
        (Caller::Cargo, shell) => script(shell, CargoCli::command(), "cargo-coracle"),
    };
    output::write(script.as_bytes())?;
    Ok(Exit::Done)
}

/// Sets a value hint on all text arguments, because shells offer files for arguments without a
/// hint.
fn named(command: Command) -> Command {
    command.mut_args(no_file).mut_subcommands(named)
}

/// Turns off file completion for a text argument without a value hint.
fn no_file(arg: Arg) -> Arg {
    let is_text = arg.get_value_parser().type_id() == TypeId::of::<String>();
    match arg.get_value_hint() {
        ValueHint::Unknown if is_text => arg.value_hint(ValueHint::Other),
        _ => arg,
    }
}

fn script(shell: Shell, command: Command, name: &'static str) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut named(command).name(name), name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
