//! Passes signals of this process on to the recorded command, and ends it at the second one.

use std::collections::BTreeSet;
use std::io::{PipeReader, PipeWriter};
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;

use super::recorder::system_call_error;
use crate::TraceError;

/// The signals that ask a process to end.
const SIGNALS: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];

/// `si_code` of a signal that the terminal has sent to all its foreground processes. Source:
/// asm-generic/siginfo.h.
const SENT_BY_KERNEL: i32 = 0x80;

/// The interval, in milliseconds, at which processes that outlive the program are looked for.
const POLL_INTERVAL: u16 = 1000;

/// The time within which a repeated signal counts as the same signal: a sender such as timeout(1)
/// signals both the process and its group.
const REPEATED_SIGNAL: Duration = Duration::from_millis(300);

/// Unblocks the signals, which the launcher inherits blocked.
pub(super) fn unblock_signals() -> Result<(), Errno> {
    SIGNALS.into_iter().collect::<SigSet>().thread_unblock()
}

/// The processes that are recorded at present.
#[derive(Clone, Default)]
pub(super) struct RunningProcesses(Arc<Mutex<BTreeSet<i32>>>);

impl RunningProcesses {
    pub(super) fn add(&self, pid: Pid) {
        self.with_process_ids(|pids| pids.insert(pid.as_raw()));
    }

    pub(super) fn remove(&self, pid: Pid) {
        self.with_process_ids(|pids| pids.remove(&pid.as_raw()));
    }

    fn contains(&self, pid: Pid) -> bool {
        self.with_process_ids(|pids| pids.contains(&pid.as_raw()))
    }

    fn count(&self) -> usize {
        self.with_process_ids(|pids| pids.len())
    }

    /// Sends `signal` to all processes. The ID of a process that has ended meanwhile is not reused
    /// yet, because the tracer has not waited for the process.
    fn signal_all(&self, signal: Signal) {
        self.with_process_ids(|pids| {
            for &pid in pids.iter() {
                let _ = kill(Pid::from_raw(pid), signal);
            }
        });
    }

    fn with_process_ids<T>(&self, action: impl FnOnce(&mut BTreeSet<i32>) -> T) -> T {
        action(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Blocks the signals of this process, and reads them from a descriptor instead, until this value
/// is dropped.
pub(super) struct SignalForwarder {
    fd: SignalFd,
    previous_mask: SigSet,
    processes: RunningProcesses,
}

impl SignalForwarder {
    pub(super) fn block_signals() -> Result<Self, TraceError> {
        let signals: SigSet = SIGNALS.into_iter().collect();
        let previous_mask = signals
            .thread_swap_mask(SigmaskHow::SIG_BLOCK)
            .map_err(|error| system_call_error("sigprocmask", error))?;
        let fd = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK);
        let fd = fd.map_err(|error| system_call_error("signalfd", error))?;
        Ok(Self { fd, previous_mask, processes: RunningProcesses::default() })
    }

    pub(super) fn processes(&self) -> RunningProcesses {
        self.processes.clone()
    }

    /// Starts a thread that passes signals on to `program`. `on_left_running` is called when other
    /// processes outlive it.
    pub(super) fn start_forwarding<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        program: Pid,
        on_left_running: &'scope (dyn Fn(usize) + Sync),
    ) -> Result<ForwarderThread<'scope>, TraceError> {
        let (stopped, stop) =
            std::io::pipe().map_err(|source| TraceError::SystemCall { call: "pipe", source })?;
        let thread = scope.spawn(move || {
            let mut state = ForwarderState { forwarder: self, program, first_signal: None };
            // An error of `poll` ends forwarding only.
            let _ = state.forward_signals(&stopped, on_left_running);
            state.first_signal.is_some()
        });
        Ok(ForwarderThread { stop, thread })
    }
}

impl Drop for SignalForwarder {
    fn drop(&mut self) {
        let _ = self.previous_mask.thread_set_mask();
    }
}

/// The thread that passes signals on.
pub(super) struct ForwarderThread<'scope> {
    stop: PipeWriter,
    thread: ScopedJoinHandle<'scope, bool>,
}

impl ForwarderThread<'_> {
    /// Ends the thread. Returns whether a signal has arrived.
    pub(super) fn stop(self) -> bool {
        drop(self.stop);
        self.thread.join().unwrap_or_default()
    }
}

struct ForwarderState<'a> {
    forwarder: &'a SignalForwarder,
    program: Pid,
    first_signal: Option<Instant>,
}

impl ForwarderState<'_> {
    fn forward_signals(
        &mut self,
        stopped: &PipeReader,
        on_left_running: &dyn Fn(usize),
    ) -> Result<(), Errno> {
        let (mut idle_intervals, mut is_reported) = (0, false);
        loop {
            let mut fds = [
                PollFd::new(self.forwarder.fd.as_fd(), PollFlags::POLLIN),
                PollFd::new(stopped.as_fd(), PollFlags::POLLIN),
            ];
            let ready = match poll(&mut fds, PollTimeout::from(POLL_INTERVAL)) {
                Err(Errno::EINTR) => continue,
                ready => ready?,
            };
            let [_, stop] = fds;
            if stop.any() == Some(true) {
                return Ok(());
            }
            while let Some(signal) = self.forwarder.fd.read_signal()? {
                self.handle_signal(signal.ssi_signo, signal.ssi_code);
            }
            let processes = &self.forwarder.processes;
            if ready == 0 && !is_reported && !processes.contains(self.program) {
                idle_intervals += 1;
                if idle_intervals > 1 {
                    on_left_running(processes.count());
                    is_reported = true;
                }
            }
        }
    }

    fn handle_signal(&mut self, number: u32, code: i32) {
        let processes = &self.forwarder.processes;
        let number = i32::try_from(number).ok().and_then(|number| Signal::try_from(number).ok());
        if let Some(first) = self.first_signal {
            if first.elapsed() > REPEATED_SIGNAL {
                processes.signal_all(Signal::SIGKILL);
            }
            return;
        }
        self.first_signal = Some(Instant::now());
        if !processes.contains(self.program) {
            // Those that outlive it are usually daemons, which no terminal reaches.
            processes.signal_all(Signal::SIGTERM);
        } else if code != SENT_BY_KERNEL {
            let _ = kill(self.program, number);
        }
    }
}
