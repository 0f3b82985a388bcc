//! The flags of `coracle build`, including the flags of size budgets and report files.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use coracle::recipe::RecipeOverrides;

use super::OutputFormat;
use super::runtime_flags::{ImplicitDependencyArgs, SuggestedValues};
use super::shared_flags::{CacheArgs, ConfigFlags, DiskArgs, RegistryArgs, RemoteCacheArgs};
use super::signing::BuildSigningArgs;

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle build ./app                 writes ./app.oci, which runs as user 65532
  coracle build ./app -t shop:1.2 -o oci-archive:shop.tar
  coracle build ./app -t ghcr.io/acme/shop:1.2 --push
  coracle build ./app -t shop:1.2 --load
  coracle build ./app -o docker://ghcr.io/acme/shop:1.2  only to a registry
  coracle build ./app:/usr/bin/shop --expose 8080 -- --config /etc/shop.toml
  coracle build ./app --include assets/:/srv/assets --dry-run
  coracle build ./app --budget-image 5MB --budget-growth 5%
  coracle build ./app --sysroot /usr/aarch64-linux-gnu  a cross-compiled program
  coracle build -f a/coracle.toml -f b/coracle.toml --format json

Paths in flags are relative to the working directory, paths in a recipe to the recipe's directory. \
Lists in flags replace the recipe's lists; NAME=VALUE flags are merged into the recipe's tables.")]
pub(in crate::cli) struct BuildArgs {
    /// ELF files or `#!` scripts, optionally with their paths in the image; the first is the
    /// entrypoint. Default: the recipe in ./coracle.toml
    #[arg(value_name = "PROGRAM[:TO]")]
    pub(in crate::cli) programs: Vec<OsString>,

    /// Read a recipe from FILE; several recipes build one image each
    #[arg(short, long = "file", value_name = "FILE")]
    pub(in crate::cli) files: Vec<PathBuf>,

    /// Name the image
    #[arg(short, long = "tag", value_name = "NAME[:TAG]")]
    tags: Vec<String>,

    /// The base image: a name in a registry, `oci:DIR[:TAG]` or an archive. Files that the base
    /// image already contains are not packed again
    #[arg(long, value_name = "IMAGE", value_hint = ValueHint::AnyPath)]
    base: Option<String>,

    /// Where the image goes: `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`, `docker-archive:FILE`,
    /// `docker://NAME[:TAG]`, `docker-daemon:NAME[:TAG]`, `containers-storage:NAME[:TAG]` or
    /// `containerd:[NAMESPACE@]NAME[:TAG]`; default: `oci:NAME.oci`
    #[arg(short, long = "output", value_name = "DEST", value_hint = ValueHint::AnyPath)]
    output: Vec<String>,

    /// Also push the image to the registry of each of its names
    #[arg(long, conflicts_with = "dry_run")]
    pub(in crate::cli) push: bool,

    /// Also load the image into the first engine that is available: Docker, Podman, containerd
    #[arg(long, conflicts_with = "dry_run")]
    pub(in crate::cli) load: bool,

    /// Write the whole contract, with templates and schema, as an artifact that refers to the
    /// image, to the layout `oci:DIR` or the repository `docker://NAME`
    #[arg(long, value_name = "DEST", value_hint = ValueHint::AnyPath)]
    publish_contract: Option<String>,

    /// List what would be packed and why; write nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,

    /// Fail if the image differs from its lock; see `coracle lock`
    #[arg(id = "image_locked", long = "locked")]
    pub(in crate::cli) locked: bool,

