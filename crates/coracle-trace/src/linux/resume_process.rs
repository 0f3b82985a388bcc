//! Lets a stopped process go on.

use nix::errno::Errno;
use nix::libc;
use nix::unistd::Pid;

/// How a stopped process goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Resume {
    /// Until the next event.
    Continue,
    /// Until the next event, or the start or end of the next system call.
    UntilSystemCall,
    /// The process stays stopped until SIGCONT, as it would without a tracer.
    StayStopped,
}

/// Lets `pid` go on and delivers `signal` to it; 0 for none. A process that has been killed in the
/// meantime is not an error.
///
/// `nix::sys::ptrace` can neither deliver real-time signals, which the C library uses to cancel
/// threads, nor keep a process stopped (`PTRACE_LISTEN`).
#[allow(unsafe_code, reason = "no crate has safe functions for real-time signals and PTRACE_LISTEN")]
pub(super) fn resume(pid: Pid, how: Resume, signal: i32) -> Result<(), Errno> {
    let request = match how {
        Resume::Continue => libc::PTRACE_CONT,
        Resume::UntilSystemCall => libc::PTRACE_SYSCALL,
        Resume::StayStopped => libc::PTRACE_LISTEN,
    };
    let no_address = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: these three requests take numbers only; no memory of this process is accessed.
    let result = unsafe { libc::ptrace(request, pid.as_raw(), no_address, libc::c_long::from(signal)) };
    match Errno::result(result) {
        Ok(_) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error),
    }
}
