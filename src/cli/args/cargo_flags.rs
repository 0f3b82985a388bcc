//! The flags of `cargo build` that `cargo coracle` passes on, and those that it rejects.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args};

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

    /// Run `cargo auditable`, which adds a list of crates to the programs, for scanners
    #[arg(long, help_heading = "Cargo")]
    pub(in crate::cli) auditable: bool,

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
    use clap::Parser as _;

    use crate::cli::args::{CargoCli, CargoCommand};

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
