//! Runs a container with Podman or Docker. The engine has the image, and mounts volumes that this
//! process writes to a file system in memory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use coracle_core::fs::{Context as _, Durability};
use coracle_oci::copy::{self, CopySettings};
use coracle_run::engine_command::{docker_arguments, podman_arguments};
use coracle_run::{
    Container, ContainerExit, RunError, Runtime, RuntimeKind, SandboxEvent, SandboxSettings, VolumeFile,
    VolumeWriter, report_opens,
};

use super::events::RunEvent;
use super::image::PreparedImage;
use crate::cli::args::RegistryArgs;
use crate::cli::environment;
use crate::cli::error::CliError;
use crate::cli::image_reader::parse_location;
use crate::cli::progress::ProgressDisplay;

/// Where files are in memory on every Linux.
const MEMORY: &str = "/dev/shm";
/// How often it is checked whether the engine has created the container.
const START_POLL: Duration = Duration::from_millis(10);

/// Podman or Docker.
pub(super) struct EngineBackend {
    runtime: Runtime,
    image: String,
    container: String,
    /// The volumes' directory, which is removed at the end.
    directory: tempfile::TempDir,
    volumes: Vec<(String, VolumeWriter)>,
    run_directory: PathBuf,
    has_terminal: bool,
    events: Sender<RunEvent>,
}

impl EngineBackend {
    pub(super) fn create(
        settings: SandboxSettings,
        image_name: &str,
        events: Sender<RunEvent>,
    ) -> Result<Self, CliError> {
        remove_left_volumes();
        let base = if Path::new(MEMORY).is_dir() { PathBuf::from(MEMORY) } else { std::env::temp_dir() };
        let prefix = format!("coracle-{}-", std::process::id());
        let directory = tempfile::Builder::new().prefix(&prefix).tempdir_in(&base);
        let directory =
            directory.map_err(|error| coracle_core::fs::Error::new("create a directory in", &base, error))?;
        let mut volumes = Vec::new();
        for volume in settings.volumes {
            // Only root can give files to the group of the volumes; everyone else lets all read them.
            let group = volume.group.filter(|_| super::user_id() == 0);
            let writer =
                VolumeWriter::create(directory.path().join(&volume.name), group, volume.has_secrets)?;
            writer.write(&readable(volume.files, group.is_none()), false, |_| Ok(()))?;
            for nested in &volume.nested {
                let nested = directory.path().join(&volume.name).join(nested);
                fs::create_dir_all(&nested).context("create", &nested)?;
            }
            volumes.push((volume.name, writer));
        }
        for state in &settings.state_directories {
            let created = fs::create_dir_all(state).and_then(|()| set_writable(state));
            created.map_err(|error| coracle_core::fs::Error::new("create", state, error))?;
        }
        for left in &settings.removed_directories {
            let _ = fs::remove_dir_all(left);
        }
        Ok(Self {
            image: format!("localhost/coracle-run/{}:latest", image_name.to_lowercase()),
            container: format!("coracle-{}", settings.id),
            directory,
            volumes,
            run_directory: settings.directory,
            has_terminal: settings.has_terminal,
            runtime: settings.runtime,
            events,
        })
    }

    /// Loads the image into the engine.
    pub(super) fn load_image(&mut self, prepared: &PreparedImage, quiet: bool) -> Result<(), CliError> {
        let transport = match self.runtime.kind {
            RuntimeKind::Docker => "docker-daemon",
            _ => "containers-storage",
        };
        let to = parse_location(&format!("{transport}:{}", self.image))?;
        let from = parse_location(&prepared.parsed.source.location)?;
        let no_registry = RegistryArgs {
            insecure: Vec::new(),
            upload_host: Vec::new(),
            ca_file: Vec::new(),
            authfile: None,
        };
        let client = environment::new_registry_client(&no_registry, &[])?;
        let progress = ProgressDisplay::with_unknown_total(quiet, "loading");
        let engines = environment::engine_settings();
        let settings = CopySettings {
            client: &client,
            engines: &engines,
            durability: Durability::Unsynced,
            with_referrers: false,
        };
        let copied = copy::copy_image(&from, &to, settings, &progress);
        progress.finish();
        copied?;
        Ok(())
    }

    pub(super) fn volume_directory(&self, volume: &str) -> PathBuf {
        self.directory.path().join(volume)
    }

