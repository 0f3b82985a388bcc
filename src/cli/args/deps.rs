//! The flags of `coracle deps`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum DepsFormat {
    /// Each object below the one that needs it
    Tree,
    /// One path per line
    Paths,
    /// A JSON object for one FILE, an array for several
    Json,
    /// One JSON object per line
    Jsonl,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle deps ./app                      a tree with sizes and search rules
  coracle deps --why libz.so.1 ./app      which objects need it, and its size
  coracle deps --compressed ./app         what each object adds to an image
  coracle deps --format jsonl /usr/bin/*  thousands of files in one process
  coracle deps --root ./rootfs /bin/app   only inside another root file system
  coracle deps --sysroot /usr/aarch64-linux-gnu ./app

The program, its dynamic loader and ldd are never executed. Exit code 4: a dependency is missing or unusable; 1: no FILE \
could be read, or no object has the name in `--why`.")]
pub(in crate::cli) struct DepsArgs {
    /// ELF programs, shared libraries or `#!` scripts
    #[arg(value_name = "FILE", required = true)]
    pub(in crate::cli) files: Vec<PathBuf>,

    /// Output format of stdout: `tree`, `paths` (one library per line), `json` (an object, or an array
    /// for several files) or `jsonl` (one object per line)
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = DepsFormat::Tree)]
    #[arg(hide_possible_values = true)]
    pub(in crate::cli) format: DepsFormat,

    /// Explain this object, named by path, file name or needed name: which objects need it, which
    /// rule found it, what was searched before, and its size
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) why: Option<String>,

    /// Show each object's compressed size in an image layer
    #[arg(long)]
    pub(in crate::cli) compressed: bool,

    /// Check for undefined symbols, too; symbol versions are always checked
    #[arg(long)]
    pub(in crate::cli) symbols: bool,

    /// Use this directory as the root file system; FILE is a path inside it. With several roots,
    /// the first that contains FILE for its platform is used
    #[arg(long = "root", value_name = "[PLATFORM=]DIR", help_heading = "Roots")]
    pub(in crate::cli) roots: Vec<OsString>,

    /// Take the dynamic loader and the libraries from this root file system, but not FILE
    #[arg(long = "sysroot", value_name = "[PLATFORM=]DIR", help_heading = "Roots")]
    pub(in crate::cli) sysroots: Vec<OsString>,

    /// The value of LD_LIBRARY_PATH; the environment is not read
    #[arg(long, value_name = "DIRS", help_heading = "Loader")]
    pub(in crate::cli) library_path: Option<String>,

    /// The value of LD_PRELOAD; the environment is not read
    #[arg(long, value_name = "NAMES", help_heading = "Loader")]
    pub(in crate::cli) preload: Option<String>,

    /// The program's working directory, for relative paths; default: `/`
    #[arg(long, value_name = "PATH", help_heading = "Loader")]
    pub(in crate::cli) working_dir: Option<String>,

    /// The CPU's hwcaps level, such as x86-64-v3, or `none`; default: the highest that is installed
    #[arg(long, value_name = "LEVEL", help_heading = "Loader")]
    pub(in crate::cli) hwcaps: Option<String>,

    /// The value of `$PLATFORM` in search paths
    #[arg(long, value_name = "NAME", help_heading = "Loader")]
    pub(in crate::cli) platform_token: Option<String>,
}