    /// The lock; default: coracle.lock in the recipe's directory
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) lock_file: Option<PathBuf>,

    /// Output format of stdout
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = OutputFormat::Text)]
    pub(in crate::cli) format: OutputFormat,

    /// Print only warnings and errors to stderr
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,

    /// Add an argument of the program
    #[arg(long = "arg", value_name = "ARG", allow_hyphen_values = true, help_heading = "Image")]
    args: Vec<String>,

    /// Run as this numeric user ID
    #[arg(long, value_name = "UID[:GID]", help_heading = "Image")]
    user: Option<String>,

    /// Set an environment variable that is the same in all deployments
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Image")]
    env: Vec<String>,

    /// Declare a port that the program listens on; default protocol: TCP
    #[arg(long, value_name = "PORT[/PROTOCOL]", help_heading = "Image")]
    expose: Vec<String>,

    /// Start the program in this directory
    #[arg(long, value_name = "PATH", help_heading = "Image")]
    working_dir: Option<String>,

    /// The signal that asks the program to stop
    #[arg(long, value_name = "SIGNAL", help_heading = "Image")]
    stop_signal: Option<String>,

    /// Set a label of the image
    #[arg(long = "label", value_name = "NAME=VALUE", help_heading = "Image")]
    labels: Vec<String>,

    /// Set an annotation of the manifest
    #[arg(long = "annotation", value_name = "NAME=VALUE", help_heading = "Image")]
    annotations: Vec<String>,

    /// Add a file or a directory to the image; `TO/` means into that directory
    #[arg(long = "include", value_name = "FROM:TO", help_heading = "Image")]
    includes: Vec<OsString>,

    /// Leave files of included directories out, by a pattern as in `.gitignore`: `*.pyc`, `/docs/`
    #[arg(id = "exclude_files", long = "exclude", value_name = "PATTERN", help_heading = "Image")]
    exclude: Vec<String>,

    /// The time of included files: `zero` (1970-01-01) or `epoch`, which web servers need for browsers' caches
    #[arg(long, value_name = "TIME", help_heading = "Image", hide_possible_values = true)]
    #[arg(value_parser = SuggestedValues(&["zero", "epoch"]))]
    include_times: Option<String>,

    /// Remove the programs' symbols and debug information
    #[arg(long, help_heading = "Image")]
    strip: bool,

    /// Leave out the inventory of packages, by which scanners recognize them
    #[arg(long, conflicts_with = "require_inventory", help_heading = "Inventory")]
    no_inventory: bool,

    /// Add the licence texts of the packages
    #[arg(long, help_heading = "Inventory")]
    licences: bool,

    /// Write a software bill of materials to FILE: CycloneDX 1.6 if its name ends in `.cdx.json`, else
    /// SPDX 2.3. With several platforms, its name gets the platform
    #[arg(long = "sbom", value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "dry_run", help_heading = "Inventory")]
    sbom_files: Vec<PathBuf>,

    /// The format of `--sbom`
    #[arg(
        long,
        value_name = "FORMAT",
        requires = "sbom_files",
        help_heading = "Inventory",
        hide_possible_values = true
    )]
    #[arg(value_parser = SuggestedValues(&["spdx", "cyclonedx"]))]
    sbom_format: Option<String>,

    /// Attach a software bill of materials to the image in layouts and at registries, as a referrer:
    /// `spdx` or `cyclonedx`
    #[arg(long, value_name = "FORMAT", help_heading = "Inventory", hide_possible_values = true)]
    #[arg(value_parser = SuggestedValues(&["spdx", "cyclonedx"]))]
    attach_sbom: Vec<String>,

    /// Fail if scanners cannot see what the image contains
    #[arg(long, help_heading = "Inventory")]
    require_inventory: bool,

    /// Keep the programs with their symbols in DIR, where debuggers find them by build ID
    #[arg(long, value_name = "DIR", conflicts_with = "dry_run", help_heading = "Image")]
    pub(in crate::cli) keep_symbols: Option<PathBuf>,

    /// Fail unless the programs are linked this way: `static`, `dynamic`; `auto` accepts both and
    /// gives advice
    #[arg(long, value_name = "HOW", help_heading = "Image", hide_possible_values = true)]
    #[arg(value_parser = SuggestedValues(&["auto", "static", "dynamic"]))]
    linkage: Option<String>,

    /// Compress layers with `gzip`, `zstd` or not at all (`none`); the default level depends on the
    /// size
    #[arg(long, value_name = "CODEC[:LEVEL]", help_heading = "Image", hide_possible_values = true)]
    #[arg(value_parser = SuggestedValues(&["gzip", "zstd", "none"]))]
    compression: Option<String>,

    /// Specify what ELF headers do not say about the platform, such as the ARM variant
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", help_heading = "Image")]
    platform: Option<String>,

    /// Take programs and libraries from this root file system; PROGRAM is a path inside it. Repeat
    /// it for several platforms
    #[arg(long = "root", value_name = "[PLATFORM=]DIR", help_heading = "Roots")]
    roots: Vec<OsString>,

    /// Take the dynamic loader and the libraries from this root file system, for cross-compiled
    /// programs
    #[arg(long = "sysroot", value_name = "[PLATFORM=]DIR", help_heading = "Roots")]
    sysroots: Vec<OsString>,

    /// The creation time in the image's config, in seconds since 1970; default: SOURCE_DATE_EPOCH,
    /// or 0
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true, help_heading = "Image")]
    pub(in crate::cli) epoch: Option<String>,

    /// Accept what the secret scanner finds at PATH or below it
    #[arg(long, value_name = "PATH=REASON", help_heading = "Secret scanner")]
    allow: Vec<String>,

    /// Treat the secret scanner's warnings as errors, such as those about files that look like
    /// configuration
    #[arg(long, help_heading = "Secret scanner")]
    strict: bool,

    /// More arguments for the program
    #[arg(last = true, value_name = "ARG")]
    trailing_args: Vec<String>,

    #[command(flatten)]
    pub(in crate::cli) disk: DiskArgs,

    // Their `next_help_heading` applies to all arguments that follow, so they come last.
    #[command(flatten)]
    config: ConfigFlags,

    #[command(flatten)]
    implicit: ImplicitDependencyArgs,

    #[command(flatten)]
    pub(in crate::cli) registry: RegistryArgs,

    #[command(flatten)]
    pub(in crate::cli) cache: CacheArgs,

    #[command(flatten)]
    pub(in crate::cli) remote_cache: RemoteCacheArgs,

    #[command(flatten)]
    pub(in crate::cli) signing: BuildSigningArgs,

    #[command(flatten)]
    budget: BudgetArgs,

    #[command(flatten)]
    pub(in crate::cli) reports: ReportFileArgs,
}

