//! The command line: arguments in, exit code out.
//!
//! stdout carries data, stderr messages for people. Uses only the public API of the library.

mod args;
mod build;
mod builds;
mod cache;
mod cargo;
mod chains;
mod completions;
mod config;
mod copy;
mod costs;
mod dependencies;
mod deps;
mod engine;
mod exit;
mod failure;
mod folder;
mod image;
mod index;
mod init;
mod interrupt;
mod man;
mod manifests;
mod output;
mod parallel;
mod progress;
mod recipe_keys;
mod registry;
mod report;
mod reports;
mod resolve;
mod summary;
mod table;
mod tree;
mod why;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

use args::{CargoCli, CargoVerb, Cli, Command, UNDER_CARGO, Verb};
use exit::Exit;
use failure::Failure;

/// How the program was started.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Caller {
    Alone,
    Cargo,
}

/// Runs the command in `args`, whose first element is the program's own name.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let mut args: Vec<OsString> = args.collect();
    let is_under_cargo = args.get(1).is_some_and(|arg| arg == UNDER_CARGO);
    if is_under_cargo {
        args.remove(1);
    }
    if args.len() < 2 {
        args.push("--help".into());
    }
    args::color(&args).write_global();
    let result = if is_under_cargo { under_cargo(&args) } else { alone(&args) };
    result
        .unwrap_or_else(|failure| {
            report::failure(&failure);
            failure.exit
        })
        .into()
}

fn alone(args: &[OsString]) -> Result<Exit, Failure> {
    match Cli::try_parse_from(args) {
        Ok(cli) => match cli.verb {
            Verb::Build(args) => build::run(&args),
            Verb::Manifests(args) => manifests::run(&args, None),
            Verb::Other(command) => other(&command, Caller::Alone),
        },
        Err(error) => help_or_usage(&error),
    }
}

fn under_cargo(args: &[OsString]) -> Result<Exit, Failure> {
    match CargoCli::try_parse_from(args) {
        Ok(cli) => match cli.verb {
            CargoVerb::Build(args) => cargo::run(&args, cli.color),
            CargoVerb::Manifests(args) => cargo::manifests(*args, cli.color),
            CargoVerb::Other(mut command) => {
                cargo::settle(&mut command)?;
                other(&command, Caller::Cargo)
            }
        },
        Err(error) => help_or_usage(&error),
    }
}

fn other(command: &Command, caller: Caller) -> Result<Exit, Failure> {
    match command {
        Command::Init(args) => init::run(args, caller),
        Command::Deps(args) => deps::run(args),
        Command::Config(command) => config::run(command),
        Command::Resolve(args) => resolve::run(args),
        Command::Copy(args) => copy::run(args),
        Command::Index(args) => index::run(args),
        Command::Cache(command) => cache::run(command),
        Command::Recipe(command) => recipe_keys::run(command),
        Command::Completions(args) => completions::run(args, caller),
        Command::Man(args) => man::run(args),
    }
}

/// Prints help or the version if requested; everything else is a usage error.
fn help_or_usage(error: &clap::Error) -> Result<Exit, Failure> {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            output::print(&error.render().ansi().to_string())?;
            Ok(Exit::Done)
        }
        _ => Err(Failure::from_clap(error)),
    }
}
