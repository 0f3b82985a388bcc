//! How a run ends: signals that are passed on, a program that does not end, and restarts.

use std::time::{Duration, Instant};

use coracle_core::note::Note;
use coracle_run::{ContainerExit, SandboxEvent, signal_number};
use signal_hook::consts::{SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM};

use super::events::RunEvent;
use super::reload_check::ReloadCheck;
use super::session::RunSession;
use crate::cli::console_output;
use crate::cli::error::CliExit;

/// After this time it is said that a program does not end.
const TELL_AFTER: Duration = Duration::from_secs(1);
/// After this time a program is killed, unless the recipe has another `termination-grace`.
const KILL_AFTER: Duration = Duration::from_secs(10);
/// How long the loop waits if nothing is due.
const IDLE: Duration = Duration::from_secs(60);

/// A program that was asked to end.
pub(super) struct Stopping {
    since: Instant,
    is_told: bool,
    is_killed: bool,
    /// `true` if the run goes on with another container.
    pub(super) is_restart: bool,
}

impl RunSession<'_> {
    /// Passes a signal of this process on, or ends the program.
    pub(super) fn handle_signal(&mut self, signal: i32) {
        match signal {
            SIGINT | SIGTERM | SIGQUIT | SIGHUP if !self.is_running => self.end_without_program(),
            SIGINT | SIGTERM | SIGQUIT => match &self.stopping {
                Some(stopping) if !stopping.is_restart && !stopping.is_killed => self.kill(),
                _ => {
                    let stop = self.stop_signal();
                    self.stop_with(if signal == SIGTERM { stop } else { signal }, false);
                }
            },
            // Programs often read their configuration again; without a terminal it means its end.
            SIGHUP if self.container.has_terminal => self.stop(false),
            other => self.backend.signal(other),
        }
    }

    /// Ends a run whose program does not run: before its start, or while it waits for a change.
    fn end_without_program(&mut self) {
        self.stopping =
            Some(Stopping { since: Instant::now(), is_told: true, is_killed: true, is_restart: false });
        let end = SandboxEvent::Exited(ContainerExit::Code(CliExit::Interrupted as i32));
        let _ = self.events.send(RunEvent::Container(end));
    }

    /// Asks the program to end. `is_restart`: another container follows.
    pub(super) fn stop(&mut self, is_restart: bool) {
        self.stop_with(self.stop_signal(), is_restart);
    }

    fn stop_with(&mut self, signal: i32, is_restart: bool) {
        self.stopping =
            Some(Stopping { since: Instant::now(), is_told: false, is_killed: false, is_restart });
        self.backend.signal(signal);
    }

    /// Ends the container and starts it again, with the current image and configuration.
    pub(super) fn restart(&mut self) {
        if self.is_running {
            self.stop(true);
        } else if self.stopping.is_none()
            && let Err(failure) = self.start()
        {
            console_output::print_error(&failure);
        }
    }

    fn stop_signal(&self) -> i32 {
        self.container.stop_signal.as_deref().and_then(signal_number).unwrap_or(SIGTERM)
    }

    fn kill(&mut self) {
        if let Some(stopping) = &mut self.stopping {
            stopping.is_killed = true;
        }
        self.backend.signal(SIGKILL);
    }

    fn kill_after(&self) -> Duration {
        let grace = self.prepared.recipe.kubernetes.termination_grace;
        grace.map_or(KILL_AFTER, |seconds| Duration::from_secs(seconds.into()))
    }

    /// Returns the time until something is due.
    pub(super) fn next_deadline(&self) -> Duration {
        let check = self.reload_check.as_ref().and_then(ReloadCheck::deadline);
        let stop = self.stopping.as_ref().filter(|stopping| !stopping.is_killed).map(|stopping| {
            stopping.since
                + if stopping.is_told { self.kill_after() } else { TELL_AFTER.min(self.kill_after()) }
        });
        let next = check.into_iter().chain(stop).min();
        next.map_or(IDLE, |next| next.saturating_duration_since(Instant::now()))
    }

    /// Tells that a program does not end, and kills it; ends a check of reloading.
    pub(super) fn check_deadlines(&mut self) -> Option<i32> {
        if self
            .reload_check
            .as_ref()
            .and_then(ReloadCheck::deadline)
            .is_some_and(|deadline| deadline <= Instant::now())
            && self.stopping.is_none()
        {
            self.stop(false);
        }
        let kill_after = self.kill_after();
        let signal = self.container.stop_signal.clone().unwrap_or_else(|| "SIGTERM".into());
        let stopping = self.stopping.as_mut()?;
        let elapsed = stopping.since.elapsed();
        if elapsed >= kill_after && !stopping.is_killed {
            self.say("still runs: killed");
            self.kill();
        } else if elapsed >= TELL_AFTER && !stopping.is_told {
            stopping.is_told = true;
            let seconds = kill_after.as_secs();
            let warning = format!(
                "`{}` has not ended a second after {signal}, and will be killed {seconds} seconds after it, as by a \
                 kubelet: docs/stopping.md says how programs handle it",
                self.record.name
            );
            console_output::print_notes(&[Note::Warning(warning)], self.args.quiet);
        }
        None
    }
}
