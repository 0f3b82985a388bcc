//! Enters the namespaces of a running program with a tool of this machine, for `coracle debug`.
//!
//! The tool sees the program's processes, hosts and network, and this machine's files: the program's
//! own are below `/proc/1/root`.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};

use crate::RunError;

/// The names of the stages in their own arguments.
pub(super) const ENTRY: &str = "coracle-run-entry";
pub(super) const TOOL: &str = "coracle-run-tool";

/// The exit code if a namespace could not be entered.
const FAILED: i32 = 125;

/// Runs a tool in the namespaces of the process `pid`. `executable` is this program, which calls
/// [`run_stage`](super::run_stage) in its `main`.
///
/// # Errors
/// Fails if this program cannot be started.
pub fn enter_namespaces(
    executable: &Path,
    pid: i32,
    tool: &OsStr,
    args: &[OsString],
) -> Result<ExitStatus, RunError> {
    let mut command = Command::new(executable);
    command.arg0(ENTRY).arg(pid.to_string()).arg(tool).args(args);
    command.status().map_err(|source| RunError::Start { program: executable.to_owned(), source })
}

/// Runs the first stage, which enters the namespaces, or the second one, which becomes the tool.
pub(super) fn run_entry_stage(is_tool: bool, args: impl Iterator<Item = OsString>) -> i32 {
    let result = if is_tool { become_tool(args) } else { enter(args) };
    match result {
        Ok(code) => code,
        Err(error) => {
            // The process has no other way to report an error.
            let _ = writeln!(io::stderr(), "error: cannot enter the namespaces of the program: {error}");
            FAILED
        }
    }
}

fn enter(mut args: impl Iterator<Item = OsString>) -> io::Result<i32> {
    let pid = args.next().unwrap_or_default();
    let namespaces = Path::new("/proc").join(pid).join("ns");
    let opened = |name: &str| -> io::Result<Option<File>> {
        let (own, its) = (Path::new("/proc/self/ns").join(name), namespaces.join(name));
        let is_same = std::fs::metadata(own)?.ino() == std::fs::metadata(&its)?.ino();
        if is_same { Ok(None) } else { File::open(its).map(Some) }
    };
    // All are opened first: in the user namespace, the others are not reachable by path any more.
    let kinds = [
        ("user", CloneFlags::CLONE_NEWUSER),
        ("ipc", CloneFlags::CLONE_NEWIPC),
        ("uts", CloneFlags::CLONE_NEWUTS),
        ("net", CloneFlags::CLONE_NEWNET),
        ("pid", CloneFlags::CLONE_NEWPID),
    ];
    let files =
        kinds.iter().map(|(name, kind)| Ok((opened(name)?, *kind))).collect::<io::Result<Vec<_>>>()?;
    for (file, kind) in files {
        if let Some(file) = file {
            setns(file, kind)?;
        }
    }
    unshare(CloneFlags::CLONE_NEWNS)?;
    let status = Command::new("/proc/self/exe").arg0(TOOL).args(args).status()?;
    Ok(status.code().unwrap_or(FAILED))
}

fn become_tool(mut args: impl Iterator<Item = OsString>) -> io::Result<i32> {
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    let restricted = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), restricted, none)?;
    let tool = args.next().unwrap_or_default();
    Err(Command::new(tool).args(args).exec())
}
