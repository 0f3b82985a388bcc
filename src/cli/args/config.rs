//! The arguments of `coracle config`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use coracle::recipe::RecipeOverrides;

use super::OutputFormat;
use super::shared_flags::{ConfigFlags, RegistryArgs};

#[derive(Subcommand)]
#[command(disable_help_subcommand = true)]
pub(in crate::cli) enum ConfigCommand {
    /// Render the configuration files as the program will read them
    Render(Box<ConfigRenderArgs>),
    #[command(flatten)]
    Contract(ContractCommand),
}

#[derive(Subcommand)]
#[command(disable_help_subcommand = true)]
pub(in crate::cli) enum CargoConfigCommand {
    /// Render the configuration files as the program will read them
    Render(Box<CargoConfigRenderArgs>),
    #[command(flatten)]
    Contract(ContractCommand),
}

/// The commands that read contracts, which are the same under cargo.
#[derive(Subcommand)]
#[command(disable_help_subcommand = true)]
pub(in crate::cli) enum ContractCommand {
    /// Show an image's contract: the configuration that it expects
    Show(ConfigShowArgs),
    /// Check Kubernetes manifests against an image's contract
    Check(Box<ConfigCheckArgs>),
    /// Compare two images' contracts and report breaking changes
    Diff(ConfigDiffArgs),
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle config render                         the files of ./coracle.toml
  coracle config render --environment production -o out
  coracle config render --config config/:/etc/app --set port=8080
  coracle config render --set-file db.password=./password -o out

A directory is used with every file and folder in it; a file whose name ends in `.j2` is a template. `values.toml` (or `.yaml`, \
`.json`) and `schema.json` in it are the values and their JSON Schema. A file that uses a value marked `writeOnly` is \
secret: it is written only with `-o`, readable only by its owner.")]
pub(in crate::cli) struct ConfigRenderArgs {
    /// Read the recipe from FILE; default: ./coracle.toml, or Cargo.toml under cargo, unless
    /// `--config` is given
    #[arg(short, long = "file", value_name = "FILE")]
    pub(in crate::cli) file: Option<PathBuf>,

    /// Write the files below DIR, each at its path, replacing what this command wrote there before
    #[arg(short, long = "output", value_name = "DIR")]
    pub(in crate::cli) output: Option<PathBuf>,

    /// Print only warnings and errors to stderr
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,

    // Its `next_help_heading` applies to all arguments that follow, so it comes last.
    #[command(flatten)]
    config: ConfigFlags,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  cargo coracle config render -p shop           the files of this package
  cargo coracle config render --environment production -o out
  cargo coracle config render --set-file db.password=./password -o out

Settings are in Cargo.toml, in `[package.metadata.coracle]`. A file that uses a value marked `writeOnly` is secret: it is \
written only with `-o`, readable only by its owner.")]
pub(in crate::cli) struct CargoConfigRenderArgs {
    /// Render the configuration of this package
    #[arg(short, long, value_name = "SPEC", conflicts_with = "file", help_heading = "Cargo")]
    pub(in crate::cli) package: Option<String>,

    /// The Cargo.toml to read; default: the one in this or the closest parent directory
    #[arg(long, value_name = "PATH", conflicts_with = "file", help_heading = "Cargo")]
    pub(in crate::cli) manifest_path: Option<PathBuf>,

    #[command(flatten)]
    pub(in crate::cli) render: ConfigRenderArgs,
}

impl ConfigRenderArgs {
    /// Whether the flags specify everything that is rendered.
    pub(in crate::cli) fn needs_no_recipe(&self) -> bool {
        self.file.is_none() && self.config.has_mounts()
    }

    pub(in crate::cli) fn overrides(&self) -> RecipeOverrides {
        RecipeOverrides { config: self.config.overrides(), ..RecipeOverrides::default() }
    }
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle config show oci:shop.oci             files, parameters, secrets
  coracle config show oci:shop.oci --format json
  coracle config show oci:shop.oci --contract oci:contracts
  coracle config show docker://ghcr.io/acme/shop:1.2

Exit code 1: the image has no contract.")]
pub(in crate::cli) struct ConfigShowArgs {
    /// The image: `docker://NAME[:TAG][@DIGEST]`, `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]` or
    /// `docker-archive:FILE[:TAG]`; or a JSON file with a contract
    #[arg(value_name = "IMAGE", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) image: String,

    /// The whole contract: a JSON file, or the layout `oci:DIR` or repository `docker://NAME` that
    /// it was published to; default: next to the image
    #[arg(long, value_name = "FILE|oci:DIR|docker://NAME", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) contract: Option<String>,

    #[command(flatten)]
    pub(in crate::cli) common: ContractCommandArgs,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle config check oci:shop.oci deploy/          every file in the directory
  kubectl kustomize overlays/prod | coracle config check oci:shop.oci -
  helm template shop chart/ | coracle config check oci:shop.oci -
  coracle config check oci:shop.oci deploy.yaml --contract oci:contracts \\
      --values values/production.toml

The container is selected by the image's digest, its name or `coracle://NAME`; otherwise it must be the only one. \
Exit code 4: the manifests violate the contract. docs/contract.md lists the rules.")]
pub(in crate::cli) struct ConfigCheckArgs {
    /// The image: `docker://NAME[:TAG][@DIGEST]`, `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]` or
    /// `docker-archive:FILE[:TAG]`
    #[arg(value_name = "IMAGE", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) image: String,

    /// YAML or JSON files, or directories of them; `-` is stdin
    #[arg(value_name = "MANIFEST", required = true)]
    pub(in crate::cli) manifests: Vec<PathBuf>,

    /// Check the container of this name
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) container: Option<String>,

    /// The whole contract: a JSON file, or the layout `oci:DIR` or repository `docker://NAME` that
    /// it was published to; default: next to the image
    #[arg(long, value_name = "FILE|oci:DIR|docker://NAME", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) contract: Option<String>,

    /// Also check these values: validate them with the contract's schema, render its templates and
    /// compare; TOML, YAML or JSON
    #[arg(long = "values", value_name = "FILE")]
    pub(in crate::cli) values: Vec<PathBuf>,

    #[command(flatten)]
    pub(in crate::cli) common: ContractCommandArgs,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle config diff oci:shop.oci:1.2 oci:shop.oci:1.3
  coracle config diff contract-1.2.json oci:shop.oci --format json
  coracle config diff docker://ghcr.io/acme/shop:1.2 oci:shop.oci:1.3

Exit code 4: NEW would not work with the configuration made for OLD.")]
pub(in crate::cli) struct ConfigDiffArgs {
    /// The old image, or a JSON file with its contract
    #[arg(value_name = "OLD", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) old: String,

    /// The new image, or a JSON file with its contract
    #[arg(value_name = "NEW", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) new: String,

    #[command(flatten)]
    pub(in crate::cli) common: ContractCommandArgs,
}

/// The flags of all commands that read contracts.
#[derive(Args)]
pub(in crate::cli) struct ContractCommandArgs {
    /// Output format of stdout
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = OutputFormat::Text)]
    pub(in crate::cli) format: OutputFormat,

    /// Print only warnings and errors to stderr
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,

    /// The platform to use, if the image has several
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub(in crate::cli) platform: Option<String>,

    #[command(flatten)]
    pub(in crate::cli) registry: RegistryArgs,
}
