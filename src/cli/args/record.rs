//! The flags of `coracle record`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::{CacheArgs, OutputFormat, RegistryArgs};

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle record                        run the recipe's program once
  coracle record -- ./app --port 8080   run it with other arguments
  coracle record --write                merge what was found into coracle.toml
  coracle record --forget -- ./app      discard what earlier runs recorded
  coracle record -- /usr/bin/git log    without a recipe

Ctrl-C ends the program. It runs here, with your environment and permissions, and so do its child processes. Its stdout is written \
to stderr. Coracle ends with the program's exit code. Linux only. docs/record.md has the details.")]
pub(in crate::cli) struct RecordArgs {
    /// The command to run; default: the recipe's first program with its arguments
    #[arg(last = true, value_name = "PROGRAM ARGS")]
    pub(in crate::cli) command: Vec<OsString>,

    /// Read the recipe from FILE; default: ./coracle.toml if it exists
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) file: Option<PathBuf>,

    /// Merge the lines into the recipe; without a recipe, write a new ./coracle.toml
    #[arg(long)]
    pub(in crate::cli) write: bool,

    /// Discard what earlier runs have recorded
    #[arg(long)]
    pub(in crate::cli) forget: bool,

    /// Output format of stdout
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = OutputFormat::Text)]
    pub(in crate::cli) format: OutputFormat,

    /// Print only warnings and errors to stderr
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,

    #[command(flatten)]
    pub(in crate::cli) cache: CacheArgs,

    #[command(flatten)]
    pub(in crate::cli) registry: RegistryArgs,
}
