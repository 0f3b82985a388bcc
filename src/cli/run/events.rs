//! What a run waits for. Threads send events to one channel.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use coracle_run::SandboxEvent;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use crate::cli::error::CliError;

/// Something that a run reacts to.
pub(super) enum RunEvent {
    /// From the container.
    Container(SandboxEvent),
    /// This process has received a signal.
    Signal(i32),
    /// These files have changed.
    Files(BTreeSet<PathBuf>),
    /// A probe of the container with this number has changed its result.
    Probe(u64, ProbeResult),
    /// A probe runs a command in the container; the sender gets its result.
    Exec(Vec<String>, Sender<Result<i32, String>>),
}

/// What probes have found out.
pub(super) enum ProbeResult {
    /// The program is ready, for the first time or again.
    Ready(Duration),
    /// The program is not ready any more.
    NotReady(String),
    /// A kubelet would restart the container.
    NotLive(String),
}

/// Sends signals as events, from a thread.
pub(super) fn report_signals(events: Sender<RunEvent>) -> Result<(), CliError> {
    let signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2]);
    let mut signals = signals.map_err(|error| CliError::failed(format!("cannot handle signals: {error}")))?;
    thread::spawn(move || {
        for signal in signals.forever() {
            if events.send(RunEvent::Signal(signal)).is_err() {
                return;
            }
        }
    });
    Ok(())
}
