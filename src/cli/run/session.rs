//! A run from its start to its end: reacts to the container, to signals, to probes and to changed files.

use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use coracle_core::note::Note;
use coracle_run::{
    Container, ContainerExit, PortMapping, PortProxy, RunDirectory, RunError, RunRecord, Runtime,
    SandboxEvent, SandboxSettings, signal_number,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM};

use super::backend::{Backend, own_executable};
use super::configuration::RunConfiguration;
use super::container::{add_mounts, addresses, container_of};
use super::events::{ProbeResult, RunEvent, report_signals};
use super::image::{ImageSubject, PreparedImage};
use super::probes::{Generation, RunProbes};
use super::reload_check::ReloadCheck;
use super::runs_directory;
use super::watch::SourceWatcher;
use crate::cli::args::RunArgs;
use crate::cli::error::{CliError, CliExit};
use crate::cli::terminal::{self, DIM};

/// After this time it is said that a program does not end.
const TELL_AFTER: Duration = Duration::from_secs(1);
/// After this time a program is killed, unless the recipe has another `termination-grace`.
const KILL_AFTER: Duration = Duration::from_secs(10);
/// How long the loop waits if nothing is due.
const IDLE: Duration = Duration::from_secs(60);

/// A program that was asked to end.
struct Stopping {
    since: Instant,
    is_told: bool,
    is_killed: bool,
    /// Whether the run goes on with another container.
    is_restart: bool,
}

/// A run.
pub(super) struct RunSession<'a> {
    pub(super) subject: ImageSubject<'a>,
    pub(super) args: &'a RunArgs,
    pub(super) prepared: PreparedImage,
    pub(super) configuration: RunConfiguration,
    pub(super) backend: Backend,
    container: Container,
    runtime: Runtime,
    record: RunRecord,
    run_directory: RunDirectory,
    state_directory: PathBuf,
    state: Vec<PathBuf>,
    pub(super) events: Sender<RunEvent>,
    receiver: Receiver<RunEvent>,
    stopping: Option<Stopping>,
    is_running: bool,
    has_started: bool,
    generation: Generation,
    watcher: Option<SourceWatcher>,
    /// The signal to send when a volume has been replaced, and when the change was noticed.
    pub(super) written: Vec<PendingWrite>,
    /// Files to write before the next start.
    pub(super) before_restart: Vec<usize>,
    exec_results: Vec<Sender<Result<i32, String>>>,
    reload_check: Option<ReloadCheck>,
}

/// A volume whose files are being replaced.
pub(super) struct PendingWrite {
    pub(super) volume: String,
    pub(super) signal: Option<String>,
    pub(super) noticed: Instant,
}

/// Runs the image until the program ends. The process ends with its exit code.
pub(super) fn run_session(
    subject: ImageSubject<'_>,
    prepared: PreparedImage,
    runtime: Runtime,
    args: &RunArgs,
) -> Result<CliExit, CliError> {
    let configuration = RunConfiguration::render(&subject, &prepared, args)?;
    let reload_check = args.check_reload.then(|| ReloadCheck::new(&configuration)).transpose()?;
    let name = args.name.clone().unwrap_or_else(|| prepared.title.clone());
    check_name(&name)?;
    let run_directory = RunDirectory::create(&runs_directory(), &name)?;
    let created = RunSession::create(subject, prepared, configuration, run_directory, runtime, args);
    let mut session = created?;
    session.reload_check = reload_check;
    let result = session.run();
    let code = session.clean_up(result)?;
    exit_with(code)
}

/// Ends the process with the exit code of the program.
#[allow(clippy::exit, reason = "the exit code is that of another program, which `CliExit` has no values for")]
fn exit_with(code: i32) -> Result<CliExit, CliError> {
    match code {
        0 => Ok(CliExit::Success),
        code => std::process::exit(code),
    }
}

/// Fails if the name cannot be that of a directory and of a container.
fn check_name(name: &str) -> Result<(), CliError> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let is_valid = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(is_allowed)
        && name.len() <= 60;
    if is_valid {
        return Ok(());
    }
    Err(CliError::usage(
        format!("`{}` is not a name for a run", coracle_core::path::escape_bytes(name.as_bytes())),
        "choose another with `--name`: letters, digits, `-`, `_` and `.`, at most 60",
    ))
}

impl<'a> RunSession<'a> {
    fn create(
        subject: ImageSubject<'a>,
        prepared: PreparedImage,
        configuration: RunConfiguration,
        run_directory: RunDirectory,
        runtime: Runtime,
        args: &'a RunArgs,
    ) -> Result<Self, CliError> {
        let name = run_directory.name.clone();
        let attempt = || -> Result<_, CliError> {
            let mut container = container_of(&prepared, &configuration, &name, args)?;
            PortMapping::check_all(&container.ports)?;
            container.has_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
            let state_directory = subject.store.join(if args.keep { "kept" } else { "state" }).join(&name);
            let state = state_directories(&state_directory, &configuration)?;
            let (events, receiver) = channel();
            let settings = SandboxSettings {
                executable: own_executable()?,
                runtime: runtime.clone(),
                directory: run_directory.path.clone(),
                id: name.clone(),
                has_terminal: container.has_terminal,
                volumes: configuration.sandbox_volumes(container.volume_group),
                state_directories: state.clone(),
                state_group: container.volume_group,
                removed_directories: run_directory.left_state.clone(),
            };
            let backend = Backend::create(settings, subject.store.clone(), &prepared.title, events.clone())?;
            Ok((container, state_directory, state, backend, events, receiver))
        };
        let (container, state_directory, state, backend, events, receiver) = match attempt() {
            Ok(created) => created,
            Err(failure) => {
                run_directory.remove();
                return Err(failure);
            }
        };
        let record = RunRecord {
            name,
            pid: std::process::id(),
            image: prepared.location.clone(),
            runtime: runtime.program.display().to_string(),
            mounts: configuration.mount_points().iter().map(ToString::to_string).collect(),
            state_directories: if args.keep { Vec::new() } else { vec![state_directory.clone()] },
            ..RunRecord::default()
        };
        Ok(Self {
            subject,
            args,
            prepared,
            configuration,
            backend,
            container,
            runtime,
            record,
            run_directory,
            state_directory,
            state,
            events,
            receiver,
            stopping: None,
            is_running: false,
            has_started: false,
            generation: Arc::new(AtomicU64::new(0)),
            watcher: None,
            written: Vec::new(),
            before_restart: Vec::new(),
            exec_results: Vec::new(),
            reload_check: None,
        })
    }

