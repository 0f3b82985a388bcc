//! The flags of the commands about contracts: `config show`, `config check`, `config diff` and `resolve`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::{CacheArgs, Format, RegistryArgs};

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle config show oci:shop.oci             files, parameters, what is secret
  coracle config show oci:shop.oci --format json
  coracle config show oci:shop.oci --contract oci:contracts
  coracle config show docker://ghcr.io/acme/shop:1.2

Exit code 1: the image has no contract.")]
pub(in crate::cli) struct ShowArgs {
    /// The image: `docker://NAME[:TAG][@DIGEST]`, `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]` or `docker-archive:FILE[:TAG]`;
    /// or a contract as JSON
    #[arg(value_name = "IMAGE", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) image: String,

    /// Where the whole contract is: JSON, or the layout `oci:DIR` or repository `docker://NAME` it was published to;
    /// beside the image when nothing is said
    #[arg(long, value_name = "FILE|oci:DIR|docker://NAME", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) contract: Option<String>,

    /// How stdout is written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,

    /// Of several platforms, take this one
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub(in crate::cli) platform: Option<String>,

    #[command(flatten)]
    pub(in crate::cli) registry: RegistryArgs,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle config check oci:shop.oci deploy/          every file in the folder
  kubectl kustomize overlays/prod | coracle config check oci:shop.oci -
  helm template shop chart/ | coracle config check oci:shop.oci -
  coracle config check oci:shop.oci deploy.yaml --contract oci:contracts --values values/production.toml

The container is the one with the image's digest or name, or with `coracle://NAME`; else the only one there is.
Exit code 4: something does not fit. docs/contract.md has every rule.")]
pub(in crate::cli) struct CheckArgs {
    /// The image: `docker://NAME[:TAG][@DIGEST]`, `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]` or `docker-archive:FILE[:TAG]`
    #[arg(value_name = "IMAGE", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) image: String,

    /// Files or folders of YAML or JSON; `-` is what is piped in
    #[arg(value_name = "MANIFEST", required = true)]
    pub(in crate::cli) manifests: Vec<PathBuf>,

    /// Look at the container of this name
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) container: Option<String>,

    /// Where the whole contract is: JSON, or the layout `oci:DIR` or repository `docker://NAME` it was published to;
    /// beside the image when nothing is said
    #[arg(long, value_name = "FILE|oci:DIR|docker://NAME", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) contract: Option<String>,

    /// Hold these values to the contract's schema, render its templates with them, and compare: TOML, YAML or JSON
    #[arg(long = "values", value_name = "FILE")]
    pub(in crate::cli) values: Vec<PathBuf>,

    /// How stdout is written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,

    /// Of several platforms, take this one
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

Exit code 4: a rollout of NEW with the configuration made for OLD would break.")]
pub(in crate::cli) struct DiffArgs {
    /// The image, or the contract as JSON, that runs now
    #[arg(value_name = "OLD", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) old: String,

    /// The one that is to run
    #[arg(value_name = "NEW", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) new: String,

    /// How stdout is written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,

    /// Of several platforms, take this one
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub(in crate::cli) platform: Option<String>,

    #[command(flatten)]
    pub(in crate::cli) registry: RegistryArgs,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle resolve deploy.yaml --image shop=oci:shop.oci | kubectl apply --server-side -f -
  coracle resolve deploy/ -f coracle.toml         builds the recipe's image for its digest
  kubectl kustomize . | coracle resolve - --image ghcr.io/acme/shop=oci:shop.oci
  coracle resolve deploy/ --image shop=docker://ghcr.io/acme/shop:1.2
  coracle resolve deploy/ --remote                pins every tag, as its registry says

`coracle://NAME` and, at `image`, the names of these images become references by digest; everything else stays as it
is. Exit code 4: the manifests do not give an image what it expects, so nothing is written.")]
pub(in crate::cli) struct ResolveArgs {
    /// Files or folders of YAML or JSON; `-` is what is piped in
    #[arg(value_name = "FILE", required = true)]
    pub(in crate::cli) manifests: Vec<PathBuf>,

    /// Where the image of this name is: `NAME=oci:DIR[:TAG]`, `NAME=docker://NAME[:TAG]`
    #[arg(long = "image", value_name = "NAME=IMAGE")]
    pub(in crate::cli) images: Vec<String>,

    /// Build the image of this recipe, for its digest alone
    #[arg(short, long = "file", value_name = "RECIPE")]
    pub(in crate::cli) files: Vec<PathBuf>,

    /// Ask registries for the digests of all other images of containers and volumes; one request each
    #[arg(long)]
    pub(in crate::cli) remote: bool,

    /// Do not hold the manifests to the images' contracts
    #[arg(long)]
    pub(in crate::cli) no_check: bool,

    #[command(flatten)]
    pub(in crate::cli) cache: CacheArgs,

    #[command(flatten)]
    pub(in crate::cli) registry: RegistryArgs,
}
