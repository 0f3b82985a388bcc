//! Where earlier builds are kept, for the commands that build.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Args)]
pub(in crate::cli) struct CacheArgs {
    /// Do everything again, and keep nothing for the next build
    #[arg(long, conflicts_with = "cache_dir", help_heading = "Cache")]
    pub(in crate::cli) no_cache: bool,

    /// Keep what the next build can use again in DIR; `coracle` in the user's cache directory when nothing is said
    #[arg(long, value_name = "DIR", help_heading = "Cache")]
    pub(in crate::cli) cache_dir: Option<PathBuf>,
}

#[derive(Args)]
pub(in crate::cli) struct SharedArgs {
    /// Take layers that others have packed from this repository at a registry; they are unpacked to see what they hold
    #[arg(long, value_name = "REPOSITORY", help_heading = "Cache")]
    pub(in crate::cli) cache_from: Vec<String>,

    /// Keep layers that are packed here in this repository, for others
    #[arg(long, value_name = "REPOSITORY", help_heading = "Cache")]
    pub(in crate::cli) cache_to: Option<String>,

    /// Believe who fills the repositories of `--cache-from`: their layers are not unpacked
    #[arg(long, requires = "cache_from", help_heading = "Cache")]
    pub(in crate::cli) trust_cache: bool,
}

#[derive(Subcommand)]
#[command(disable_help_subcommand = true)]
pub(in crate::cli) enum CacheCommand {
    /// Remove what was not used for the longest time
    Prune(PruneArgs),
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle cache prune                     keeps 5 GB, as every build does
  coracle cache prune --keep 500MB
  coracle cache prune --all")]
pub(in crate::cli) struct PruneArgs {
    /// Keep so many bytes: `500MB`, `2GiB`
    #[arg(long, value_name = "SIZE", default_value = "5GB")]
    pub(in crate::cli) keep: String,

    /// Keep nothing
    #[arg(long, conflicts_with = "keep")]
    pub(in crate::cli) all: bool,

    /// The cache to prune; `coracle` in the user's cache directory when nothing is said
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) cache_dir: Option<PathBuf>,
}
