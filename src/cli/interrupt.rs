//! Ctrl-C: the first one cancels the command and cleans up, the second one ends the process at
//! once.

use std::ops::ControlFlow;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

static ASKED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Handles SIGINT and SIGTERM from now on. If that fails, they end the process as by default.
pub(super) fn listen() {
    let asked = ASKED.get_or_init(Arc::default);
    #[cfg(unix)]
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        let _ = signal_hook::flag::register_conditional_shutdown(signal, 130, asked.clone());
        let _ = signal_hook::flag::register(signal, asked.clone());
    }
}

/// Returns `Break` if a signal has asked the process to end.
pub(super) fn go_on() -> ControlFlow<()> {
    let asked = ASKED.get().is_some_and(|asked| asked.load(Ordering::Relaxed));
    if asked { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// The interval at which the cancellation flag is polled.
const LOOKS: Duration = Duration::from_millis(50);

/// Terminates a child process when this process is asked to end. A terminal signals both, but
/// another sender may signal only this one.
pub(super) struct HandOn {
    until: Option<Sender<()>>,
    looks: Option<JoinHandle<()>>,
}

impl HandOn {
    /// Starts to watch. Must be dropped before `child` is waited for, because its process ID may be
    /// reused after that.
    pub(super) fn to(child: &Child) -> Self {
        let (until, is_over) = channel();
        let end = ender(child);
        let look = move || {
            while is_over.recv_timeout(LOOKS) == Err(RecvTimeoutError::Timeout) {
                if go_on().is_break() {
                    return end();
                }
            }
        };
        // If no thread can be started, the child runs to its end.
        Self { until: Some(until), looks: thread::Builder::new().spawn(look).ok() }
    }
}

impl Drop for HandOn {
    fn drop(&mut self) {
        drop(self.until.take());
        self.looks.take().map(JoinHandle::join);
    }
}

#[cfg(target_os = "linux")]
fn ender(child: &Child) -> impl FnOnce() + Send + 'static {
    let number = rustix::process::Pid::from_child(child);
    // Fails only if the child has ended already.
    move || {
        let _ = rustix::process::kill_process(number, rustix::process::Signal::TERM);
    }
}

#[cfg(not(target_os = "linux"))]
fn ender(_: &Child) -> impl FnOnce() + Send + 'static {
    || ()
}
