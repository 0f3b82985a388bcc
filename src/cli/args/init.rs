//! The flags of `coracle init`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle init ./app                      a coracle.toml for this program
  coracle init                            for the only program in this folder, or for its Cargo.toml
  coracle init services/shop              the same in that folder
  cargo coracle init                      `[package.metadata.coracle]` in Cargo.toml
  coracle init ./app --ci github          with a workflow that builds and pushes the image
  coracle init ./app --dry-run            what would be written

A file that is there is never changed, but for Cargo.toml, which gets lines at its end. docs/init.md says more.")]
pub(in crate::cli) struct InitArgs {
    /// The program that the image is for, or the folder to write to; this folder when nothing is said
    #[arg(value_name = "PROGRAM|DIR")]
    pub(in crate::cli) path: Option<PathBuf>,

    /// Write a coracle.toml where there is a Cargo.toml, too
    #[arg(long)]
    pub(in crate::cli) recipe: bool,

    /// Begin no configuration
    #[arg(long)]
    pub(in crate::cli) no_config: bool,

    /// Write a file for this CI; the one where the sources are when nothing is said
    #[arg(long, value_enum, value_name = "CI")]
    pub(in crate::cli) ci: Option<Ci>,

    /// Print what would be written, and write nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
}

/// Whose CI.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(in crate::cli) enum Ci {
    Github,
    Gitlab,
    None,
}
