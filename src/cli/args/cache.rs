//! The flags of the build cache, of the remote cache and of `coracle cache`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Args)]
pub(in crate::cli) struct CacheArgs {
    /// Neither read nor write the build cache
    #[arg(long, conflicts_with = "cache_dir", help_heading = "Cache")]
    pub(in crate::cli) no_cache: bool,

    /// The build cache's directory; default: `coracle` in the user's cache directory
    #[arg(long, value_name = "DIR", help_heading = "Cache")]
    pub(in crate::cli) cache_dir: Option<PathBuf>,
}

#[derive(Args)]
pub(in crate::cli) struct RemoteCacheArgs {
    /// Reuse layers that other builds pushed to this repository, after verifying their content
    #[arg(long, value_name = "REPOSITORY", help_heading = "Cache")]
    pub(in crate::cli) cache_from: Vec<String>,

    /// Push packed layers to this repository, for reuse by other builds
    #[arg(long, value_name = "REPOSITORY", help_heading = "Cache")]
    pub(in crate::cli) cache_to: Option<String>,

    /// Do not verify the content of layers from `--cache-from`
    #[arg(long, requires = "cache_from", help_heading = "Cache")]
    pub(in crate::cli) trust_cache: bool,
}

#[derive(Subcommand)]
#[command(disable_help_subcommand = true)]
pub(in crate::cli) enum CacheCommand {
    /// Remove the least recently used files
    Prune(PruneArgs),
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle cache prune                     keep 5 GB, as every build does
  coracle cache prune --keep 500MB
  coracle cache prune --all")]
pub(in crate::cli) struct PruneArgs {
    /// Keep at most this much: `500MB`, `2GiB`
    #[arg(long, value_name = "SIZE", default_value = "5GB")]
    pub(in crate::cli) keep: String,

    /// Remove everything
    #[arg(long, conflicts_with = "keep")]
    pub(in crate::cli) all: bool,

    /// The cache directory to prune; default: `coracle` in the user's cache directory
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) cache_dir: Option<PathBuf>,
}
