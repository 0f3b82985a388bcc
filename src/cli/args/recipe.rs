//! The flags of `coracle recipe`.

use clap::{Args, Subcommand, ValueEnum};

#[derive(Subcommand)]
#[command(disable_help_subcommand = true)]
pub(in crate::cli) enum RecipeCommand {
    /// Print the keys of coracle.toml with type, default and description
    Keys(KeysArgs),
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum KeysFormat {
    Text,
    /// An array with one object per key
    Json,
    /// One table per section
    Markdown,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle recipe keys                      every key, by section
  coracle recipe keys runtime              the keys of `[runtime]`
  coracle recipe keys image.user config.reload
  coracle recipe keys --format json

In Cargo.toml, the same keys are below `[package.metadata.coracle]` and `[workspace.metadata.coracle]`.")]
pub(in crate::cli) struct KeysArgs {
    /// Print only this key or section, such as `image.user` or `runtime`
    #[arg(value_name = "KEY")]
    pub(in crate::cli) keys: Vec<String>,

    /// Output format of stdout: `text`, `json` (an array of keys) or `markdown` (a table per section)
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = KeysFormat::Text)]
    #[arg(hide_possible_values = true)]
    pub(in crate::cli) format: KeysFormat,
}
