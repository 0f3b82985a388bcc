//! Ctrl-C: the first one ends the build as soon as nothing half-written stays behind, the second one ends it at once.

use std::ops::ControlFlow;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

static ASKED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Takes SIGINT and SIGTERM from now on. Where that can't be had, they end the process as ever.
pub(super) fn listen() {
    let asked = ASKED.get_or_init(Arc::default);
    #[cfg(unix)]
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        let _ = signal_hook::flag::register_conditional_shutdown(signal, 130, asked.clone());
        let _ = signal_hook::flag::register(signal, asked.clone());
    }
}

/// Whether to go on, or somebody has asked to end.
pub(super) fn go_on() -> ControlFlow<()> {
    let asked = ASKED.get().is_some_and(|asked| asked.load(Ordering::Relaxed));
    if asked { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// How often somebody looks whether to end.
const LOOKS: Duration = Duration::from_millis(50);

/// Asks a child to end when somebody asks this process alone; a terminal asks both.
pub(super) struct HandOn {
    until: Option<Sender<()>>,
    looks: Option<JoinHandle<()>>,
}

impl HandOn {
    /// Looks after `child`. It has to be dropped before `child` is waited for, because its number may be another's then.
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
        // Without a thread, the child goes on to its end.
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
    // Who has ended already can't be asked.
    move || {
        let _ = rustix::process::kill_process(number, rustix::process::Signal::TERM);
    }
}

#[cfg(not(target_os = "linux"))]
fn ender(_: &Child) -> impl FnOnce() + Send + 'static {
    || ()
}
