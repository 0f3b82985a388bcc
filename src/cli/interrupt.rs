//! Ctrl-C: the first one cancels the command and cleans up, the second one ends the process at
//! once.

use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

static CANCELLED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Handles SIGINT and SIGTERM from now on. If that fails, they end the process as by default.
pub(super) fn handle_signals() {
    let is_cancelled = CANCELLED.get_or_init(Arc::default);
    #[cfg(unix)]
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        let _ = signal_hook::flag::register_conditional_shutdown(signal, 130, is_cancelled.clone());
        let _ = signal_hook::flag::register(signal, is_cancelled.clone());
    }
}

/// Returns whether a signal has asked the process to end.
pub(super) fn is_cancelled() -> bool {
    CANCELLED.get().is_some_and(|flag| flag.load(Ordering::Relaxed))
}

/// Cancels operations after a signal, without showing progress.
pub(super) struct SignalCancellation;

impl coracle_core::progress::Progress for SignalCancellation {
    fn is_cancelled(&self) -> bool {
        is_cancelled()
    }
}

impl coracle::Observer for SignalCancellation {
    fn is_cancelled(&self) -> bool {
        is_cancelled()
    }
}

/// The interval at which the cancellation flag is polled.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Terminates a child process when this process is asked to end. A terminal signals both, but
/// another sender may signal only this one.
pub(super) struct ChildTerminator {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ChildTerminator {
    /// Starts to watch. Must be dropped before `child` is waited for, because its process ID may be
    /// reused after that.
    pub(super) fn watch(child: &Child) -> Self {
        let (stop, stopped) = channel();
        let terminate = terminate_function(child);
        let poll = move || {
            while stopped.recv_timeout(POLL_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                if is_cancelled() {
                    return terminate();
                }
            }
        };
        // If no thread can be started, the child runs to its end.
        Self { stop: Some(stop), thread: thread::Builder::new().spawn(poll).ok() }
    }
}

impl Drop for ChildTerminator {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().map(JoinHandle::join);
    }
}

#[cfg(target_os = "linux")]
fn terminate_function(child: &Child) -> impl FnOnce() + Send + 'static {
    let pid = rustix::process::Pid::from_child(child);
    // Fails only if the child has ended already.
    move || {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}

#[cfg(not(target_os = "linux"))]
fn terminate_function(_: &Child) -> impl FnOnce() + Send + 'static {
    || ()
}
