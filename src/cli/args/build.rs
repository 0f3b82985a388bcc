//! The flags of `coracle build`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use coracle::recipe::Overrides;

use super::config::ConfigArgs;
use super::runtime::RuntimeArgs;
use super::words::Words;
use super::{BudgetArgs, CacheArgs, Format, RegistryArgs, ReportArgs, SharedArgs};

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle build ./app                               to ./app.oci, run as user 65532
  coracle build ./app -t shop:1.2 -o oci-archive:shop.tar
  coracle build ./app -t ghcr.io/acme/shop:1.2 --push
  coracle build ./app -t shop:1.2 --load
  coracle build ./app -o docker://ghcr.io/acme/shop:1.2    to a registry alone
  coracle build ./app:/usr/bin/shop --expose 8080 -- --config /etc/shop/shop.toml
  coracle build ./app --include assets/:/srv/assets --dry-run
  coracle build ./app --budget-image 5MB --budget-growth 5%
  coracle build ./app --sysroot /usr/aarch64-linux-gnu  a program of a cross compiler
  coracle build -f a/coracle.toml -f b/coracle.toml --format json

Paths in flags start at the working directory, those of a recipe at the recipe.
Lists in flags replace the recipe's, NAME=VALUE flags are merged into its own.")]
pub(in crate::cli) struct BuildArgs {
    /// ELF files or `#!` scripts, and their paths in the image; the first is the entrypoint. Without one,
    /// ./coracle.toml is read
    #[arg(value_name = "PROGRAM[:TO]")]
    pub(in crate::cli) programs: Vec<OsString>,

    /// Read the recipe in FILE; several files, several images
    #[arg(short, long = "file", value_name = "FILE")]
    pub(in crate::cli) files: Vec<PathBuf>,

    /// Name the image
    #[arg(short, long = "tag", value_name = "NAME[:TAG]")]
    tags: Vec<String>,

    /// Build upon this image: a name at a registry, `oci:DIR[:TAG]` or an archive. What it has already is left out
    #[arg(long, value_name = "IMAGE", value_hint = ValueHint::AnyPath)]
    base: Option<String>,

    /// Write the image to `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]` or `docker-archive:FILE`, or send it to
    /// `docker://NAME[:TAG]`, `docker-daemon:NAME[:TAG]`, `containers-storage:NAME[:TAG]` or
    /// `containerd:[NAMESPACE@]NAME[:TAG]`; `oci:NAME.oci` when nothing is said
    #[arg(short, long = "output", value_name = "DEST", value_hint = ValueHint::AnyPath)]
    output: Vec<String>,

    /// Send the image to the registry of each of its names, besides writing it
    #[arg(long, conflicts_with = "dry_run")]
    pub(in crate::cli) push: bool,

    /// Bring the image to the engine that is there, besides writing it: Docker, else Podman, else containerd
    #[arg(long, conflicts_with = "dry_run")]
    pub(in crate::cli) load: bool,

    /// Write the whole contract, with templates and schema, to the layout `oci:DIR` or the repository `docker://NAME`, as an
    /// artifact about the image
    #[arg(long, value_name = "DEST", value_hint = ValueHint::AnyPath)]
    publish_contract: Option<String>,

    /// List what would be packed and why, and write nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,

    /// How stdout is written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,

    /// Say nothing on stderr but warnings and errors
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,

    /// Give the program an argument
    #[arg(long = "arg", value_name = "ARG", allow_hyphen_values = true, help_heading = "Image")]
    args: Vec<String>,

    /// Run as this user, by number
    #[arg(long, value_name = "UID[:GID]", help_heading = "Image")]
    user: Option<String>,

    /// Set a variable that never changes between deployments
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Image")]
    env: Vec<String>,

    /// Declare a port; TCP when nothing is said
    #[arg(long, value_name = "PORT[/PROTOCOL]", help_heading = "Image")]
    expose: Vec<String>,

    /// Start the program in this directory
    #[arg(long, value_name = "PATH", help_heading = "Image")]
    working_dir: Option<String>,

    /// Ask the program to end by this signal
    #[arg(long, value_name = "SIGNAL", help_heading = "Image")]
    stop_signal: Option<String>,

