//! The arguments of `cargo coracle`: the same commands, and a `build` that takes cargo's flags.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Args, Parser, Subcommand};

use super::{BuildArgs, Color, CommonCommand, ManifestsArgs};

/// The argument that `cargo-coracle` inserts before those that cargo passed to it.
pub(in crate::cli) const UNDER_CARGO: &str = "--under-cargo";

/// Turns the programs of a crate into minimal OCI images.
#[derive(Parser)]
#[command(
    name = "cargo coracle",
    bin_name = "cargo coracle",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    subcommand_value_name = "COMMAND",
    subcommand_help_heading = "Commands",
    after_help = "\
Examples:
  cargo coracle build                     build images in target/coracle
  cargo coracle build -p shop -t ghcr.io/acme/shop:1.2 --push
  cargo coracle deps target/release/shop  show what its loader would map

Exit codes: 0 success, 1 failure, 2 invalid usage or recipe, 3 registry or network, 4 findings."
)]
pub(in crate::cli) struct CargoCli {
    #[command(subcommand)]
    pub(in crate::cli) command: CargoCommand,

    /// When to use colours; NO_COLOR is respected
    #[arg(long, global = true, display_order = 500, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub(in crate::cli) color: Color,
}

#[derive(Subcommand)]
pub(in crate::cli) enum CargoCommand {
    /// Run `cargo build` and build an image of each program
    Build(Box<CargoBuildArgs>),
    /// Print Kubernetes manifests for a program's image: ConfigMaps, workload, Service
    #[command(display_order = 3)]
    Manifests(Box<CargoManifestsArgs>),
    #[command(flatten)]
    Other(CommonCommand),
}

#[derive(Args)]
#[command(
    mut_args(adapt_to_cargo),
    after_help = "\
Examples:
  cargo coracle build                            writes target/coracle/NAME.oci
  cargo coracle build -t ghcr.io/acme/shop:1.2 --push
  cargo coracle build --workspace --exclude tools  one image per program
  cargo coracle build --bin shop --features tls -o oci-archive:shop.tar
  cargo coracle build --target x86_64-unknown-linux-musl
  cargo coracle build --target x86_64-unknown-linux-gnu \\
      --target aarch64-unknown-linux-gnu \\
      --sysroot linux/arm64=/usr/aarch64-linux-gnu  one image, two platforms
  cargo coracle build --zigbuild --target aarch64-unknown-linux-gnu.2.17 \\
      --sysroot /usr/aarch64-linux-gnu
  cargo coracle build --debug -- --config /etc/shop.toml

Settings are in Cargo.toml, in `[package.metadata.coracle]` and `[workspace.metadata.coracle]`, with the keys of \
coracle.toml. Flags override them."
)]
pub(in crate::cli) struct CargoBuildArgs {
    #[command(flatten)]
    pub(in crate::cli) cargo: CargoArgs,

    #[command(flatten)]
    pub(in crate::cli) build: BuildArgs,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  cargo coracle manifests | kubectl apply --server-side -f -
  cargo coracle manifests -p shop --environment production
  cargo coracle manifests ghcr.io/acme/shop:1.2@sha256:…  for an existing image
  cargo coracle manifests oci:target/coracle/shop.oci     for an image on disk
  cargo coracle manifests --layout kustomize -o deploy

Without IMAGE, cargo builds the program, and its image is built to learn its digest, then discarded. Settings are in \
Cargo.toml, in `[package.metadata.coracle]`.")]
pub(in crate::cli) struct CargoManifestsArgs {
    #[command(flatten)]
    pub(in crate::cli) cargo: CargoArgs,

    #[command(flatten)]
    pub(in crate::cli) manifests: ManifestsArgs,
}

/// Hides the flags that cargo and Cargo.toml replace.
fn adapt_to_cargo(arg: Arg) -> Arg {
    match arg.get_id().as_str() {
        "programs" | "files" | "roots" => arg.hide(true),
        "output" => arg.help(
            "Where the image goes: `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`, `docker-archive:FILE` or \
             `docker://NAME[:TAG]`; default: `oci:target/coracle/NAME.oci`",
        ),
        _ => arg,
    }
}

/// The flags that are passed to `cargo build`.
#[derive(Args, Default)]
pub(in crate::cli) struct CargoArgs {
    /// Build this package's programs
    #[arg(short, long = "package", value_name = "SPEC", help_heading = "Cargo")]
    packages: Vec<String>,

    /// Build the programs of all packages of the workspace
    #[arg(long, visible_alias = "all", help_heading = "Cargo")]
    workspace: bool,

    /// Leave out this package
    #[arg(long, value_name = "SPEC", help_heading = "Cargo")]
    exclude: Vec<String>,

