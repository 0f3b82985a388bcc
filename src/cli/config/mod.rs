//! `coracle config`: renders a program's configuration, and checks it against the image's contract.

mod check;
mod diff;
mod render;
mod show;

pub(super) use check::{judge, read_inputs, say_notes};

use super::args::ConfigCommand;
use super::exit::Exit;
use super::failure::Failure;

pub(super) fn run(command: &ConfigCommand) -> Result<Exit, Failure> {
    match command {
        ConfigCommand::Render(args) => render::run(args),
        ConfigCommand::Show(args) => show::run(args),
        ConfigCommand::Check(args) => check::run(args),
        ConfigCommand::Diff(args) => diff::run(args),
    }
}
