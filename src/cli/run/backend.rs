//! What runs the container: an OCI runtime in a sandbox of our own, or an engine.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use coracle_core::note::Note;
use coracle_core::path::ImagePath;
use coracle_run::bundle::{BundleSettings, bundle_config};
use coracle_run::{
    Container, Rootfs, RootfsStore, Runtime, RuntimeKind, Sandbox, SandboxSettings, VolumeFile, seccomp,
};

use super::engine::EngineBackend;
use super::events::RunEvent;
use super::image::PreparedImage;
use super::platform::host_architecture;
use crate::cli::console_output::{self, count_noun};
use crate::cli::error::CliError;

/// Runs containers.
pub(super) enum Backend {
    Sandbox(Box<SandboxBackend>),
    Engine(EngineBackend),
}

/// An OCI runtime in a sandbox.
pub(super) struct SandboxBackend {
    sandbox: Sandbox,
    store: RootfsStore,
    rootfs: Option<Rootfs>,
    settings: BundleSettings,
}

impl Backend {
    /// Creates the volumes, and the sandbox if there is one. Events go to `events`.
    pub(super) fn create(
        settings: SandboxSettings,
        store: PathBuf,
        image_name: &str,
        events: Sender<RunEvent>,
    ) -> Result<Self, CliError> {
        if settings.runtime.kind.is_engine() {
            return Ok(Self::Engine(EngineBackend::create(settings, image_name, events)?));
        }
        let store = RootfsStore::open(store)?;
        let (kind, id) = (settings.runtime.kind, settings.id.clone());
        let mut sandbox = Sandbox::create(settings)?;
        sandbox.report_events(move |event| {
            let _ = events.send(RunEvent::Container(event));
        });
        let has_user_namespace = sandbox.has_user_namespace();
        let settings = BundleSettings {
            seccomp: seccomp::installed_filter(host_architecture()),
            is_in_user_namespace: has_user_namespace,
            cgroup: (kind == RuntimeKind::Runc && !has_user_namespace).then(|| format!("/coracle/{id}")),
        };
        Ok(Self::Sandbox(Box::new(SandboxBackend { sandbox, store, rootfs: None, settings })))
    }

    /// Makes the image available to what runs it.
    pub(super) fn take_image(
        &mut self,
        prepared: &PreparedImage,
        mount_points: &[ImagePath],
        quiet: bool,
    ) -> Result<(), CliError> {
        match self {
            Self::Sandbox(backend) => {
                let rootfs = backend.store.unpack(&prepared.parsed, &prepared.platform, mount_points)?;
                if rootfs.foreign_files > 0 {
                    let warning = format!(
                        "{} of the image belong to root here, because only root can give files to other users",
                        count_noun(rootfs.foreign_files, "path")
                    );
                    console_output::print_notes(&[Note::Warning(warning)], quiet);
                }
                backend.rootfs = Some(rootfs);
                Ok(())
            }
            Self::Engine(backend) => backend.load_image(prepared, quiet),
        }
    }

    /// Returns the directory of a volume on this machine.
    pub(super) fn volume_directory(&self, volume: &str) -> PathBuf {
        match self {
            Self::Sandbox(backend) => backend.sandbox.volume_directory(volume),
            Self::Engine(backend) => backend.volume_directory(volume),
        }
    }

    /// Starts the container.
    pub(super) fn start(&mut self, container: &Container) -> Result<(), CliError> {
        match self {
            Self::Sandbox(backend) => {
                let Some(rootfs) = &backend.rootfs else {
                    return Err(CliError::internal("the image is not unpacked"));
                };
                let mut container = container.clone();
                if !backend.sandbox.has_ids(container.uid, container.gid) {
                    (container.uid, container.gid, container.volume_group) = (0, 0, None);
                }
                let config = bundle_config(&container, &rootfs.path, &backend.settings);
                backend.sandbox.start(config).map_err(|error| ended(&error))
            }
            Self::Engine(backend) => backend.start(container),
        }
    }

