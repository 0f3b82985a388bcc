//! The arguments of `coracle inspect` and `coracle diff`, which read images of any tool.

use clap::{Args, ValueEnum, ValueHint};

use super::shared_flags::RegistryArgs;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum InspectFormat {
    Text,
    Json,
    /// One line per path, for mtree(8)
    Mtree,
    /// A page for a browser
    Html,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle inspect oci:shop.oci                config, layers, packages, contract
  coracle inspect docker://debian:12 --packages
  coracle inspect docker-archive:shop.tar --files
  coracle inspect oci:shop.oci --why /usr/lib/x86_64-linux-gnu/libz.so.1
  coracle inspect docker-daemon:shop:1.2 --file /etc/passwd
  coracle inspect oci:shop.oci --format html > shop.html
  coracle inspect docker://ghcr.io/acme/shop:1.2 --no-layers

Reads images of any tool, wherever `coracle copy` reads them. Nothing in the image is executed. Exit code 1: a layer is \
damaged. docs/inspect.md has the details.")]
pub(in crate::cli) struct InspectArgs {
    /// The image: `docker://NAME[:TAG][@DIGEST]`, `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`,
    /// `docker-archive:FILE[:TAG]`, or one of an engine: `docker-daemon:NAME[:TAG]`,
    /// `containers-storage:NAME[:TAG]`, `containerd:[NAMESPACE@]NAME[:TAG]`
    #[arg(value_name = "IMAGE", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) image: String,

    /// List all paths: size, compressed size, mode, layer, package, and why it is there
    #[arg(long, conflicts_with_all = ["why", "file", "packages", "no_layers"])]
    pub(in crate::cli) files: bool,

    /// Explain this path: which program needs it, through which files, and by which rule
    #[arg(long, value_name = "PATH", conflicts_with_all = ["file", "packages", "no_layers"])]
    pub(in crate::cli) why: Option<String>,

    /// Print this file's content to stdout
    #[arg(long, value_name = "PATH", conflicts_with_all = ["packages", "no_layers", "format"])]
    pub(in crate::cli) file: Option<String>,

    /// List the packages whose files are in the image
    #[arg(long, conflicts_with = "no_layers")]
    pub(in crate::cli) packages: bool,

    /// Do not read the layers: config, sizes and referrers only
    #[arg(long)]
    pub(in crate::cli) no_layers: bool,

    /// The platform, such as `linux/arm64`; default: the first of the image
    #[arg(long, value_name = "PLATFORM")]
    pub(in crate::cli) platform: Option<String>,

    /// Output format of stdout: `text`, `json`, `mtree` (one line per path) or `html` (a page)
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = InspectFormat::Text)]
    #[arg(hide_possible_values = true)]
    pub(in crate::cli) format: InspectFormat,

    /// Print only warnings and errors to stderr
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,

    #[command(flatten)]
    pub(in crate::cli) registry: RegistryArgs,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SbomDocumentFormat {
    /// SPDX 2.3
    Spdx,
    /// CycloneDX 1.6
    Cyclonedx,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle sbom docker://debian:12 > debian.spdx.json
  coracle sbom oci:shop.oci --format cyclonedx

Reads images of any tool, by what is in them: package databases, and the lists of crates and Go modules in programs. \
`coracle build --sbom FILE` also knows why each file is in the image.")]
pub(in crate::cli) struct SbomArgs {
    /// The image: `docker://NAME[:TAG][@DIGEST]`, `oci:DIR[:TAG]`, an archive, or one of an engine
    #[arg(value_name = "IMAGE", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) image: String,

    /// The platform, such as `linux/arm64`; default: the first of the image
    #[arg(long, value_name = "PLATFORM")]
    pub(in crate::cli) platform: Option<String>,

    /// The format of the document
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = SbomDocumentFormat::Spdx)]
    pub(in crate::cli) format: SbomDocumentFormat,

    /// Print only warnings and errors to stderr
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,

    #[command(flatten)]
    pub(in crate::cli) registry: RegistryArgs,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum DiffFormat {
    Text,
    Json,
    /// A comment for a pull request
    Markdown,
    /// A page for a browser
    Html,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle diff docker://ghcr.io/acme/shop:1.1 docker://ghcr.io/acme/shop:1.2
  coracle diff oci:a.oci oci:b.oci            explain two builds of one recipe
  coracle diff docker://ghcr.io/acme/shop oci:shop.oci --format markdown

Layers that both images have are read only where that is necessary. Exit code 0: the images are the same; 4: they \
differ; 1: a layer is damaged. docs/inspect.md has the details.")]
pub(in crate::cli) struct DiffArgs {
    /// The old image; the same forms as for `coracle inspect`
    #[arg(value_name = "OLD", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) old: String,

    /// The new image
    #[arg(value_name = "NEW", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) new: String,

    /// Compare only this platform; default: all that both images have
    #[arg(long, value_name = "PLATFORM")]
    pub(in crate::cli) platform: Option<String>,

    /// Output format of stdout: `text`, `json`, `markdown` (a comment for a pull request) or `html`
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = DiffFormat::Text)]
    #[arg(hide_possible_values = true)]
    pub(in crate::cli) format: DiffFormat,

    /// Print only warnings and errors to stderr
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,

    #[command(flatten)]
    pub(in crate::cli) registry: RegistryArgs,
}