    /// Starts the container. A thread waits for its end.
    pub(super) fn start(&mut self, container: &Container) -> Result<(), CliError> {
        let container_id = self.run_directory.join("container-id");
        let _ = fs::remove_file(&container_id);
        let id_file = format!("--cidfile={}", container_id.display());
        let mut flags = vec!["--rm", &id_file, "--label=io.coracle.run=1"];
        flags.push(if self.has_terminal { "--tty" } else { "--sig-proxy=false" });
        flags.push("--interactive");
        let container = Container { name: self.container.clone(), ..container.clone() };
        let args = match self.runtime.kind {
            RuntimeKind::Docker => docker_arguments(&container, &self.image, &flags),
            _ => podman_arguments(&container, &self.image, &flags),
        };
        let mut command = Command::new(&self.runtime.program);
        command.args(args).stderr(Stdio::piped());
        let child = command.spawn();
        let mut child =
            child.map_err(|source| RunError::Start { program: self.runtime.program.clone(), source })?;
        let events = self.events.clone();
        let stderr = child.stderr.take();
        let copier = thread::spawn(move || stderr.map(copy_stderr).unwrap_or_default());
        thread::spawn(move || {
            let mut is_started = false;
            let status = loop {
                match child.try_wait() {
                    Ok(None) if is_started => break child.wait(),
                    Ok(None) if container_id.exists() => {
                        is_started = true;
                        let _ = events.send(RunEvent::Container(SandboxEvent::Started { pid: 0 }));
                    }
                    Ok(None) => thread::sleep(START_POLL),
                    Ok(Some(status)) => break Ok(status),
                    Err(error) => break Err(error),
                }
            };
            let said = copier.join().unwrap_or_default();
            let code = status.ok().and_then(|status| status.code());
            let exit = match code {
                // 125 to 127: the engine could not start the program. Source: podman-run(1), docker-run(1).
                Some(125..=127) | None => ContainerExit::NotStarted(said.trim().to_owned()),
                Some(code) => ContainerExit::Code(code),
            };
            let _ = events.send(RunEvent::Container(SandboxEvent::Exited(exit)));
        });
        Ok(())
    }

    pub(super) fn write_volume(
        &mut self,
        volume: &str,
        files: &[VolumeFile],
        is_forced: bool,
        reports_opens: bool,
    ) -> Result<(), CliError> {
        let Some((_, writer)) = self.volumes.iter().find(|(name, _)| name == volume) else { return Ok(()) };
        let files = readable(files.to_vec(), super::user_id() != 0);
        let is_changed = writer.write(&files, is_forced, |directory| match reports_opens {
            true => {
                let events = self.events.clone();
                report_opens(directory, &files, move |event| drop(events.send(RunEvent::Container(event))))
            }
            false => Ok(()),
        })?;
        let written = SandboxEvent::Written { volume: volume.to_owned(), is_changed };
        let _ = self.events.send(RunEvent::Container(written));
        Ok(())
    }

    pub(super) fn signal(&self, number: i32) {
        let number = number.to_string();
        self.call(&["kill", "--signal", &number, &self.container]);
    }

    pub(super) fn exec(&self, command: Vec<String>) {
        let mut exec = Command::new(&self.runtime.program);
        exec.arg("exec").arg(&self.container).args(command).stdin(Stdio::null());
        let events = self.events.clone();
        thread::spawn(move || {
            let output = exec.output().map_err(|error| error.to_string());
            let result = output.and_then(|output| {
                output.status.code().ok_or_else(|| String::from_utf8_lossy(&output.stderr).trim().to_owned())
            });
            let _ = events.send(RunEvent::Container(SandboxEvent::Executed(result)));
        });
    }

    pub(super) fn container_process(&self) -> Option<i32> {
        let mut inspect = Command::new(&self.runtime.program);
        inspect.args(["inspect", "--format", "{{.State.Pid}}", &self.container]);
        let output = inspect.output().ok()?;
        String::from_utf8_lossy(&output.stdout).trim().parse().ok()
    }

    pub(super) fn end(self, removed_directories: &[PathBuf]) {
        self.call(&["rm", "--force", &self.container]);
        for directory in removed_directories {
            let _ = fs::remove_dir_all(directory);
        }
    }

    /// Calls the engine without output. The container may have ended.
    fn call(&self, args: &[&str]) {
        let mut command = Command::new(&self.runtime.program);
        command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let _ = command.status();
    }
}

/// Copies an engine's and its program's messages to stderr. Returns the last part.
fn copy_stderr(mut from: impl io::Read) -> String {
    let (mut last, mut buffer) = (Vec::new(), [0; 8192]);
    while let Ok(size @ 1..) = from.read(&mut buffer) {
        let part = buffer.get(..size).unwrap_or_default();
        let _ = io::Write::write_all(&mut io::stderr(), part);
        last = part.to_vec();
    }
    String::from_utf8_lossy(&last).into_owned()
}

/// Lets all users read the files, if they cannot belong to the program's group.
fn readable(mut files: Vec<VolumeFile>, is_for_all: bool) -> Vec<VolumeFile> {
    for file in files.iter_mut().filter(|_| is_for_all) {
        file.mode |= 0o444;
    }
    files
}

fn set_writable(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o777))
}

/// Removes volumes of processes that have been killed.
fn remove_left_volumes() {
    for entry in fs::read_dir(MEMORY).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process =
            name.strip_prefix("coracle-").and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if process.is_some_and(|process| !Path::new("/proc").join(process.to_string()).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
