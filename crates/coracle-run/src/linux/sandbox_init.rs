//! Process 1 of a sandbox: mounts the volumes, starts the runtime, and does what `coracle run` asks.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::{self, BufReader};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use nix::mount::{MsFlags, mount};

use super::open_watcher;
use super::protocol::{Request, SandboxEvent, SandboxVolume, receive, send};
use super::runtime_process::RunningContainer;
use super::stage::stream_and_reader;
use super::volume_writer::VolumeWriter;

/// Writes events to `coracle run`; threads share it.
#[derive(Clone)]
pub(super) struct EventSender(Arc<Mutex<UnixStream>>);

impl EventSender {
    /// Sends an event. If `coracle run` has ended, so does this process.
    pub(super) fn send(&self, event: &SandboxEvent) {
        let _ = send(&mut *lock(&self.0), event);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct SandboxInit {
    events: EventSender,
    volumes: BTreeMap<String, VolumeWriter>,
    container: Arc<Mutex<Option<RunningContainer>>>,
}

/// Serves requests until the connection ends. Returns the exit code.
pub(super) fn run(socket: &Path) -> i32 {
    // Process 1 of a namespace gets no signal of a terminal, because it has no handlers.
    let Ok(connection) = UnixStream::connect(socket).and_then(|stream| stream_and_reader(&stream)) else {
        return 1;
    };
    let (stream, mut reader) = connection;
    let events = EventSender(Arc::new(Mutex::new(stream)));
    let mut init = SandboxInit { events, volumes: BTreeMap::new(), container: Arc::default() };
    match init.serve(&mut reader) {
        Ok(()) => 0,
        Err(error) => {
            init.events.send(&SandboxEvent::Failed(error.to_string()));
            1
        }
    }
}

impl SandboxInit {
    fn serve(&mut self, reader: &mut BufReader<UnixStream>) -> io::Result<()> {
        while let Some(request) = receive(reader)? {
            match request {
                Request::Mapped => {}
                Request::SetUp {
                    volumes_directory,
                    volumes,
                    state_directories,
                    state_group,
                    removed_directories,
                    has_user_namespace: _,
                } => {
                    remove_directories(&removed_directories);
                    mount_own_file_systems(&volumes_directory)?;
                    self.create_volumes(&volumes_directory, volumes)?;
                    for directory in state_directories {
                        create_state_directory(&directory, state_group)?;
                    }
                    self.events.send(&SandboxEvent::SetUp);
                }
                Request::Start { runtime, config } => {
                    RunningContainer::start(runtime, &config, self.events.clone(), self.container.clone())?;
                }
                Request::Write { volume, files, is_forced, reports_opens } => {
                    let written = self.write(&volume, &files, is_forced, reports_opens);
                    let event = match written {
                        Ok(is_changed) => SandboxEvent::Written { volume, is_changed },
                        Err(error) => SandboxEvent::Failed(with_cause(&error)),
                    };
                    self.events.send(&event);
                }
                Request::Signal { number } => {
                    if let Some(container) = &*lock(&self.container) {
                        container.signal(number);
                    }
                }
                Request::Exec { command } => {
                    let exec =
                        lock(&self.container).as_ref().map(|container| container.exec_command(&command));
                    let events = self.events.clone();
                    thread::spawn(move || {
                        let result = match exec {
                            Some(exec) => exec.run(),
                            None => Err("the program does not run".to_owned()),
                        };
                        events.send(&SandboxEvent::Executed(result));
                    });
                }
                Request::End { removed_directories } => {
                    if let Some(container) = &*lock(&self.container) {
                        container.signal(nix::sys::signal::Signal::SIGKILL as i32);
                    }
                    remove_directories(&removed_directories);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn create_volumes(&mut self, directory: &Path, volumes: Vec<SandboxVolume>) -> io::Result<()> {
        for volume in volumes {
            let writer = VolumeWriter::create(directory.join(&volume.name), volume.group, volume.has_secrets)
                .and_then(|writer| writer.write(&volume.files, false, |_| Ok(())).map(|_| writer))
                .map_err(|error| io::Error::other(with_cause(&error)))?;
            for nested in &volume.nested {
                fs::create_dir_all(directory.join(&volume.name).join(nested))?;
            }
            self.volumes.insert(volume.name, writer);
        }
        Ok(())
    }

    fn write(
        &self,
        volume: &str,
        files: &[crate::VolumeFile],
        is_forced: bool,
        reports_opens: bool,
    ) -> coracle_core::fs::Result<bool> {
        let Some(writer) = self.volumes.get(volume) else { return Ok(false) };
        writer.write(files, is_forced, |directory| match reports_opens {
            true => {
                let events = self.events.clone();
                open_watcher::report_opens(directory, files, move |event| events.send(&event))
            }
            false => Ok(()),
        })
    }
}

fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Mounts `/proc` of the new process ID namespace, and a file system in memory for the volumes.
fn mount_own_file_systems(volumes: &Path) -> io::Result<()> {
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    let restricted = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), restricted, none)?;
    fs::create_dir_all(volumes)?;
    mount(
        Some("coracle"),
        volumes,
        Some("tmpfs"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
        Some("mode=0711"),
    )?;
    Ok(())
}

/// Creates a directory as the kubelet creates an `emptyDir`.
fn create_state_directory(directory: &Path, group: Option<u32>) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    chown(directory, None, group)?;
    let mode = if group.is_some() { 0o2777 } else { 0o777 };
    fs::set_permissions(directory, Permissions::from_mode(mode))
}

fn remove_directories(directories: &[PathBuf]) {
    for directory in directories {
        // What is left is removed by the next run.
        let _ = fs::remove_dir_all(directory);
    }
}
