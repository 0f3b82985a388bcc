//! `coracle config`: renders a program's configuration, and checks it against the image's contract.

mod check;
mod contract_output;
mod manifest_files;
mod render;

pub(super) use check::{check_manifests, print_notes};
pub(super) use manifest_files::read_manifests;

use super::args::ConfigCommand;
use super::error::{CliError, CliExit};

/// Runs `coracle config`.
pub(super) fn run_config(command: &ConfigCommand) -> Result<CliExit, CliError> {
    match command {
        ConfigCommand::Render(args) => render::run_config_render(args),
        ConfigCommand::Show(args) => contract_output::run_config_show(args),
        ConfigCommand::Check(args) => check::run_config_check(args),
        ConfigCommand::Diff(args) => contract_output::run_config_diff(args),
    }
}
