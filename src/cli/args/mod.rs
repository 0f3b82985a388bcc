//! The command line's arguments for clap: the commands of `coracle`, and those of `cargo coracle`, which are the
//! same, except that `build` and `manifests` take cargo's flags. Values are validated by the recipe, not here.

mod build;
mod cargo_flags;
mod config;
mod copy_index_and_cache;
mod inspect;
mod lock;
mod manifests;
mod other_commands;
mod record;
mod reload_image;
mod run;
mod runtime_flags;
mod shared_flags;
mod signing;

use std::ffi::OsString;

use clap::{Arg, Args, Parser, Subcommand, ValueEnum};

pub(super) use build::{BuildArgs, ReportFileArgs};
pub(super) use cargo_flags::CargoArgs;
pub(super) use config::{
    CargoConfigCommand, CargoConfigRenderArgs, ConfigCheckArgs, ConfigCommand, ConfigDiffArgs,
    ConfigRenderArgs, ConfigShowArgs, ContractCommand,
};
pub(super) use copy_index_and_cache::{CacheCommand, CopyArgs, IndexArgs, PruneArgs};
pub(super) use inspect::{DiffArgs, DiffFormat, InspectArgs, InspectFormat, SbomArgs, SbomDocumentFormat};
pub(super) use lock::LockArgs;
pub(super) use manifests::{ManifestLayout, ManifestsArgs, ResolveArgs};
pub(super) use other_commands::{
    Ci, CompletionsArgs, DepsArgs, DepsFormat, InitArgs, KeysArgs, KeysFormat, ManArgs, RecipeCommand,
};
pub(super) use record::RecordArgs;
pub(super) use reload_image::ReloadImageArgs;
pub(super) use run::{DebugArgs, PrintFormat, RunArgs, StopArgs};
pub(super) use shared_flags::{CacheArgs, RegistryArgs, RemoteCacheArgs};
pub(super) use signing::{BuildSigningArgs, KeyCommand, KeyGenerateArgs, SignArgs, SignerArgs, VerifyArgs};

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
  coracle run                           run it here, with its configuration
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
    /// Run an image here as a restricted pod would, with its configuration
    #[command(display_order = 1)]
    Run(Box<RunArgs>),
    /// Print Kubernetes manifests for an image: ConfigMaps, workload, Service
    #[command(display_order = 5)]
    Manifests(Box<ManifestsArgs>),
    /// Render and check a program's configuration, which is kept out of its image
    #[command(subcommand, display_order = 6)]
    Config(ConfigCommand),
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
    /// Run a program once, and print what it opens that its image lacks
    Record(Box<RecordArgs>),
    /// End a run that is in the background
    Stop(StopArgs),
    /// Run a tool of this machine next to a program that `coracle run` runs
    Debug(Box<DebugArgs>),
    /// Pin images in manifests by digest
    Resolve(Box<ResolveArgs>),
    /// Show what an image contains, and why
    Inspect(Box<InspectArgs>),
    /// Print the software bill of materials of an image
    Sbom(Box<SbomArgs>),
    /// Show how two images differ
    Diff(Box<DiffArgs>),
    /// Copy an image between registries, layouts and archives
    Copy(Box<CopyArgs>),
    /// Sign an image, and the SBOM and provenance that are stored with it
    Sign(Box<SignArgs>),
    /// Check an image: whole, sound, signed, and the same when it is built again
    Verify(Box<VerifyArgs>),
    /// Create keys for signatures
    #[command(subcommand)]
    Key(KeyCommand),
    /// Write the lock of an image: every file that it is made of
    Lock(Box<LockArgs>),
    /// Combine images of several platforms into one image index
    Index(Box<IndexArgs>),
    /// Write the image of the sidecar that signals configuration changes
    ReloadImage(ReloadImageArgs),
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

/// The argument that `cargo-coracle` inserts before those that cargo passed to it.
pub(super) const UNDER_CARGO: &str = "--under-cargo";

/// Turns the programs of a crate into minimal OCI images.
#[derive(Parser)]
#[command(
    name = "cargo coracle",
    bin_name = "cargo coracle",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    subcommand_value_name = "COMMAND",
    subcommand_help_heading = "Commands",
    after_help = "\
Examples:
  cargo coracle build                     build images in target/coracle
  cargo coracle build -p shop -t ghcr.io/acme/shop:1.2 --push
  cargo coracle deps target/release/shop  show what its loader would map

Exit codes: 0 success, 1 failure, 2 invalid usage or recipe, 3 registry or network, 4 findings."
)]
pub(super) struct CargoCli {
    #[command(subcommand)]
    pub(super) command: CargoCommand,

    /// When to use colours; NO_COLOR is respected
    #[arg(long, global = true, display_order = 500, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub(super) color: Color,
}

