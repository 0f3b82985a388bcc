//! What a run does when something has happened to its container.

use std::sync::atomic::Ordering;
use std::time::Instant;

use coracle_run::{ContainerExit, RunError, SandboxEvent, signal_number};

use super::events::{ProbeResult, RunEvent};
use super::probes::RunProbes;
use super::session::{PendingWrite, RunSession};
use crate::cli::console_output;
use crate::cli::error::{CliError, CliExit};

impl RunSession<'_> {
    /// Handles an event. Returns the exit code if the run has ended.
    pub(super) fn handle(&mut self, event: RunEvent) -> Result<Option<i32>, CliError> {
        match event {
            RunEvent::Container(event) => self.handle_container(event),
            RunEvent::Signal(signal) => {
                self.handle_signal(signal);
                Ok(None)
            }
            RunEvent::Files(files) => {
                self.take_up_changes(&files)?;
                Ok(None)
            }
            RunEvent::Probe(number, result) if number == self.generation.load(Ordering::Acquire) => {
                self.handle_probe(result)
            }
            RunEvent::Probe(..) => Ok(None),
            RunEvent::Exec(command, result) => {
                self.exec_results.push(result);
                self.backend.exec(command);
                Ok(None)
            }
        }
    }

    fn handle_container(&mut self, event: SandboxEvent) -> Result<Option<i32>, CliError> {
        match event {
            SandboxEvent::Started { pid } => {
                self.is_running = true;
                self.has_started = true;
                let number = self.generation.fetch_add(1, Ordering::AcqRel) + 1;
                let has_host_network = self.backend.has_host_network();
                RunProbes::of(&self.prepared, &self.container, has_host_network).start(
                    number,
                    self.generation.clone(),
                    self.events.clone(),
                );
                self.record.container_pid = self.backend.container_process(pid);
                self.run_directory.write_record(&self.record)?;
            }
            SandboxEvent::Exited(exit) => return self.handle_exit(exit),
            SandboxEvent::Written { volume, is_changed } => self.finish_write(&volume, is_changed),
            SandboxEvent::Opened(file) => {
                let is_complete = self.reload_check.as_mut().is_some_and(|check| check.add(&file));
                if is_complete {
                    self.stop(false);
                }
            }
            SandboxEvent::Executed(result) if !self.exec_results.is_empty() => {
                let _ = self.exec_results.remove(0).send(result);
            }
            SandboxEvent::Failed(message) => {
                return Err(RunError::Sandbox(message).into());
            }
            SandboxEvent::Ended => {
                return Err(RunError::Sandbox("its first process was killed".into()).into());
            }
            SandboxEvent::Unshared | SandboxEvent::SetUp | SandboxEvent::Executed(_) => {}
        }
        Ok(None)
    }

    /// Decides what follows the end of the program: nothing, a restart, or waiting for a change.
    fn handle_exit(&mut self, exit: ContainerExit) -> Result<Option<i32>, CliError> {
        self.is_running = false;
        self.generation.fetch_add(1, Ordering::AcqRel);
        let stopping = self.stopping.take();
        if stopping.as_ref().is_some_and(|stopping| stopping.is_restart) {
            self.start()?;
            return Ok(None);
        }
        let code = match exit {
            ContainerExit::Code(code) => code,
            ContainerExit::NotStarted(message) => {
                let error = RunError::Runtime { runtime: self.runtime.clone(), message };
                if !self.args.watch || !self.has_started {
                    return Err(error.into());
                }
                console_output::print_error(&error.into());
                CliExit::Failed as i32
            }
        };
        if let Some(check) = &self.reload_check {
            return check.result(stopping.is_some(), code).map(Some);
        }
        if self.args.watch && stopping.is_none() {
            self.say(&format!("ended with exit code {code}; waiting for a change"));
            return Ok(None);
        }
        Ok(Some(code))
    }

    fn handle_probe(&mut self, result: ProbeResult) -> Result<Option<i32>, CliError> {
        match result {
            ProbeResult::Ready(after) => {
                self.record.is_ready = true;
                self.run_directory.write_record(&self.record)?;
                let at = match self.record.addresses.as_slice() {
                    [] => String::new(),
                    addresses => format!(" at {}", addresses.join(", ")),
                };
                if !at.is_empty() || !self.probes_are_guessed() {
                    self.say(&format!("ready after {} ms{at}", after.as_millis()));
                }
                self.start_reload_check()?;
            }
            ProbeResult::NotReady(why) => {
                self.record.is_ready = false;
                self.run_directory.write_record(&self.record)?;
                self.say(&format!("not ready: {why}"));
            }
            ProbeResult::NotLive(why) => {
                self.say(&format!("restarts, as a kubelet would: the liveness probe fails: {why}"));
                self.restart();
            }
        }
        Ok(None)
    }

    /// Returns whether there are no probes, so that a connection to a port decides.
    fn probes_are_guessed(&self) -> bool {
        let probes = &self.prepared.recipe.kubernetes.probes;
        probes.startup.is_none() && probes.readiness.is_none()
    }

    /// Replaces the volumes of a program that is ready, to see whether it opens the new files.
    fn start_reload_check(&mut self) -> Result<(), CliError> {
        let Some(check) = self.reload_check.as_mut() else { return Ok(()) };
        for (volume, signal) in check.begin() {
            let Some(volume) = self.configuration.volumes.iter().find(|known| known.name == volume) else {
                continue;
            };
            let pending = PendingWrite { volume: volume.name.clone(), signal, noticed: Instant::now() };
            self.written.push(pending);
            self.backend.write_volume(&volume.name, volume.files.clone(), true, true)?;
        }
        Ok(())
    }

    /// Sends the signal of a volume whose files have been replaced, and says so.
    fn finish_write(&mut self, volume: &str, is_changed: bool) {
        let Some(index) = self.written.iter().position(|pending| pending.volume == volume) else { return };
        let pending = self.written.remove(index);
        let path =
            self.configuration.volumes.iter().find(|known| known.name == volume).map(|known| &known.path);
        let path = path.map(ToString::to_string).unwrap_or_default();
        if !is_changed {
            return;
        }
        let elapsed = pending.noticed.elapsed().as_millis();
        let sent = pending.signal.as_deref().and_then(|name| Some((name, signal_number(name)?)));
        match sent {
            Some((name, number)) => {
                self.backend.signal(number);
                self.say(&format!("replaced the files of {path} and sent {name}, in {elapsed} ms"));
            }
            None => self.say(&format!("replaced the files of {path}, in {elapsed} ms")),
        }
    }
}
