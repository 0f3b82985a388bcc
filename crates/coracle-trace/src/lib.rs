//! Runs a command and records what it opens, checks, starts and writes: files read, directories listed,
//! libraries mapped, programs executed, Unix sockets, files written. All its child processes are
//! recorded, too.
//!
//! [`record`] runs a command under `ptrace` and returns its [`Trace`] and exit status. A seccomp
//! filter stops the command only at the system calls that matter; no privileges, daemon or other
//! tool are needed. Only successful calls count, except for [`Trace::paths_absent`].
//!
//! The command is started by this process's own executable, which installs the filter first. So a
//! program that uses this crate calls [`run_launcher`] at the start of `main`:
//!
//! ```standalone_crate
//! use coracle_trace::{Command, ProgramStatus};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // Returns only if this process is not the launcher.
//!     coracle_trace::run_launcher(std::env::args_os());
//!
//!     let command = Command { args: vec!["/etc/passwd".into()], ..Command::new("/bin/cat") };
//!     let recorded = coracle_trace::record(&command, &|_| ())?;
//!     assert_eq!(recorded.status, ProgramStatus::Exited(0));
//!     assert!(recorded.trace.files_read.contains(&"/etc/passwd".into()));
//!     assert!(recorded.trace.programs_executed.contains(&"/bin/cat".into()));
//!     Ok(())
//! }
//! ```
//!
//! Not seen are files opened through `io_uring`, what a program does before a descriptor is
//! passed to it, and system calls of another architecture. [`Trace::gaps`] lists the programs for which something is missing.
//!
//! Linux on x86-64 and arm64 only; elsewhere [`record`] returns [`TraceError::Unsupported`]. The
//! crate does not depend on images or recipes.

mod error;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod linux;
mod trace;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod unsupported;

use std::ffi::OsString;
use std::path::PathBuf;

pub use error::TraceError;
pub use trace::{MAX_PATHS, RecordedPath, Trace, TraceGap};

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub use linux::{check_program, record, run_launcher};
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub use unsupported::{check_program, record, run_launcher};

/// A command to record. It inherits the working directory, the environment and the standard streams.
#[derive(Clone, Debug)]
pub struct Command {
    /// The program's file. `PATH` is not searched.
    pub program: PathBuf,
    /// The program's own name in its arguments (`argv[0]`). Default: the path of the file.
    pub name: Option<OsString>,
    /// The arguments.
    pub args: Vec<OsString>,
    /// `true` if the command's stdout is this process's stderr, so that stdout stays free for a report.
    pub stdout_to_stderr: bool,
}

impl Command {
    /// Returns the command that runs `program` without arguments.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), name: None, args: Vec::new(), stdout_to_stderr: false }
    }
}

/// The result of a recorded run.
#[derive(Debug)]
pub struct RecordedRun {
    /// The record of the run.
    pub trace: Trace,
    /// How the program ended.
    pub status: ProgramStatus,
    /// `true` if this process was asked to end by a signal while the command ran.
    pub is_interrupted: bool,
}

/// How a program ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProgramStatus {
    /// The program exited with this code.
    Exited(i32),
    /// This signal killed the program.
    Killed(i32),
}
