//! The flags of `coracle completions` and `coracle man`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

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
