//! The flags of `coracle manifests`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use coracle::recipe::Overrides;

use super::config::ConfigArgs;
use super::{CacheArgs, RegistryArgs};

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Layout {
    /// One stream of objects, on stdout
    Yaml,
    /// A base, and an overlay for each environment of the recipe
    Kustomize,
    /// A chart
    Helm,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle manifests | kubectl apply --server-side -f -
  coracle manifests --environment production -t ghcr.io/acme/shop:1.2
  coracle manifests ghcr.io/acme/shop:1.2@sha256:…      an image that is there already
  coracle manifests oci:shop.oci                        one that was built before
  coracle manifests docker://ghcr.io/acme/shop:1.2      one at a registry, pinned by its digest
  coracle manifests --with-secrets --set-file db.password=./password
  coracle manifests --layout kustomize -o deploy
  coracle manifests --layout helm -o chart

Without IMAGE the recipe's image is built to learn its digest, and thrown away. Secrets are referred to by name, and
printed only with `--with-secrets`. docs/manifests.md says what is made and why.")]
pub(in crate::cli) struct ManifestsArgs {
    /// The image: `NAME[:TAG]@sha256:…`, or where it is kept, such as `oci:DIR[:TAG]` or `docker://NAME[:TAG]`; without it the
    /// recipe's is built
    #[arg(value_name = "IMAGE", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) image: Option<String>,

    /// Read the recipe in FILE; ./coracle.toml, under cargo Cargo.toml, when nothing is said
    #[arg(short, long = "file", value_name = "FILE")]
    pub(in crate::cli) file: Option<PathBuf>,

    /// Name the image
    #[arg(short, long = "tag", value_name = "NAME[:TAG]")]
    pub(in crate::cli) tags: Vec<String>,

    /// How the objects are laid out
    #[arg(long, value_enum, value_name = "LAYOUT", default_value_t = Layout::Yaml)]
    pub(in crate::cli) layout: Layout,

    /// Write the layout to DIR, in place of what was written there before
    #[arg(short, long = "output", value_name = "DIR")]
    pub(in crate::cli) output: Option<PathBuf>,

    /// Print Secrets with what is in them
    #[arg(long)]
    pub(in crate::cli) with_secrets: bool,

    /// The time in the image's config, as in `coracle build`
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true, conflicts_with = "image")]
    pub(in crate::cli) epoch: Option<String>,

    /// Say nothing on stderr but warnings and errors
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,

    // Its heading holds for all that follows.
    #[command(flatten)]
    config: ConfigArgs,

    #[command(flatten)]
    pub(in crate::cli) cache: CacheArgs,

    #[command(flatten)]
    pub(in crate::cli) registry: RegistryArgs,
}

impl ManifestsArgs {
    pub(in crate::cli) fn overrides(&self) -> Overrides {
        Overrides { names: self.tags.clone(), config: self.config.overrides(), ..Overrides::default() }
    }
}
