//! `coracle config`: renders a program's configuration, and checks it against the image's contract.

mod check;
mod diff;
mod render;
mod show;

pub(super) use check::{check_manifests, print_notes, read_manifests};

use super::args::ConfigCommand;
use super::error::CliError;
use super::exit::CliExit;

pub(super) fn run_config(command: &ConfigCommand) -> Result<CliExit, CliError> {
    match command {
        ConfigCommand::Render(args) => render::run_config_render(args),
        ConfigCommand::Show(args) => show::run_config_show(args),
        ConfigCommand::Check(args) => check::run_config_check(args),
        ConfigCommand::Diff(args) => diff::run_config_diff(args),
    }
}
