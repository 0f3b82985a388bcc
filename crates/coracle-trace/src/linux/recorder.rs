//! Records a command: starts it stopped, traces it to its end, and sums up what it did.

use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Stdio};

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::process::WaitOptions;

use super::forward_signals::SignalForwarder;
use super::launcher::{LAUNCHER, LAUNCHER_WITHOUT_FILTER};
use super::tracer::Tracer;
use super::{program_check, seccomp_filter};
use crate::{Command, RecordedRun, TraceError};

/// Runs `command` and records what it and its child processes do. Returns when all of them have ended.
///
/// SIGINT, SIGTERM, SIGHUP and SIGQUIT of this process are passed on to the command, unless the
/// terminal has sent them to both; the second one kills all its processes. What was recorded until
/// then is returned. `on_left_running` is called once with the number of processes that still run one
/// second after the program has ended.
///
/// Must be called while this process has one thread, because signals are blocked only in the calling
/// one. If this process ends, all recorded processes are killed.
///
/// # Errors
/// Fails before the program runs: if it does not exist, is for another machine, is set-user-ID, or
/// if tracing is not permitted.
pub fn record(
    command: &Command,
    on_left_running: &(dyn Fn(usize) + Sync),
) -> Result<RecordedRun, TraceError> {
    program_check::check_program(&command.program)?;
    let is_filtered = seccomp_filter::kernel_supports_filters();
    match record_with(command, is_filtered, on_left_running) {
        // A sandbox may reject filters.
        Err(TraceError::LauncherFailed(_)) if is_filtered => record_with(command, false, on_left_running),
        recorded => recorded,
    }
}

/// Records `command`; without the filter, it stops at every system call.
fn record_with(
    command: &Command,
    is_filtered: bool,
    on_left_running: &(dyn Fn(usize) + Sync),
) -> Result<RecordedRun, TraceError> {
    let signals = SignalForwarder::block_signals()?;
    let child = start_launcher(command, is_filtered)?;
    let pid = Pid::from_raw(child.id().try_into().map_err(|_| system_call_error("fork", Errno::EOVERFLOW))?);
    if let Err(error) = attach_to_launcher(pid) {
        // It has not started the program yet.
        let _ = kill(pid, Signal::SIGKILL);
        let mut child = child;
        let _ = child.wait();
        return Err(match error {
            Errno::EPERM | Errno::EACCES | Errno::ENOSYS => {
                TraceError::NotPermitted { program: command.program.clone(), source: error.into() }
            }
            error => system_call_error("ptrace", error),
        });
    }
    let mut tracer = Tracer::new(pid, &command.program, is_filtered, signals.processes());
    let is_interrupted = std::thread::scope(|scope| {
        let forwarder = signals.start_forwarding(scope, pid, on_left_running)?;
        let traced = tracer.trace_to_end();
        let is_interrupted = forwarder.stop();
        traced.map(|()| is_interrupted)
    })?;
    let (trace, status) = tracer.finish()?;
    Ok(RecordedRun { trace, status, is_interrupted })
}

/// Starts the launcher, and returns when it has stopped itself.
fn start_launcher(command: &Command, is_filtered: bool) -> Result<Child, TraceError> {
    let launcher = if is_filtered { LAUNCHER } else { LAUNCHER_WITHOUT_FILTER };
    // This link works even if the executable was removed or replaced.
    let mut start = std::process::Command::new("/proc/self/exe");
    start.arg0(launcher).arg(&command.program);
    start.arg(command.name.as_deref().unwrap_or(command.program.as_os_str())).args(&command.args);
    if command.stdout_to_stderr {
        let stderr = std::io::stderr().as_fd().try_clone_to_owned();
        start.stdout(Stdio::from(stderr.map_err(|source| TraceError::SystemCall { call: "dup", source })?));
    }
    let child = start.spawn().map_err(|source| TraceError::SystemCall { call: "fork", source })?;
    let pid = rustix::process::Pid::from_child(&child);
    let stopped = rustix::process::waitpid(Some(pid), WaitOptions::UNTRACED);
    match stopped {
        Ok(Some((_, status))) if status.stopped() => Ok(child),
        Ok(_) => Err(TraceError::LauncherFailed(command.program.clone())),
        Err(error) => Err(TraceError::SystemCall { call: "waitpid", source: error.into() }),
    }
}

/// Attaches to the stopped launcher, and lets it go on.
fn attach_to_launcher(pid: Pid) -> Result<(), Errno> {
    let options = Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_TRACESECCOMP
        | Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_EXITKILL;
    ptrace::seize(pid, options)?;
    kill(pid, Signal::SIGCONT)
}

/// Returns the error of a system call of the tracer.
pub(super) fn system_call_error(call: &'static str, error: Errno) -> TraceError {
    TraceError::SystemCall { call, source: error.into() }
}
