//! The flags of `coracle manifests` and `coracle resolve`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use coracle::recipe::RecipeOverrides;

use super::shared_flags::{CacheArgs, ConfigFlags, RegistryArgs};

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ManifestLayout {
    /// One YAML stream of objects, on stdout
    Yaml,
    /// A kustomize base, and an overlay for each environment of the recipe
    Kustomize,
    /// A Helm chart
    Helm,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle manifests | kubectl apply --server-side -f -
  coracle manifests --environment production -t ghcr.io/acme/shop:1.2
  coracle manifests ghcr.io/acme/shop:1.2@sha256:…  for an existing image
  coracle manifests oci:shop.oci                    for an image on disk
  coracle manifests docker://ghcr.io/acme/shop:1.2  for an image in a registry
  coracle manifests --with-secrets --set-file db.password=./password
  coracle manifests --layout kustomize -o deploy
  coracle manifests --layout helm -o chart

Without IMAGE the recipe's image is built to learn its digest, then discarded. Secrets are referred to by name, and \
printed only with `--with-secrets`. After `kubectl rollout undo` or another change in the cluster, `kubectl apply` needs \
`--force-conflicts`. docs/manifests.md describes the objects.")]
pub(in crate::cli) struct ManifestsArgs {
    /// The image: `NAME[:TAG]@sha256:…`, or a location such as `oci:DIR[:TAG]` or
    /// `docker://NAME[:TAG]`; default: build the recipe's image
    #[arg(value_name = "IMAGE", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) image: Option<String>,

    /// Read the recipe from FILE; default: ./coracle.toml, or Cargo.toml under cargo
    #[arg(short, long = "file", value_name = "FILE")]
    pub(in crate::cli) file: Option<PathBuf>,

    /// Name the image
    #[arg(short, long = "tag", value_name = "NAME[:TAG]")]
    pub(in crate::cli) tags: Vec<String>,

    /// The form of the output: `yaml` (one stream on stdout), `kustomize` (a base, and an overlay for
    /// each environment) or `helm` (a chart)
    #[arg(long, value_enum, value_name = "LAYOUT", default_value_t = ManifestLayout::Yaml)]
    #[arg(hide_possible_values = true)]
    pub(in crate::cli) layout: ManifestLayout,

    /// Write the layout to DIR, replacing what was written there before
    #[arg(short, long = "output", value_name = "DIR")]
    pub(in crate::cli) output: Option<PathBuf>,

    /// The namespace of the objects; default: the recipe's
    #[arg(short, long, value_name = "NAME")]
    pub(in crate::cli) namespace: Option<String>,

    /// Print Secrets with their values
    #[arg(long)]
    pub(in crate::cli) with_secrets: bool,

    /// The creation time in the image's config, as in `coracle build`
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true, conflicts_with = "image")]
    pub(in crate::cli) epoch: Option<String>,

    /// Print only warnings and errors to stderr
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,

    // Its `next_help_heading` applies to all arguments that follow, so it comes last.
    #[command(flatten)]
    config: ConfigFlags,

    #[command(flatten)]
    pub(in crate::cli) cache: CacheArgs,

    #[command(flatten)]
    pub(in crate::cli) registry: RegistryArgs,
}

impl ManifestsArgs {
    /// Returns the arguments of `coracle config render` that render the same configuration.
    pub(in crate::cli) fn render_args(&self) -> Vec<String> {
        let file = self.file.iter().flat_map(|file| ["-f".to_owned(), file.display().to_string()]);
        file.chain(self.config.render_args()).collect()
    }

    pub(in crate::cli) fn overrides(&self) -> RecipeOverrides {
        RecipeOverrides {
            names: self.tags.clone(),
            config: self.config.overrides(),
            ..RecipeOverrides::default()
        }
    }
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle resolve deploy.yaml --image shop=oci:shop.oci | kubectl apply -f -
  coracle resolve deploy/ -f coracle.toml  build its image for the digest
  kubectl kustomize . | coracle resolve - --image shop=oci:shop.oci
  coracle resolve deploy/ --image shop=docker://ghcr.io/acme/shop:1.2
  coracle resolve deploy/ --remote         pin every tag, asking its registry

References `coracle://NAME`, and these images' names at `image` fields, are replaced by references with a digest. All other \
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

    /// Print only warnings and errors to stderr
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,

    #[command(flatten)]
    pub(in crate::cli) cache: CacheArgs,

    #[command(flatten)]
    pub(in crate::cli) registry: RegistryArgs,
}
