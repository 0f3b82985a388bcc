//! The command line's arguments for clap. Values are validated by the recipe, not here.

mod build;
mod cache;
mod cargo;
mod config;
mod deps;
mod implicit;
mod init_completions;
mod manifests;
mod recipe;
mod registry;
mod suggested_values;

use std::ffi::OsString;

use clap::{Parser, Subcommand, ValueEnum};

pub(super) use build::{BuildArgs, ReportFileArgs};
pub(super) use cache::{CacheArgs, CacheCommand, PruneArgs, RemoteCacheArgs};
pub(super) use cargo::{CargoArgs, CargoBuildArgs, CargoCli, CargoCommand, CargoManifestsArgs, UNDER_CARGO};
pub(super) use config::{ConfigCheckArgs, ConfigCommand, ConfigDiffArgs, ConfigRenderArgs, ConfigShowArgs};
pub(super) use deps::{DepsArgs, DepsFormat};
pub(super) use init_completions::{Ci, CompletionsArgs, InitArgs, ManArgs};
pub(super) use manifests::{ManifestLayout, ManifestsArgs, ResolveArgs};
pub(super) use recipe::{KeysArgs, KeysFormat, RecipeCommand};
pub(super) use registry::{CopyArgs, IndexArgs, RegistryArgs};

/// Turns built programs into minimal OCI images.
#[derive(Parser)]
#[command(
    name = "coracle",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    subcommand_value_name = "COMMAND",
    subcommand_help_heading = "Commands",
    after_help = "\
Examples:
  coracle init ./app                    write a first coracle.toml
  coracle build ./app                   build an image of a program in ./app.oci
  coracle build /usr/bin/curl -t curl   include the libraries that it needs
  coracle build                         build the image in coracle.toml
  coracle deps /usr/bin/curl            show what the dynamic loader would map
  coracle manifests                     print Kubernetes manifests for the image

Exit codes: 0 success, 1 failure, 2 invalid usage or recipe, 3 registry or network, 4 findings."
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: CoracleCommand,

    /// When to use colours; NO_COLOR is respected
    // Listed after the command's own options.
    #[arg(long, global = true, display_order = 500, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    #[allow(
        dead_code,
        reason = "read by `color_choice` before clap runs, so that it applies to help and errors"
    )]
    color: Color,
}

#[derive(Subcommand)]
pub(super) enum CoracleCommand {
    /// Build an image from built programs
    Build(Box<BuildArgs>),
    /// Print Kubernetes manifests for an image: ConfigMaps, workload, Service
    #[command(display_order = 3)]
    Manifests(Box<ManifestsArgs>),
    #[command(flatten)]
    Other(CommonCommand),
}

/// The commands that `coracle` and `cargo coracle` share.
#[derive(Subcommand)]
pub(super) enum CommonCommand {
    /// Write a first recipe, with configuration and CI
    Init(InitArgs),
    /// Show what the dynamic loader would map for a program, and why
    Deps(Box<DepsArgs>),
    /// Render and check a program's configuration, which is kept out of its image
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Pin images in manifests by digest
    Resolve(Box<ResolveArgs>),
    /// Copy an image between registries, layouts and archives
    Copy(Box<CopyArgs>),
    /// Combine images of several platforms into one image index
    Index(Box<IndexArgs>),
    /// Manage the build cache
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Look up the keys of a recipe
    #[command(subcommand)]
    Recipe(RecipeCommand),
    /// Print a shell completion script
    Completions(CompletionsArgs),
    /// Write manual pages
    #[command(hide = true)]
    Man(ManArgs),
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OutputFormat {
    Text,
    Json,
}

/// Returns the value of `--color` in `args`. Parsed before clap runs, because clap's help and
/// errors are coloured, too.
pub(super) fn color_choice(args: &[OsString]) -> anstream::ColorChoice {
    let flags = args.iter().map_while(|arg| arg.to_str().filter(|arg| *arg != "--"));
    let mut choice = anstream::ColorChoice::Auto;
    let mut previous = "";
    for arg in flags {
        let value = arg.strip_prefix("--color=").or_else(|| (previous == "--color").then_some(arg));
        choice = match value {
            Some("always") => anstream::ColorChoice::Always,
            Some("never") => anstream::ColorChoice::Never,
            _ => choice,
        };
        previous = arg;
    }
    choice
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clap_definitions_are_valid() {
        <Cli as clap::CommandFactory>::command().debug_assert();
        <CargoCli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn finds_color_flag_before_double_dash() {
        let choice = |args: &str| color_choice(&args.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(choice("coracle --color never build"), anstream::ColorChoice::Never);
        assert_eq!(choice("coracle build --color=always"), anstream::ColorChoice::Always);
        assert_eq!(choice("coracle build -- --color=always"), anstream::ColorChoice::Auto);
    }
}
