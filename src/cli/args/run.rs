//! The flags of `coracle run`, `coracle stop` and `coracle debug`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use coracle::recipe::{ConfigOverrides, RecipeOverrides};
use coracle_run::engine_command::EngineFormat;

use super::shared_flags::{CacheArgs, ConfigFlags, RegistryArgs};

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle run ./app                     build an image of a program, and run it
  coracle run                           the image in coracle.toml
  coracle run oci:shop.oci -p 8080      an image that is built already
  coracle run docker://ghcr.io/acme/shop:1.2 --config config/:/etc/shop
  coracle run --environment production --secret-file password=./password
  coracle run --watch                   take up changes of files and program
  coracle run --check-reload            does the program open changed files?
  coracle run --wait-ready -P           in the background; print its address
  coracle run --print podman            the same as a command of Podman
  coracle run ./app -- --verbose        with arguments of the program

The program runs as a restricted pod would run it: as the image's user, with a read-only root, without capabilities, with \
the network of this machine. Coracle ends with the program's exit code. Linux only. docs/run.md has the details.")]
pub(in crate::cli) struct RunArgs {
    /// A program, or an image: `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`, `docker-archive:FILE[:TAG]`
    /// or `docker://NAME[:TAG]`; default: the recipe in ./coracle.toml
    #[arg(value_name = "PROGRAM|IMAGE", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) subject: Option<OsString>,

    /// Arguments of the program, instead of the image's
    #[arg(last = true, value_name = "ARG")]
    pub(in crate::cli) args: Vec<String>,

    /// Read the recipe from FILE; default: ./coracle.toml if it exists
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) file: Option<PathBuf>,

    /// Set an environment variable; without a value, pass on that of this machine
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(in crate::cli) env: Vec<String>,

    /// Make a port of the program a port of this machine
    #[arg(short, long, value_name = "HOST:CONTAINER")]
    pub(in crate::cli) publish: Vec<String>,

    /// Make every port that the image declares a port of this machine
    #[arg(short = 'P', long)]
    pub(in crate::cli) publish_all: bool,

    /// Run as this numeric user ID instead of the image's
    #[arg(long, value_name = "UID[:GID]")]
    pub(in crate::cli) user: Option<String>,

    /// The name of the run; default: the image's
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) name: Option<String>,

    /// What runs the container: `crun`, `runc`, `youki`, `podman`, `docker`; default: the first that
    /// is installed
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) runtime: Option<String>,

    /// A key of a Secret, with its content in FILE
    #[arg(long = "secret-file", value_name = "KEY=FILE")]
    pub(in crate::cli) secret_files: Vec<OsString>,

    /// Keep what the program writes to its state directories for the next run
    #[arg(long)]
    pub(in crate::cli) keep: bool,

    /// Take up changes: replace configuration as a kubelet does, or restart; build again if the
    /// program changes
    #[arg(long, conflicts_with = "print")]
    pub(in crate::cli) watch: bool,

    /// Replace the configuration once, say whether the program opens the new files, and end; exit
    /// code 4 if it does not
    #[arg(long, conflicts_with_all = ["watch", "print", "detach", "wait_ready"])]
    pub(in crate::cli) check_reload: bool,

    /// Run in the background
    #[arg(short, long, conflicts_with = "print")]
    pub(in crate::cli) detach: bool,

    /// Run in the background; print the program's addresses when it is ready
    #[arg(long, conflicts_with = "print")]
    pub(in crate::cli) wait_ready: bool,

    /// Print the equivalent for another program instead of running anything
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(in crate::cli) print: Option<PrintFormat>,

    /// The platform to run, if the image has several
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub(in crate::cli) platform: Option<String>,

    /// Print only warnings and errors to stderr
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,

    /// The file with the output of a run in the background
    #[arg(long, value_name = "FILE", hide = true)]
    pub(in crate::cli) background_log: Option<PathBuf>,

    #[command(flatten)]
    pub(in crate::cli) cache: CacheArgs,

    // Their `next_help_heading` applies to all arguments that follow, so they come last.
    #[command(flatten)]
    config: ConfigFlags,

    #[command(flatten)]
    pub(in crate::cli) registry: RegistryArgs,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum PrintFormat {
    /// A script with `podman run`
    Podman,
    /// A script with `docker run`
    Docker,
    /// A compose.yaml
    Compose,
    /// A .container file of systemd
    Quadlet,
}

impl From<PrintFormat> for EngineFormat {
    fn from(format: PrintFormat) -> Self {
        match format {
            PrintFormat::Podman => Self::Podman,
            PrintFormat::Docker => Self::Docker,
            PrintFormat::Compose => Self::Compose,
            PrintFormat::Quadlet => Self::Quadlet,
        }
    }
}

impl RunArgs {
    /// Whether the flags specify the mounts of the configuration.
    pub(in crate::cli) fn has_mounts(&self) -> bool {
        self.config.has_mounts()
    }

    /// Returns the flags as arguments of `coracle config render`.
    pub(in crate::cli) fn render_args(&self) -> Vec<String> {
        self.config.render_args()
    }

    pub(in crate::cli) fn overrides(&self) -> RecipeOverrides {
        let config: ConfigOverrides = self.config.overrides();
        RecipeOverrides { user: self.user.clone(), config, ..RecipeOverrides::default() }
    }

    /// Whether the run goes on in the background.
    pub(in crate::cli) fn is_background(&self) -> bool {
        (self.detach || self.wait_ready) && self.background_log.is_none()
    }
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle stop shop                     end a run that is in the background
  coracle stop                          end the only run")]
pub(in crate::cli) struct StopArgs {
    /// The name of the run, which `coracle run --detach` prints; default: the only one
    #[arg(value_name = "NAME")]
    pub(in crate::cli) name: Option<String>,

    /// Print only warnings and errors to stderr
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle debug shop                    a shell next to the program
  coracle debug shop -- ps aux          a tool of this machine
  coracle debug shop --symbols symbols/ -- gdb -p 1
  coracle debug oci:shop.oci --pod shop-6d5f7c9b8-x2x7k

The tool sees the program's processes and network, and the files of this machine; the program's files are below \
/proc/1/root. With `--pod`, the command for a pod of this image is printed. docs/run.md has the details.")]
pub(in crate::cli) struct DebugArgs {
    /// The name of a run, or an image
    #[arg(value_name = "NAME|IMAGE", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) subject: String,

    /// The tool and its arguments; default: your shell
    #[arg(last = true, value_name = "TOOL ARGS")]
    pub(in crate::cli) tool: Vec<OsString>,

    /// Print the `kubectl debug` command for this pod
    #[arg(long, value_name = "POD")]
    pub(in crate::cli) pod: Option<String>,

    /// The container of the pod; default: the name of the image
    #[arg(long, value_name = "NAME", requires = "pod")]
    pub(in crate::cli) container: Option<String>,

    /// The image with the tools for the pod
    #[arg(long, value_name = "IMAGE", requires = "pod", default_value = "busybox:stable")]
    pub(in crate::cli) image: String,

    /// Let gdb find symbols in this directory, which `coracle build --keep-symbols` writes
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) symbols: Option<PathBuf>,

    /// Print only warnings and errors to stderr
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,

    #[command(flatten)]
    pub(in crate::cli) cache: CacheArgs,

    #[command(flatten)]
    pub(in crate::cli) registry: RegistryArgs,
}