    /// Starts the container and handles events. Returns the exit code.
    fn run(&mut self) -> Result<i32, CliError> {
        report_signals(self.events.clone())?;
        self.start()?;
        self.say(&self.backend.describe(&self.container, &self.runtime));
        terminal::print_notes(self.backend.user_warning(&self.container).as_slice(), self.args.quiet);
        for mapping in self.container.ports.iter().filter(|mapping| !mapping.is_same_port()) {
            if self.backend.has_host_network() {
                PortProxy::start(mapping)?;
            }
        }
        if self.args.watch {
            self.watcher = Some(SourceWatcher::start(self)?);
        }
        loop {
            let exit = match self.receiver.recv_timeout(self.next_deadline()) {
                Ok(event) => self.handle(event)?,
                Err(RecvTimeoutError::Timeout) => self.check_deadlines(),
                Err(RecvTimeoutError::Disconnected) => Some(CliExit::Failed as i32),
            };
            if let Some(code) = exit {
                return Ok(code);
            }
        }
    }

    /// Starts the container with the current image and configuration.
    fn start(&mut self) -> Result<(), CliError> {
        let name = self.record.name.clone();
        let has_terminal = self.container.has_terminal;
        let mut container = container_of(&self.prepared, &self.configuration, &name, self.args)?;
        container.has_terminal = has_terminal;
        let backend = &self.backend;
        add_mounts(
            &mut container,
            &self.configuration,
            |volume| backend.volume_directory(volume),
            &self.state,
        );
        self.container = container;
        self.backend.take_image(&self.prepared, &self.configuration.mount_points(), self.args.quiet)?;
        for index in std::mem::take(&mut self.before_restart) {
            if let Some(volume) = self.configuration.volumes.get(index).cloned() {
                self.backend.write_volume(&volume.name, volume.files, false, false)?;
            }
        }
        self.record.addresses = addresses(&self.container, &self.prepared, self.backend.has_host_network());
        self.run_directory.write_record(&self.record)?;
        self.backend.start(&self.container)
    }

    fn handle(&mut self, event: RunEvent) -> Result<Option<i32>, CliError> {
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
                terminal::print_error(&error.into());
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

    /// Whether there are no probes, so that a connection to a port decides.
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

    fn handle_signal(&mut self, signal: i32) {
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
            terminal::print_error(&failure);
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

    fn next_deadline(&self) -> Duration {
        let check = self.reload_check.as_ref().and_then(ReloadCheck::deadline);
        let stop = self.stopping.as_ref().filter(|stopping| !stopping.is_killed).map(|stopping| {
            stopping.since
                + if stopping.is_told { self.kill_after() } else { TELL_AFTER.min(self.kill_after()) }
        });
        let next = check.into_iter().chain(stop).min();
        next.map_or(IDLE, |next| next.saturating_duration_since(Instant::now()))
    }

    /// Tells that a program does not end, and kills it; ends a check of reloading.
    fn check_deadlines(&mut self) -> Option<i32> {
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
            terminal::print_notes(&[Note::Warning(warning)], self.args.quiet);
        }
        None
    }

    /// Ends everything, and removes what is not kept.
    fn clean_up(self, result: Result<i32, CliError>) -> Result<i32, CliError> {
        self.backend.prune();
        let removed = if self.args.keep { Vec::new() } else { vec![self.state_directory] };
        self.backend.end(removed);
        self.run_directory.remove();
        result
    }

    /// Prints one line about the run.
    pub(super) fn say(&self, text: &str) {
        if !self.args.quiet {
            terminal::print_message(&format!("{DIM}{}: {text}{DIM:#}\n", self.record.name));
        }
    }

    /// Whether one of the files is part of the image, or the recipe.
    pub(super) fn concerns_image(&self, changed: &BTreeSet<PathBuf>) -> bool {
        self.watcher.as_ref().is_some_and(|watcher| watcher.concerns_image(changed))
    }

    pub(super) fn replace_watcher(&mut self) -> Result<(), CliError> {
        let watcher = SourceWatcher::start(self)?;
        self.watcher = Some(watcher);
        Ok(())
    }
}

/// Returns the directories for the program's state, which need not exist.
fn state_directories(directory: &Path, configuration: &RunConfiguration) -> Result<Vec<PathBuf>, CliError> {
    coracle_core::fs::create_private_dir_all(directory)
        .map_err(|error| coracle_core::fs::Error::new("create", directory, error))?;
    let names =
        configuration.state.iter().map(|path| path.to_string().trim_start_matches('/').replace('/', "-"));
    Ok(names.map(|name| directory.join(name)).collect())
}
