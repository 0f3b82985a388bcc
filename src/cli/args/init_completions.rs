//! The flags of `coracle init`, `coracle completions` and `coracle man`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use clap_complete::Shell;

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle init ./app              a coracle.toml for this program
  coracle init                    for this directory's Cargo.toml or program
  coracle init services/shop      the same in that directory
  cargo coracle init              `[package.metadata.coracle]` in Cargo.toml
  coracle init ./app --ci github  with a workflow that pushes the image
  coracle init ./app --dry-run    only print what would be written

Existing files are never changed, except that lines are appended to Cargo.toml. docs/init.md has the details.")]
pub(in crate::cli) struct InitArgs {
    /// The program, or the directory to write to; default: this directory
    #[arg(value_name = "PROGRAM|DIR")]
    pub(in crate::cli) path: Option<PathBuf>,

    /// Write a coracle.toml even if there is a Cargo.toml
    #[arg(long)]
    pub(in crate::cli) recipe: bool,

    /// Write no configuration
    #[arg(long)]
    pub(in crate::cli) no_config: bool,

    /// Write a workflow for this CI; default: the one that the repository uses
    #[arg(long, value_enum, value_name = "CI")]
    pub(in crate::cli) ci: Option<Ci>,

    /// Print what would be written; write nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
}

/// The CI service to write a workflow for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(in crate::cli) enum Ci {
    Github,
    Gitlab,
    None,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle completions bash > ~/.local/share/bash-completion/completions/coracle
  coracle completions zsh > ~/.zfunc/_coracle
  coracle completions fish > ~/.config/fish/completions/coracle.fish
  cargo coracle completions zsh > ~/.zfunc/_cargo-coracle")]
pub(in crate::cli) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(in crate::cli) shell: Shell,
}

#[derive(Args)]
pub(in crate::cli) struct ManArgs {
    /// The directory to write the pages to
    #[arg(value_name = "DIR")]
    pub(in crate::cli) directory: PathBuf,

    /// The date to print on the pages, such as `2026-01-31`
    #[arg(long, value_name = "DATE")]
    pub(in crate::cli) date: String,
}