impl BuildArgs {
    /// Returns the recipe settings that the flags override.
    pub(in crate::cli) fn overrides(&self) -> RecipeOverrides {
        RecipeOverrides {
            names: self.tags.clone(),
            base: self.base.clone(),
            programs: self.programs.clone(),
            args: self.args.iter().chain(&self.trailing_args).cloned().collect(),
            user: self.user.clone(),
            expose: self.expose.clone(),
            env: self.env.clone(),
            working_dir: self.working_dir.clone(),
            stop_signal: self.stop_signal.clone(),
            labels: self.labels.clone(),
            annotations: self.annotations.clone(),
            includes: self.includes.clone(),
            exclude: self.exclude.clone(),
            include_times: self.include_times.clone(),
            strip: self.strip,
            sbom_files: self.sbom_files.clone(),
            sbom_format: self.sbom_format.clone(),
            attach_sbom: self.attach_sbom.clone(),
            no_inventory: self.no_inventory,
            licences: self.licences,
            require_inventory: self.require_inventory,
            linkage: self.linkage.clone(),
            compression: self.compression.clone(),
            runtime: self.implicit.overrides(),
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

/// The flags of size budgets.
#[derive(Args)]
struct BudgetArgs {
    /// Fail without writing anything if a platform's compressed image is larger than this: `5MB`,
    /// `2MiB`
    #[arg(long, value_name = "SIZE", help_heading = "Budget")]
    budget_image: Option<String>,

    /// Fail without writing anything if a platform's compressed image grew by more than this: `5%`,
    /// `200kB`
    #[arg(long, value_name = "GROWTH", help_heading = "Budget")]
    budget_growth: Option<String>,

    /// The previous image, such as `docker://NAME:TAG`; default: the image that is replaced at the
    /// destination
    #[arg(long, value_name = "IMAGE", value_hint = ValueHint::AnyPath, help_heading = "Budget")]
    previous: Option<String>,
}

/// The flags of report files, which other programs read.
#[derive(Args)]
pub(in crate::cli) struct ReportFileArgs {
    /// Write the output of `--format json` to FILE
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub(in crate::cli) metadata_file: Option<PathBuf>,

    /// Append the results to FILE as NAME=VALUE lines: CORACLE_REFERENCE, CORACLE_DIGEST and
    /// CORACLE_SIZE if one image was built, CORACLE_IMAGES with all images as JSON
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run", help_heading = "Reports")]
    pub(in crate::cli) dotenv: Option<PathBuf>,

    /// Append the results, or the errors, to FILE as Markdown
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run", help_heading = "Reports")]
    pub(in crate::cli) summary: Option<PathBuf>,
}
