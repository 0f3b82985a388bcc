//! The command line: arguments in, exit code out.
//!
//! stdout is data and stderr is talk. Everything else is the library's; only its public names are used here.

mod args;
mod build;
mod cache;
mod chains;
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
mod interrupt;
mod manifests;
mod output;
mod parallel;
mod progress;
mod registry;
mod report;
mod resolve;
mod table;
mod tree;
mod why;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

use args::{Cli, Command};
use exit::Exit;
use failure::Failure;

/// Runs the command that `args` name; the first is the program's own name.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let mut args: Vec<OsString> = args.collect();
    if args.len() < 2 {
        args.push("--help".into());
    }
    args::color(&args).write_global();
    let result = match Cli::try_parse_from(&args) {
        Ok(cli) => match cli.command {
            Command::Build(args) => build::run(&args),
            Command::Deps(args) => deps::run(&args),
            Command::Config(command) => config::run(&command),
            Command::Manifests(args) => manifests::run(&args),
            Command::Resolve(args) => resolve::run(&args),
            Command::Copy(args) => copy::run(&args),
            Command::Index(args) => index::run(&args),
            Command::Cache(command) => cache::run(&command),
        },
        Err(error) => help_or_usage(&error),
    };
    result
        .unwrap_or_else(|failure| {
            report::failure(&failure);
            failure.exit
        })
        .into()
}

/// Help and version are what somebody asked for; everything else is a wrong usage.
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