#[derive(Subcommand)]
pub(super) enum CargoCommand {
    /// Run `cargo build` and build an image of each program
    Build(Box<CargoBuildArgs>),
    /// Run `cargo build`, and run the program's image here as a restricted pod would
    #[command(display_order = 1)]
    Run(Box<CargoRunArgs>),
    /// Print Kubernetes manifests for a program's image: ConfigMaps, workload, Service
    #[command(display_order = 5)]
    Manifests(Box<CargoManifestsArgs>),
    /// Render and check a program's configuration, which is kept out of its image
    #[command(subcommand, display_order = 6)]
    Config(CargoConfigCommand),
    #[command(flatten)]
    Other(CommonCommand),
}

#[derive(Args)]
#[command(
    mut_args(adapt_to_cargo),
    after_help = "\
Examples:
  cargo coracle build                            writes target/coracle/NAME.oci
  cargo coracle build -t ghcr.io/acme/shop:1.2 --push
  cargo coracle build --workspace --exclude tools  one image per program
  cargo coracle build --bin shop --features tls -o oci-archive:shop.tar
  cargo coracle build --target x86_64-unknown-linux-musl
  cargo coracle build --target x86_64-unknown-linux-gnu \\
      --target aarch64-unknown-linux-gnu \\
      --sysroot linux/arm64=/usr/aarch64-linux-gnu  one image, two platforms
  cargo coracle build --zigbuild --target aarch64-unknown-linux-gnu.2.17 \\
      --sysroot /usr/aarch64-linux-gnu
  cargo coracle build --debug -- --config /etc/shop.toml

Settings are in Cargo.toml, in `[package.metadata.coracle]` and `[workspace.metadata.coracle]`, with the keys of \
coracle.toml. Flags override them."
)]
pub(super) struct CargoBuildArgs {
    #[command(flatten)]
    pub(super) cargo: CargoArgs,

    #[command(flatten)]
    pub(super) build: BuildArgs,
}

#[derive(Args)]
#[command(
    mut_args(adapt_run_to_cargo),
    after_help = "\
Examples:
  cargo coracle run                       build and run the package's program
  cargo coracle run --bin shop -P --watch
  cargo coracle run --debug -- --verbose  with arguments of the program
  cargo coracle run oci:target/coracle/shop.oci

With `--watch`, run `cargo build` in another terminal: the program is started again when it has been built. Settings are \
in Cargo.toml, in `[package.metadata.coracle]`."
)]
pub(super) struct CargoRunArgs {
    #[command(flatten)]
    pub(super) cargo: CargoArgs,

    #[command(flatten)]
    pub(super) run: RunArgs,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  cargo coracle manifests | kubectl apply --server-side -f -
  cargo coracle manifests -p shop --environment production
  cargo coracle manifests ghcr.io/acme/shop:1.2@sha256:…  for an existing image
  cargo coracle manifests oci:target/coracle/shop.oci     for an image on disk
  cargo coracle manifests --layout kustomize -o deploy

Without IMAGE, cargo builds the program, and its image is built to learn its digest, then discarded. Settings are in \
Cargo.toml, in `[package.metadata.coracle]`.")]
pub(super) struct CargoManifestsArgs {
    #[command(flatten)]
    pub(super) cargo: CargoArgs,

    #[command(flatten)]
    pub(super) manifests: ManifestsArgs,
}

/// Hides the flags that cargo and Cargo.toml replace, and renames the one that has the name of a flag of cargo.
fn adapt_to_cargo(arg: Arg) -> Arg {
    match arg.get_id().as_str() {
        "programs" | "files" | "roots" => arg.hide(true),
        "exclude_files" => arg.long("exclude-files"),
        // cargo's `--locked` is about Cargo.lock.
        "image_locked" => arg.long("image-locked"),
        "output" => arg.help(
            "Where the image goes: `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`, `docker-archive:FILE` or \
             `docker://NAME[:TAG]`; default: `oci:target/coracle/NAME.oci`",
        ),
        _ => arg,
    }
}

/// Removes the short name of a flag that cargo uses for another.
fn adapt_run_to_cargo(arg: Arg) -> Arg {
    match arg.get_id().as_str() {
        "publish" => arg.short(None),
        _ => arg,
    }
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
    fn examples_fit_80_columns_and_paragraphs_wrap_once() {
        fn check(command: &clap::Command) {
            let footer = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for (line, next) in footer.lines().zip(footer.lines().skip(1).chain([""])) {
                let is_example = line.starts_with("  ");
                assert!(!is_example || line.chars().count() <= 80, "{}: {line}", command.get_name());
                let is_text = |line: &str| !line.is_empty() && !line.starts_with("  ") && line != "Examples:";
                assert!(!is_text(line) || !is_text(next), "{}: {line}", command.get_name());
            }
            command.get_subcommands().for_each(check);
        }
        check(&<Cli as clap::CommandFactory>::command());
        check(&<CargoCli as clap::CommandFactory>::command());
    }

    #[test]
    fn finds_color_flag_before_double_dash() {
        let choice = |args: &str| color_choice(&args.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(choice("coracle --color never build"), anstream::ColorChoice::Never);
        assert_eq!(choice("coracle build --color=always"), anstream::ColorChoice::Always);
        assert_eq!(choice("coracle build -- --color=always"), anstream::ColorChoice::Auto);
    }
}