    /// Build only this program
    #[arg(long = "bin", value_name = "NAME", help_heading = "Cargo")]
    bin: Vec<String>,

    /// Build all programs except examples
    #[arg(long, help_heading = "Cargo")]
    bins: bool,

    /// Build this example
    #[arg(long = "example", value_name = "NAME", help_heading = "Cargo")]
    example: Vec<String>,

    /// Build all examples
    #[arg(long, help_heading = "Cargo")]
    examples: bool,

    /// Build with the profile `release`, the default
    #[arg(short, long, conflicts_with_all = ["debug", "profile"], help_heading = "Cargo")]
    release: bool,

    /// Build with the profile `dev`
    #[arg(long, conflicts_with = "profile", help_heading = "Cargo")]
    debug: bool,

    /// Build with this profile
    #[arg(long, value_name = "NAME", help_heading = "Cargo")]
    profile: Option<String>,

    /// Enable these features
    #[arg(short = 'F', long, value_name = "FEATURES", help_heading = "Cargo")]
    features: Vec<String>,

    /// Enable all features
    #[arg(long, help_heading = "Cargo")]
    all_features: bool,

    /// Disable the default features
    #[arg(long, help_heading = "Cargo")]
    no_default_features: bool,

    /// Build for this target; several targets make one image of several platforms
    #[arg(long = "target", value_name = "TRIPLE", help_heading = "Cargo")]
    pub(in crate::cli) targets: Vec<String>,

    /// Run `cargo zigbuild`, which links with Zig for any target; TRIPLE may end in a glibc
    /// version, such as `.2.17`
    #[arg(long, help_heading = "Cargo")]
    pub(in crate::cli) zigbuild: bool,

    /// Require an up-to-date Cargo.lock
    #[arg(long, help_heading = "Cargo")]
    locked: bool,

    /// Let cargo run without the network
    #[arg(long, help_heading = "Cargo")]
    offline: bool,

    /// Both `--locked` and `--offline`
    #[arg(long, help_heading = "Cargo")]
    frozen: bool,

    /// The Cargo.toml to build; default: the one in this or the closest parent directory
    #[arg(long, value_name = "PATH", help_heading = "Cargo")]
    pub(in crate::cli) manifest_path: Option<PathBuf>,

    /// Cargo's target directory
    #[arg(long, value_name = "DIR", help_heading = "Cargo")]
    pub(in crate::cli) target_dir: Option<PathBuf>,

    /// Number of cargo's parallel jobs
    #[arg(short, long, value_name = "N", allow_hyphen_values = true, help_heading = "Cargo")]
    jobs: Option<String>,

    /// Let cargo build as much as possible after an error
    #[arg(long, help_heading = "Cargo")]
    keep_going: bool,

    /// Ignore the packages' `rust-version`
    #[arg(long, help_heading = "Cargo")]
    ignore_rust_version: bool,

    /// Let cargo report how long each compilation took
    #[arg(long, help_heading = "Cargo")]
    timings: bool,

    /// Let cargo print more; twice for everything
    #[arg(short, long, action = ArgAction::Count, conflicts_with = "quiet", help_heading = "Cargo")]
    verbose: u8,

    #[command(flatten)]
    unsupported: UnsupportedFlags,

    /// A flag of nightly cargo
    #[arg(short = 'Z', value_name = "FLAG", help_heading = "Cargo")]
    unstable: Vec<String>,
}

/// Flags of `cargo build` that are not supported, because they build no program. They are parsed to
/// give a helpful error.
#[derive(Args, Default)]
struct UnsupportedFlags {
    #[arg(long, hide = true)]
    lib: bool,

    #[arg(long, hide = true)]
    tests: bool,

    #[arg(long, hide = true, num_args = 0..=1)]
    test: Option<Option<String>>,

    #[arg(long, hide = true)]
    benches: bool,

    #[arg(long, hide = true, num_args = 0..=1)]
    bench: Option<Option<String>>,

    #[arg(long, hide = true)]
    all_targets: bool,

    #[arg(long, hide = true)]
    message_format: Option<String>,

    #[arg(long, hide = true)]
    artifact_dir: Option<PathBuf>,

    #[arg(long, hide = true)]
    unit_graph: bool,

