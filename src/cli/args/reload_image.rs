//! The flags of `coracle reload-image`.

use clap::{Args, ValueHint};

use super::OutputFormat;
use super::shared_flags::{DiskArgs, RegistryArgs};

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle reload-image docker://ghcr.io/acme/coracle-reload:0.1.0
  coracle reload-image oci-archive:coracle-reload.tar
  coracle reload-image containerd:k8s.io@docker.io/library/coracle-reload:0.1.0

`coracle manifests` refers to this image in the registry and namespace of the program's image, by its digest, unless the recipe \
sets `reload-image`. The digest depends on Coracle's version alone, and on the platforms that it was compiled with. \
docs/manifests.md describes the sidecar.")]
pub(in crate::cli) struct ReloadImageArgs {
    /// Where the image goes: the same as for `coracle build --output`
    #[arg(value_name = "DEST", required = true, value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) destinations: Vec<String>,

    /// Output format of stdout
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = OutputFormat::Text)]
    pub(in crate::cli) format: OutputFormat,

    /// Print only warnings and errors to stderr
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,

    #[command(flatten)]
    pub(in crate::cli) disk: DiskArgs,

    #[command(flatten)]
    pub(in crate::cli) registry: RegistryArgs,
}