    /// Set a label of the image
    #[arg(long = "label", value_name = "NAME=VALUE", help_heading = "Image")]
    labels: Vec<String>,

    /// Set an annotation of the manifest
    #[arg(long = "annotation", value_name = "NAME=VALUE", help_heading = "Image")]
    annotations: Vec<String>,

    /// Put a file or a directory into the image; `TO/` means into that directory
    #[arg(long = "include", value_name = "FROM:TO", help_heading = "Image")]
    includes: Vec<OsString>,

    /// Leave out the programs' symbols and debug information
    #[arg(long, help_heading = "Image")]
    strip: bool,

    /// Refuse programs that are not linked so: `static`, `dynamic`; `auto` takes both and gives advice
    #[arg(long, value_name = "HOW", help_heading = "Image", hide_possible_values = true)]
    #[arg(value_parser = Words(&["auto", "static", "dynamic"]))]
    linkage: Option<String>,

    /// Compress layers with `gzip`, `zstd` or not at all (`none`); the level follows from the size unless it is named
    #[arg(long, value_name = "CODEC[:LEVEL]", help_heading = "Image", hide_possible_values = true)]
    #[arg(value_parser = Words(&["gzip", "zstd", "none"]))]
    compression: Option<String>,

    /// Say what a program's header can't, such as the variant of ARM
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", help_heading = "Image")]
    platform: Option<String>,

    /// Take programs and libraries from this root; PROGRAM is a path inside it. Several roots, several platforms
    #[arg(long = "root", value_name = "[PLATFORM=]DIR", help_heading = "Roots")]
    roots: Vec<OsString>,

    /// Take the loader and the libraries from this root, the programs from here: what a cross build needs
    #[arg(long = "sysroot", value_name = "[PLATFORM=]DIR", help_heading = "Roots")]
    sysroots: Vec<OsString>,

    /// The time in the image's config, in seconds since 1970; SOURCE_DATE_EPOCH or 0 when nothing is said
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true, help_heading = "Image")]
    pub(in crate::cli) epoch: Option<String>,

    /// Accept what the leak gate finds at PATH, or below it
    #[arg(long, value_name = "PATH=REASON", help_heading = "Leaks")]
    allow: Vec<String>,

    /// Refuse what may not belong into the image, too: what looks like configuration
    #[arg(long, help_heading = "Leaks")]
    strict: bool,

    /// More arguments for the program
    #[arg(last = true, value_name = "ARG")]
    rest: Vec<String>,

    // Their headings hold for all that follows.
    #[command(flatten)]
    config: ConfigArgs,

    #[command(flatten)]
    runtime: RuntimeArgs,

    #[command(flatten)]
    pub(in crate::cli) registry: RegistryArgs,

    #[command(flatten)]
    pub(in crate::cli) cache: CacheArgs,

    #[command(flatten)]
    pub(in crate::cli) shared: SharedArgs,

    #[command(flatten)]
    budget: BudgetArgs,

    #[command(flatten)]
    pub(in crate::cli) reports: ReportArgs,
}

impl BuildArgs {
    /// What the flags say about the image.
    pub(in crate::cli) fn overrides(&self) -> Overrides {
        Overrides {
            names: self.tags.clone(),
            base: self.base.clone(),
            programs: self.programs.clone(),
            args: self.args.iter().chain(&self.rest).cloned().collect(),
            user: self.user.clone(),
            expose: self.expose.clone(),
            env: self.env.clone(),
            working_dir: self.working_dir.clone(),
            stop_signal: self.stop_signal.clone(),
            labels: self.labels.clone(),
            annotations: self.annotations.clone(),
            includes: self.includes.clone(),
            strip: self.strip,
            linkage: self.linkage.clone(),
            compression: self.compression.clone(),
            runtime: self.runtime.overrides(),
            platform: self.platform.clone(),
            roots: self.roots.clone(),
            sysroots: self.sysroots.clone(),
            destinations: self.output.clone(),
            push: self.push,
            publish_contract: self.publish_contract.clone(),
            config: self.config.overrides(),
            allow: self.allow.clone(),
            strict: self.strict,
            budget_image: self.budget.budget_image.clone(),
            budget_growth: self.budget.budget_growth.clone(),
            previous: self.budget.previous.clone(),
        }
    }
}
