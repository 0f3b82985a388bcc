//! How registries are talked to, `coracle copy` and `coracle index`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::Format;

#[derive(Args)]
#[command(next_help_heading = "Registries")]
pub(in crate::cli) struct RegistryArgs {
    /// Talk to this registry without TLS; those on the loopback may always
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(in crate::cli) insecure: Vec<String>,

    /// Trust the certificates in this PEM file, too
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) ca_file: Vec<PathBuf>,

    /// Take logins from this file first; Podman's and Docker's own follow
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) authfile: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle copy oci:shop.oci docker://ghcr.io/acme/shop:1.2
  coracle copy docker://ghcr.io/acme/shop:1.2 oci:shop.oci
  coracle copy docker://ghcr.io/acme/shop:1.2@sha256:… docker://registry.acme.example/shop:1.2
  coracle copy docker://ghcr.io/acme/shop:1.2 docker://registry.acme.example/shop:1.2 --referrers
  coracle copy oci-archive:shop.tar docker://localhost:5000/shop --format json
  coracle copy docker://ghcr.io/acme/shop:1.2 oci-archive:shop.tar
  coracle copy oci:shop.oci docker-daemon:shop:1.2
  coracle copy oci:shop.oci containerd:k8s.io@docker.io/library/shop:1.2

Bytes stay as they are, so the digest does too; an index is copied with all of its images. Logins are those of
`docker login` and `podman login`, their helpers included; in CI, CORACLE_REGISTRY_USER and CORACLE_REGISTRY_PASSWORD, or
CORACLE_REGISTRY_TOKEN. docs/registries.md has the rest, docs/engines.md what there is to say about engines.")]
pub(in crate::cli) struct CopyArgs {
    /// Where the image is: `docker://NAME[:TAG][@DIGEST]`, `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`,
    /// `docker-archive:FILE[:TAG]`
    #[arg(value_name = "SRC", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) from: String,

    /// Where it is to be: the same, or an engine: `docker-daemon:NAME[:TAG]`, `containers-storage:NAME[:TAG]` (Podman),
    /// `containerd:[NAMESPACE@]NAME[:TAG]`
    #[arg(value_name = "DST", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) to: String,

    /// Take along what is said of the image: signatures, attestations, contracts; to registries alone
    #[arg(long)]
    pub(in crate::cli) referrers: bool,

    /// How stdout is written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,

    /// Say nothing on stderr but warnings and errors
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,

    #[command(flatten)]
    pub(in crate::cli) registry: RegistryArgs,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle index docker://ghcr.io/acme/shop:1.2 \\
      docker://ghcr.io/acme/shop:1.2-amd64 docker://ghcr.io/acme/shop:1.2-arm64
  coracle index docker://ghcr.io/acme/shop:1.2 docker://ghcr.io/acme/shop@sha256:… oci:arm64.oci
  coracle index oci:shop.oci:1.2 oci:amd64.oci oci:arm64.oci
  coracle index docker://ghcr.io/acme/shop:1.2 docker://ghcr.io/acme/shop:1.2-amd64 \\
      --annotation org.opencontainers.image.version=1.2

What separate jobs of CI pushed gets one name. Manifests stay as they are, and what is in the repository already is not moved;
from another repository of the registry blobs are mounted, from elsewhere copied. The index is the same in whatever order the
images are named. docs/registries.md has jobs of GitHub and GitLab.")]
pub(in crate::cli) struct IndexArgs {
    /// Where the index is to be: `docker://NAME[:TAG]`, or `oci:DIR[:TAG]`
    #[arg(value_name = "REF", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) to: String,

    /// The images, one for each platform: `docker://NAME[:TAG][@DIGEST]`, `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`; of an
    /// index all of its images
    #[arg(value_name = "IMAGE", required = true, value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) images: Vec<String>,

    /// Say something of the index
    #[arg(long = "annotation", value_name = "NAME=VALUE")]
    pub(in crate::cli) annotations: Vec<String>,

    /// How stdout is written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,

    /// Say nothing on stderr but warnings and errors
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,

    #[command(flatten)]
    pub(in crate::cli) registry: RegistryArgs,
}
