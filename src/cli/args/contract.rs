//! The flags of the commands about contracts: `config show`, `config check`, `config diff` and
//! `resolve`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::{CacheArgs, OutputFormat, RegistryArgs};

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

    /// Output format of stdout
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = OutputFormat::Text)]
    pub(in crate::cli) format: OutputFormat,

    /// The platform to use, if the image has several
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub(in crate::cli) platform: Option<String>,

    #[command(flatten)]
    pub(in crate::cli) registry: RegistryArgs,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle config check oci:shop.oci deploy/          every file in the directory
  kubectl kustomize overlays/prod | coracle config check oci:shop.oci -
  helm template shop chart/ | coracle config check oci:shop.oci -
  coracle config check oci:shop.oci deploy.yaml --contract oci:contracts --values values/production.toml

The container is selected by the image's digest, its name or `coracle://NAME`; otherwise it must be the only one.
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

    /// Output format of stdout
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = OutputFormat::Text)]
    pub(in crate::cli) format: OutputFormat,

    /// The platform to use, if the image has several
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub(in crate::cli) platform: Option<String>,

    #[command(flatten)]
    pub(in crate::cli) registry: RegistryArgs,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle config diff oci:shop.oci:1.2 oci:shop.oci:1.3
  coracle config diff contract-1.2.json oci:shop.oci --format json
  coracle config diff docker://ghcr.io/acme/shop:1.2 docker://ghcr.io/acme/shop:1.3

Exit code 4: NEW would not work with the configuration made for OLD.")]
pub(in crate::cli) struct ConfigDiffArgs {
    /// The old image, or a JSON file with its contract
    #[arg(value_name = "OLD", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) old: String,

    /// The new image, or a JSON file with its contract
    #[arg(value_name = "NEW", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) new: String,

    /// Output format of stdout
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = OutputFormat::Text)]
    pub(in crate::cli) format: OutputFormat,

    /// The platform to use, if the image has several
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub(in crate::cli) platform: Option<String>,

    #[command(flatten)]
    pub(in crate::cli) registry: RegistryArgs,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle resolve deploy.yaml --image shop=oci:shop.oci | kubectl apply --server-side -f -
  coracle resolve deploy/ -f coracle.toml         build the recipe's image for its digest
  kubectl kustomize . | coracle resolve - --image ghcr.io/acme/shop=oci:shop.oci
  coracle resolve deploy/ --image shop=docker://ghcr.io/acme/shop:1.2
  coracle resolve deploy/ --remote                pin every tag, asking its registry

References `coracle://NAME`, and these images' names at `image` fields, are replaced by references with a digest. All other
bytes are unchanged. Exit code 4: the manifests violate a contract; nothing is written.")]
pub(in crate::cli) struct ResolveArgs {
    /// YAML or JSON files, or directories of them; `-` is stdin
    #[arg(value_name = "FILE", required = true)]
    pub(in crate::cli) manifests: Vec<PathBuf>,

    /// Where the image NAME is: `NAME=oci:DIR[:TAG]`, `NAME=docker://NAME[:TAG]`
    #[arg(long = "image", value_name = "NAME=IMAGE")]
    pub(in crate::cli) images: Vec<String>,

    /// Build this recipe's image to learn its digest; the image is discarded
    #[arg(short = 'f', long = "file", value_name = "RECIPE")]
    pub(in crate::cli) recipes: Vec<PathBuf>,

    /// Ask registries for the digests of all other images of containers and volumes, one request
    /// each
    #[arg(long)]
    pub(in crate::cli) remote: bool,

    /// Do not check the manifests against the images' contracts
    #[arg(long)]
    pub(in crate::cli) no_check: bool,

    #[command(flatten)]
    pub(in crate::cli) cache: CacheArgs,

    #[command(flatten)]
    pub(in crate::cli) registry: RegistryArgs,
}
