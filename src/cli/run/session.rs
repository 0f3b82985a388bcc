//! A run from its start to its end: reacts to the container, to signals, to probes and to changed files.

use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Instant;

use coracle_run::{Container, PortMapping, PortProxy, RunDirectory, RunRecord, Runtime, SandboxSettings};

use super::backend::{Backend, own_executable};
use super::configuration::RunConfiguration;
use super::container::{add_mounts, addresses, container_of};
use super::events::{RunEvent, report_signals};
use super::image::{ImageSubject, PreparedImage};
use super::probes::Generation;
use super::reload_check::ReloadCheck;
use super::runs_directory;
use super::stopping::Stopping;
use super::watch::SourceWatcher;
use crate::cli::args::RunArgs;
use crate::cli::console_output::{self, DIM};
use crate::cli::error::{CliError, CliExit};

/// A run.
pub(super) struct RunSession<'a> {
    pub(super) subject: ImageSubject<'a>,
    pub(super) args: &'a RunArgs,
    pub(super) prepared: PreparedImage,
    pub(super) configuration: RunConfiguration,
    pub(super) backend: Backend,
    pub(super) container: Container,
    pub(super) runtime: Runtime,
    pub(super) record: RunRecord,
    pub(super) run_directory: RunDirectory,
    pub(super) state_directory: PathBuf,
    pub(super) state: Vec<PathBuf>,
    pub(super) events: Sender<RunEvent>,
    pub(super) receiver: Receiver<RunEvent>,
    pub(super) stopping: Option<Stopping>,
    pub(super) is_running: bool,
    pub(super) has_started: bool,
    pub(super) generation: Generation,
    pub(super) watcher: Option<SourceWatcher>,
    /// The signal to send when a volume has been replaced, and when the change was noticed.
    pub(super) written: Vec<PendingWrite>,
    /// Files to write before the next start.
    pub(super) before_restart: Vec<usize>,
    pub(super) exec_results: Vec<Sender<Result<i32, String>>>,
    pub(super) reload_check: Option<ReloadCheck>,
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
        console_output::print_notes(self.backend.user_warning(&self.container).as_slice(), self.args.quiet);
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
    pub(super) fn start(&mut self) -> Result<(), CliError> {
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
            console_output::print_message(&format!("{DIM}{}: {text}{DIM:#}\n", self.record.name));
        }
    }

    /// Returns whether one of the files is part of the image, or the recipe.
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
