//! The arguments of `coracle copy` and `coracle index`, which work on stored images, and of `coracle cache`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::OutputFormat;
use super::shared_flags::{DiskArgs, RegistryArgs};

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle copy oci:shop.oci docker://ghcr.io/acme/shop:1.2
  coracle copy docker://ghcr.io/acme/shop:1.2 oci:shop.oci
  coracle copy docker://ghcr.io/acme/shop@sha256:… \\
      docker://acme.example/shop:1.2
  coracle copy docker://ghcr.io/acme/shop:1.2 docker://acme.example/shop:1.2 \\
      --referrers
  coracle copy oci-archive:shop.tar docker://localhost:5000/shop --format json
  coracle copy docker://ghcr.io/acme/shop:1.2 oci-archive:shop.tar
  coracle copy oci:shop.oci docker-daemon:shop:1.2
  coracle copy oci:shop.oci containerd:k8s.io@docker.io/library/shop:1.2

All bytes are preserved, and so is the digest; an image index is copied with all of its images. Logins are those of \
`docker login` and `podman login`, including credential helpers; in CI, CORACLE_REGISTRY_USER and \
CORACLE_REGISTRY_PASSWORD, or CORACLE_REGISTRY_TOKEN, for the destination. See docs/registries.md and docs/engines.md.")]
pub(in crate::cli) struct CopyArgs {
    /// The source: `docker://NAME[:TAG][@DIGEST]`, `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`,
    /// `docker-archive:FILE[:TAG]`
    #[arg(value_name = "SRC", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) from: String,

    /// The destination: the same, or an engine: `docker-daemon:NAME[:TAG]`,
    /// `containers-storage:NAME[:TAG]` (Podman), `containerd:[NAMESPACE@]NAME[:TAG]`
    #[arg(value_name = "DST", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) to: String,

    /// Also copy the image's referrers: signatures, attestations, contracts; to a registry or a
    /// layout
    #[arg(long)]
    pub(in crate::cli) referrers: bool,

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

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle index docker://ghcr.io/acme/shop:1.2 \\
      docker://ghcr.io/acme/shop:1.2-amd64 docker://ghcr.io/acme/shop:1.2-arm64
  coracle index docker://ghcr.io/acme/shop:1.2 \\
      docker://ghcr.io/acme/shop@sha256:… oci:arm64.oci
  coracle index oci:shop.oci:1.2 oci:amd64.oci oci:arm64.oci
  coracle index docker://ghcr.io/acme/shop:1.2 \\
      docker://ghcr.io/acme/shop:1.2-amd64 \\
      --annotation org.opencontainers.image.version=1.2

Combines what separate CI jobs pushed under one name. Manifests are unchanged. Blobs that are in the repository already are \
not copied; those in another repository of the registry are mounted. The order of the images does not matter. \
docs/registries.md has example jobs for GitHub and GitLab.")]
pub(in crate::cli) struct IndexArgs {
    /// The destination of the image index: `docker://NAME[:TAG]` or `oci:DIR[:TAG]`
    #[arg(value_name = "REF", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) to: String,

    /// The images, one per platform: `docker://NAME[:TAG][@DIGEST]`, `oci:DIR[:TAG]`,
    /// `oci-archive:FILE[:TAG]`; an image index adds all of its images
    #[arg(value_name = "IMAGE", required = true, value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) images: Vec<String>,

    /// Set an annotation of the image index
    #[arg(long = "annotation", value_name = "NAME=VALUE")]
    pub(in crate::cli) annotations: Vec<String>,

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

#[derive(Subcommand)]
#[command(disable_help_subcommand = true)]
pub(in crate::cli) enum CacheCommand {
    /// Remove the least recently used files
    Prune(PruneArgs),
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle cache prune                     keep 5 GB, as every build does
  coracle cache prune --keep 500MB
  coracle cache prune --all")]
pub(in crate::cli) struct PruneArgs {
    /// Keep at most this much: `500MB`, `2GiB`
    #[arg(long, value_name = "SIZE", default_value = "5GB")]
    pub(in crate::cli) keep: String,

    /// Remove everything
    #[arg(long, conflicts_with = "keep")]
    pub(in crate::cli) all: bool,

    /// The cache directory to prune; default: `coracle` in the user's cache directory
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) cache_dir: Option<PathBuf>,

    /// Do not print what was removed
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,
}