    /// Replaces the files of a volume; an event has the result.
    pub(super) fn write_volume(
        &mut self,
        volume: &str,
        files: Vec<VolumeFile>,
        is_forced: bool,
        reports_opens: bool,
    ) -> Result<(), CliError> {
        match self {
            Self::Sandbox(backend) => backend
                .sandbox
                .write_volume(volume, files, is_forced, reports_opens)
                .map_err(|error| ended(&error)),
            Self::Engine(backend) => backend.write_volume(volume, &files, is_forced, reports_opens),
        }
    }

    /// Sends a signal to the program. It has no effect if the program has ended.
    pub(super) fn signal(&mut self, number: i32) {
        match self {
            Self::Sandbox(backend) => drop(backend.sandbox.signal(number)),
            Self::Engine(backend) => backend.signal(number),
        }
    }

    /// Runs a command in the container; an event has the result.
    pub(super) fn exec(&mut self, command: Vec<String>) {
        match self {
            Self::Sandbox(backend) => drop(backend.sandbox.exec(command)),
            Self::Engine(backend) => backend.exec(command),
        }
    }

    /// Returns the process ID of the container's first process on this machine.
    pub(super) fn container_process(&self, pid: i32) -> Option<i32> {
        match self {
            Self::Sandbox(backend) => backend.sandbox.container_process(pid),
            Self::Engine(backend) => backend.container_process(),
        }
    }

    /// Returns whether the program's ports are those of this machine.
    pub(super) fn has_host_network(&self) -> bool {
        matches!(self, Self::Sandbox(_))
    }

    /// Returns what is said about the runtime and its restrictions.
    pub(super) fn describe(&self, container: &Container, runtime: &Runtime) -> String {
        match self {
            Self::Sandbox(backend) => {
                let namespace =
                    if backend.sandbox.has_user_namespace() { " in a user namespace" } else { "" };
                let filter = if backend.settings.seccomp.is_some() { "seccomp" } else { "no seccomp filter" };
                let program = runtime.program.display();
                let user = container.uid;
                format!(
                    "with {program}{namespace}: user {user}, read-only root, no capabilities, {filter}, this machine's network"
                )
            }
            Self::Engine(_) => {
                let program = runtime.program.display();
                format!(
                    "with {program}: user {}, read-only root, no capabilities, its seccomp filter and network",
                    container.uid
                )
            }
        }
    }

    /// Returns a warning if the program cannot have its user.
    pub(super) fn user_warning(&self, container: &Container) -> Option<Note> {
        let Self::Sandbox(backend) = self else { return None };
        (!backend.sandbox.has_ids(container.uid, container.gid)).then(|| {
            Note::Warning(format!(
                "the program runs as user 0 of a user namespace, which is you without any rights, because you have no \
                 range of user IDs with {}: an administrator adds one with `usermod --add-subuids 100000-165535 \
                 --add-subgids 100000-165535 USER`, and installs newuidmap (package uidmap)",
                container.uid
            ))
        })
    }

    /// Ends the container and the sandbox, and removes these directories.
    pub(super) fn end(self, removed_directories: Vec<PathBuf>) {
        match self {
            Self::Sandbox(backend) => backend.sandbox.end(removed_directories),
            Self::Engine(backend) => backend.end(&removed_directories),
        }
    }

    /// Removes old unpacked images.
    pub(super) fn prune(&self) {
        if let Self::Sandbox(backend) = self {
            backend.store.prune();
        }
    }
}

/// The error that the sandbox has ended unexpectedly.
fn ended(error: &io::Error) -> CliError {
    CliError::failed(format!("the container's sandbox has ended: {error}"))
}

/// Returns this program's file, which sandboxes start again.
pub(super) fn own_executable() -> Result<PathBuf, CliError> {
    match std::env::current_exe() {
        // The file may have been replaced by a newer one.
        Ok(path) if path.exists() => Ok(path),
        _ => Ok(Path::new("/proc/self/exe").to_owned()),
    }
}
