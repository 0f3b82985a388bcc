//! The process that becomes the recorded program: it waits for the tracer, installs the filter and
//! executes the program.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;

use nix::sys::signal::{Signal, raise};

use super::{forward_signals, seccomp_filter};

/// The name of the launcher in its own arguments.
pub(super) const LAUNCHER: &str = "coracle-trace-launcher";
/// The name of a launcher without a seccomp filter, for kernels that have none: the tracer stops it
/// at every system call.
pub(super) const LAUNCHER_WITHOUT_FILTER: &str = "coracle-trace-launcher-without-filter";

/// The exit code of a launcher that could not start the program.
const FAILED: i32 = 127;

/// Starts the program to record if this process was started for that by [`crate::record`]; then it
/// does not return. `args` are all arguments of this process.
#[allow(clippy::exit, reason = "this process must not go on as anything else")]
pub fn run_launcher(mut args: impl Iterator<Item = OsString>) {
    let Some(own_name) = args.next().filter(|name| name == LAUNCHER || name == LAUNCHER_WITHOUT_FILTER)
    else {
        return;
    };
    let (Some(program), Some(name)) = (args.next(), args.next()) else { return };
    // The tracer sees from the exit, before any program was executed, that this has failed.
    if raise(Signal::SIGSTOP).is_err()
        || forward_signals::unblock_signals().is_err()
        || (own_name == LAUNCHER && seccomp_filter::install_filter().is_err())
    {
        std::process::exit(FAILED);
    }
    // The tracer reports the error of the system call.
    let _ = std::process::Command::new(program).arg0(name).args(args).exec();
    std::process::exit(FAILED)
}
