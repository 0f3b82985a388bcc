//! The arguments, as clap reads them. What a value means is said by the recipe, not here.

mod budget;
mod build;
mod cache;
mod cargo;
mod completions;
mod config;
mod contract;
mod deps;
mod init;
mod manifests;
mod recipe;
mod registry;
mod render;
mod reports;
mod runtime;
mod words;

use std::ffi::OsString;

use clap::{Parser, Subcommand, ValueEnum};

pub(super) use budget::BudgetArgs;
pub(super) use build::BuildArgs;
pub(super) use cache::{CacheArgs, CacheCommand, PruneArgs, SharedArgs};
pub(super) use cargo::{CargoArgs, CargoBuildArgs, CargoCli, CargoManifestsArgs, CargoVerb, UNDER_CARGO};
pub(super) use completions::{CompletionsArgs, ManArgs};
pub(super) use contract::{CheckArgs, DiffArgs, ResolveArgs, ShowArgs};
pub(super) use deps::{DepsArgs, DepsFormat};
pub(super) use init::{Ci, InitArgs};
pub(super) use manifests::{Layout, ManifestsArgs};
pub(super) use recipe::{KeysArgs, KeysFormat, RecipeCommand};
pub(super) use registry::{CopyArgs, IndexArgs, RegistryArgs};
pub(super) use render::RenderArgs;
pub(super) use reports::ReportArgs;

/// Turns a program that is already built into the smallest honest container image.
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
  coracle init ./app                      a coracle.toml to begin with
  coracle build ./app                     the image of a program, written to ./app.oci
  coracle build /usr/bin/curl -t curl     with every library that its loader would map
  coracle build                           as ./coracle.toml says
  coracle deps /usr/bin/curl              what its loader would map
  coracle manifests                       what runs the recipe's image on Kubernetes

Exit codes: 0 done, 1 failed, 2 wrong usage or recipe, 3 registry or network, 4 findings."
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) verb: Verb,

    /// When to use colours; NO_COLOR is respected
    // Behind a command's own options, however many commands there are.
    #[arg(long, global = true, display_order = 500, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    #[allow(dead_code, reason = "read by `color` before clap, so that help and errors follow it as well")]
    color: Color,
}

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Build an image of programs that are already built
    Build(Box<BuildArgs>),
    /// Print what runs an image on Kubernetes: ConfigMaps, workload, Service
    #[command(display_order = 3)]
    Manifests(Box<ManifestsArgs>),
    #[command(flatten)]
    Other(Command),
}

/// What is the same under cargo, or nearly.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Begin a recipe, with its configuration and CI
    Init(InitArgs),
    /// Show what a program's loader would map, and why
    Deps(Box<DepsArgs>),
    /// Work on a program's configuration, which stays outside its image
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Pin images in manifests by their digests
    Resolve(Box<ResolveArgs>),
    /// Copy an image between registries, layouts and archives
    Copy(Box<CopyArgs>),
    /// Join images of several platforms under one name
    Index(Box<IndexArgs>),
    /// Look after what earlier builds have left for the next
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Look up the keys of a recipe
    #[command(subcommand)]
    Recipe(RecipeCommand),
    /// Print what makes a shell complete commands and flags
    Completions(CompletionsArgs),
    /// Write manual pages
    #[command(hide = true)]
    Man(ManArgs),
}

#[derive(Subcommand)]
#[command(disable_help_subcommand = true)]
pub(super) enum ConfigCommand {
    /// Write the configuration as the program will read it
    Render(Box<RenderArgs>),
    /// Show what an image expects of its surroundings
    Show(ShowArgs),
    /// Tell whether manifests give an image what it expects
    Check(Box<CheckArgs>),
    /// Tell what changed in what an image expects, and whether it breaks
    Diff(DiffArgs),
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

/// What `--color` says in `args`. It is needed before clap has read them: help and errors have colours, too.
pub(super) fn color(args: &[OsString]) -> anstream::ColorChoice {
    let flags = args.iter().map_while(|arg| arg.to_str().filter(|arg| *arg != "--"));
    let mut choice = anstream::ColorChoice::Auto;
    let mut before = "";
    for arg in flags {
        let value = arg.strip_prefix("--color=").or_else(|| (before == "--color").then_some(arg));
        choice = match value {
            Some("always") => anstream::ColorChoice::Always,
            Some("never") => anstream::ColorChoice::Never,
            _ => choice,
        };
        before = arg;
    }
    choice
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clap_is_content_with_the_flags() {
        <Cli as clap::CommandFactory>::command().debug_assert();
        <CargoCli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn colour_is_known_before_the_rest() {
        let choice = |args: &str| color(&args.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(choice("coracle --color never build"), anstream::ColorChoice::Never);
        assert_eq!(choice("coracle build --color=always"), anstream::ColorChoice::Always);
        assert_eq!(choice("coracle build -- --color=always"), anstream::ColorChoice::Auto);
    }
}
