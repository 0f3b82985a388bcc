//! The flags of `coracle deps`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum DepsFormat {
    /// Each object below the one that brought it in
    Tree,
    /// One path a line
    Paths,
    /// An object for one file, an array for several
    Json,
    /// An object a line
    Jsonl,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle deps ./app                       the tree, with sizes and rules
  coracle deps --why libz.so.1 ./app       who needs it, where was looked, its cost
  coracle deps --compressed ./app          what each object adds to an image
  coracle deps --format jsonl /usr/bin/*   thousands of files in one process
  coracle deps --root ./rootfs /bin/app    inside another root, and nowhere else
  coracle deps --sysroot /usr/aarch64-linux-gnu ./app

Nothing is run: neither the program, nor its loader, nor ldd. Exit code 4: something is missing or refused; 1: no FILE
could be read, or nothing is called what `--why` says.")]
pub(in crate::cli) struct DepsArgs {
    /// ELF programs, shared libraries or `#!` scripts
    #[arg(value_name = "FILE", required = true)]
    pub(in crate::cli) files: Vec<PathBuf>,

    /// How stdout is written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = DepsFormat::Tree)]
    pub(in crate::cli) format: DepsFormat,

    /// Explain this object, by its path, its file's name, or a name that is asked for: every chain from the program to
    /// it, the rule that found it, where else was looked, what it costs
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) why: Option<String>,

    /// Compress every object as an image's layer does, and show its size there
    #[arg(long)]
    pub(in crate::cli) compressed: bool,

    /// Look for undefined symbols too; versions are always compared
    #[arg(long)]
    pub(in crate::cli) symbols: bool,

    /// Look into this directory as the root; FILE is a path inside it. Several roots, several platforms: the first that
    /// has FILE for its platform counts
    #[arg(long = "root", value_name = "[PLATFORM=]DIR", help_heading = "Roots")]
    pub(in crate::cli) roots: Vec<OsString>,

    /// Take the loader and the libraries from this root, FILE from here
    #[arg(long = "sysroot", value_name = "[PLATFORM=]DIR", help_heading = "Roots")]
    pub(in crate::cli) sysroots: Vec<OsString>,

    /// What LD_LIBRARY_PATH would be; the environment is not read
    #[arg(long, value_name = "DIRS", help_heading = "Loader")]
    pub(in crate::cli) library_path: Option<String>,

    /// What LD_PRELOAD would be; the environment is not read
    #[arg(long, value_name = "NAMES", help_heading = "Loader")]
    pub(in crate::cli) preload: Option<String>,

    /// Where relative paths start, `/` when nothing is said
    #[arg(long, value_name = "PATH", help_heading = "Loader")]
    pub(in crate::cli) working_dir: Option<String>,

    /// The best variant that the CPU runs, such as x86-64-v3, or `none`; the best that is there when nothing is said
    #[arg(long, value_name = "LEVEL", help_heading = "Loader")]
    pub(in crate::cli) hwcaps: Option<String>,

    /// What `$PLATFORM` stands for
    #[arg(long, value_name = "NAME", help_heading = "Loader")]
    pub(in crate::cli) platform_token: Option<String>,
}
