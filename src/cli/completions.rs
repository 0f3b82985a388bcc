//! `coracle completions`: shell completion scripts, generated from the argument definitions.

use std::any::TypeId;

use clap::{Arg, Command, CommandFactory as _, ValueHint};
use clap_complete::Shell;

use super::args::{CargoCli, Cli, CompletionsArgs};
use super::error::{CliError, CliExit};
use super::{Invocation, stdout};

/// Runs `coracle completions`. Prints the completion script.
pub(super) fn run_completions(args: &CompletionsArgs, caller: Invocation) -> Result<CliExit, CliError> {
    let script = match (caller, args.shell) {
        (Invocation::Direct, shell) => completion_script(shell, Cli::command(), "coracle"),
        // clap_complete 4.6 loses subcommands in bash if the command's name contains a hyphen.
        (Invocation::CargoSubcommand, Shell::Bash) => {
            completion_script(Shell::Bash, CargoCli::command(), "cargo_coracle")
                .replace(" cargo_coracle\n", " cargo-coracle\n")
        }
        (Invocation::CargoSubcommand, shell) => {
            completion_script(shell, CargoCli::command(), "cargo-coracle")
        }
    };
    stdout::write_bytes(script.as_bytes())?;
    Ok(CliExit::Success)
}

/// Sets a value hint on all text arguments, because shells offer files for arguments without a
/// hint.
fn without_file_completion(command: Command) -> Command {
    command.mut_args(disable_file_completion).mut_subcommands(without_file_completion)
}

/// Turns off file completion for a text argument without a value hint.
fn disable_file_completion(arg: Arg) -> Arg {
    let is_text = arg.get_value_parser().type_id() == TypeId::of::<String>();
    match arg.get_value_hint() {
        ValueHint::Unknown if is_text => arg.value_hint(ValueHint::Other),
        _ => arg,
    }
}

fn completion_script(shell: Shell, command: Command, name: &'static str) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut without_file_completion(command).name(name), name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