    #[arg(long, hide = true)]
    future_incompat_report: bool,
}

impl CargoArgs {
    /// Returns the first unsupported flag, and a hint.
    pub(in crate::cli) fn unsupported_flag(&self) -> Option<(&'static str, &'static str)> {
        const PROGRAMS: &str = "images contain programs: select them with `--bins`, `--bin NAME`, `--examples` or `--example NAME`";
        const MESSAGE_FORMAT: &str =
            "leave it out: Coracle sets it to read cargo's messages; `--format json` describes the images";
        let unsupported = &self.unsupported;
        let flags = [
            ("--lib", unsupported.lib, PROGRAMS),
            ("--tests", unsupported.tests, PROGRAMS),
            ("--test", unsupported.test.is_some(), PROGRAMS),
            ("--benches", unsupported.benches, PROGRAMS),
            ("--bench", unsupported.bench.is_some(), PROGRAMS),
            ("--all-targets", unsupported.all_targets, PROGRAMS),
            ("--message-format", unsupported.message_format.is_some(), MESSAGE_FORMAT),
            ("--unit-graph", unsupported.unit_graph, "run `cargo build --unit-graph`"),
            (
                "--artifact-dir",
                unsupported.artifact_dir.is_some(),
                "leave it out: set where images go with `--output`, and where cargo writes with `--target-dir`",
            ),
            (
                "--future-incompat-report",
                unsupported.future_incompat_report,
                "run `cargo build --future-incompat-report`",
            ),
        ];
        flags.into_iter().find(|(_, is_given, _)| *is_given).map(|(flag, _, hint)| (flag, hint))
    }

    /// Returns the first flag that selects packages or programs.
    pub(in crate::cli) fn selection_flag(&self) -> Option<&'static str> {
        let flags = [
            ("-p", !self.packages.is_empty()),
            ("--workspace", self.workspace),
            ("--exclude", !self.exclude.is_empty()),
            ("--bin", !self.bin.is_empty()),
            ("--bins", self.bins),
            ("--example", !self.example.is_empty()),
            ("--examples", self.examples),
        ];
        flags.into_iter().find(|(_, is_given)| *is_given).map(|(flag, _)| flag)
    }

    /// Returns the arguments for `cargo build`.
    pub(in crate::cli) fn cargo_build_args(&self) -> Vec<OsString> {
        let mut flags: Vec<OsString> = Vec::new();
        let lists = [
            ("--package", &self.packages),
            ("--exclude", &self.exclude),
            ("--bin", &self.bin),
            ("--example", &self.example),
            ("--features", &self.features),
            ("--target", &self.targets),
            ("-Z", &self.unstable),
        ];
        for (flag, values) in lists {
            flags.extend(values.iter().flat_map(|value| [flag.into(), value.into()]));
        }
        let switches = [
            ("--workspace", self.workspace),
            ("--bins", self.bins),
            ("--examples", self.examples),
            ("--release", !self.debug && self.profile.is_none()),
            ("--all-features", self.all_features),
            ("--no-default-features", self.no_default_features),
            ("--locked", self.locked),
            ("--offline", self.offline),
            ("--frozen", self.frozen),
            ("--keep-going", self.keep_going),
            ("--ignore-rust-version", self.ignore_rust_version),
            ("--timings", self.timings),
        ];
        flags.extend(switches.into_iter().filter(|(_, is_on)| *is_on).map(|(flag, _)| flag.into()));
        flags.extend((0..self.verbose).map(|_| "--verbose".into()));
        let values = [
            ("--profile", self.profile.as_ref().map(OsString::from)),
            ("--manifest-path", self.manifest_path.as_ref().map(OsString::from)),
            ("--target-dir", self.target_dir.as_ref().map(OsString::from)),
            ("--jobs", self.jobs.as_ref().map(OsString::from)),
        ];
        flags.extend(values.into_iter().filter_map(|(flag, value)| Some([flag.into(), value?])).flatten());
        flags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_flags_to_cargo() {
        let flags = |line: &str| {
            let cli = CargoCli::try_parse_from(line.split(' ')).unwrap();
            let CargoCommand::Build(args) = cli.command else { panic!("no build") };
            let flags = args.cargo.cargo_build_args();
            flags.iter().map(|flag| flag.to_str().unwrap()).collect::<Vec<_>>().join(" ")
        };
        for (line, expected) in [
            ("cargo coracle build", "--release"),
            ("cargo coracle build --debug -o oci:x -- --release", ""),
            (
                "cargo coracle build -pa -p b --profile dist -Zx --all -j -1 --target-dir t",
                "--package a --package b -Z x --workspace --profile dist --target-dir t --jobs -1",
            ),
            (
                "cargo coracle build --target a --target=b -F x,y --bin c --example d --frozen -r",
                "--bin c --example d --features x,y --target a --target b --release --frozen",
            ),
            (
                "cargo coracle build -vv --debug --keep-going --ignore-rust-version --timings",
                "--keep-going --ignore-rust-version --timings --verbose --verbose",
            ),
        ] {
            assert_eq!(flags(&line.replacen("cargo coracle", "cargo-coracle", 1)), expected, "{line}");
        }
    }
}
