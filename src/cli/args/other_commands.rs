//! The arguments of the other commands: `coracle deps`, `init`, `recipe`, `completions` and `man`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::shared_flags::RegistryArgs;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum DepsFormat {
    /// Each object below the one that needs it
    Tree,
    /// One path per line
    Paths,
    /// A JSON object for one FILE, an array for several
    Json,
    /// One JSON object per line
    Jsonl,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle deps ./app                      a tree with sizes and search rules
  coracle deps --why libz.so.1 ./app      which objects need it, and its size
  coracle deps --compressed ./app         what each object adds to an image
  coracle deps --format jsonl /usr/bin/*  thousands of files in one process
  coracle deps --root ./rootfs /bin/app   only inside another root file system
  coracle deps --sysroot /usr/aarch64-linux-gnu ./app
  coracle deps oci:app.oci /usr/bin/app   inside an image

The program, its dynamic loader and ldd are never executed. Exit code 4: a dependency is missing or unusable; 1: no FILE \
could be read, or no object has the name in `--why`.")]
pub(in crate::cli) struct DepsArgs {
    /// ELF programs, shared libraries or `#!` scripts; after an image such as `oci:DIR` or
    /// `docker://NAME`, paths in it, by default of the program that it starts
    #[arg(value_name = "FILE", required = true)]
    pub(in crate::cli) files: Vec<PathBuf>,

    /// Output format of stdout: `tree`, `paths` (one library per line), `json` (an object, or an array
    /// for several files) or `jsonl` (one object per line)
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = DepsFormat::Tree)]
    #[arg(hide_possible_values = true)]
    pub(in crate::cli) format: DepsFormat,

    /// Explain this object, named by path, file name or needed name: which objects need it, which
    /// rule found it, what was searched before, and its size
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) why: Option<String>,

    /// Print only warnings and errors to stderr
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,

    /// Show each object's compressed size in an image layer
    #[arg(long)]
    pub(in crate::cli) compressed: bool,

    /// Check for undefined symbols, too; symbol versions are always checked
    #[arg(long)]
    pub(in crate::cli) symbols: bool,

    /// Use this directory as the root file system; FILE is a path inside it. With several roots,
    /// the first that contains FILE for its platform is used
    #[arg(long = "root", value_name = "[PLATFORM=]DIR", help_heading = "Roots")]
    pub(in crate::cli) roots: Vec<OsString>,

    /// Take the dynamic loader and the libraries from this root file system, but not FILE
    #[arg(long = "sysroot", value_name = "[PLATFORM=]DIR", help_heading = "Roots")]
    pub(in crate::cli) sysroots: Vec<OsString>,

    /// The platform of the image, such as `linux/arm64`; default: the first of the image
    #[arg(long, value_name = "PLATFORM", help_heading = "Roots")]
    pub(in crate::cli) platform: Option<String>,

    /// The value of LD_LIBRARY_PATH; the environment is not read
    #[arg(long, value_name = "DIRS", help_heading = "Loader")]
    pub(in crate::cli) library_path: Option<String>,

    /// The value of LD_PRELOAD; the environment is not read
    #[arg(long, value_name = "NAMES", help_heading = "Loader")]
    pub(in crate::cli) preload: Option<String>,

    /// The program's working directory, for relative paths; default: `/`
    #[arg(long, value_name = "PATH", help_heading = "Loader")]
    pub(in crate::cli) working_dir: Option<String>,

    /// The CPU's hwcaps level, such as x86-64-v3, or `none`; default: the highest that is installed
    #[arg(long, value_name = "LEVEL", help_heading = "Loader")]
    pub(in crate::cli) hwcaps: Option<String>,

    /// The value of `$PLATFORM` in search paths
    #[arg(long, value_name = "NAME", help_heading = "Loader")]
    pub(in crate::cli) platform_token: Option<String>,

    #[command(flatten)]
    pub(in crate::cli) registry: RegistryArgs,
}

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

    /// Print only warnings and errors to stderr
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,
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

    /// Print only warnings and errors to stderr
    #[arg(short, long)]
    #[allow(dead_code, reason = "this command prints nothing else")]
    pub(in crate::cli) quiet: bool,
}

#[derive(Args)]
pub(in crate::cli) struct ManArgs {
    /// The directory to write the pages to
    #[arg(value_name = "DIR")]
    pub(in crate::cli) directory: PathBuf,

    /// The date to print on the pages, such as `2026-01-31`
    #[arg(long, value_name = "DATE")]
    pub(in crate::cli) date: String,

    /// Print only warnings and errors to stderr
    #[arg(short, long)]
    #[allow(dead_code, reason = "this command prints nothing else")]
    pub(in crate::cli) quiet: bool,
}

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

    /// Print only warnings and errors to stderr
    #[arg(short, long)]
    #[allow(dead_code, reason = "this command prints nothing else")]
    pub(in crate::cli) quiet: bool,
}
