//! A sandbox from the side of `coracle run`: starts its processes, and sends them requests.

use std::io::{self, BufReader};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use coracle_core::fs::Context as _;
use serde_json::Value;

use super::id_map::IdMap;
use super::process;
use super::protocol::{Request, RuntimeCommand, SandboxEvent, SandboxVolume, receive, send};
use super::stage::{NAMESPACES, USER_NAMESPACES, stream_and_reader};
use crate::runtime::{Runtime, RuntimeKind};
use crate::{RunError, VolumeFile};

/// How often it is checked whether a process of the sandbox has connected.
const CONNECT_POLL: Duration = Duration::from_millis(1);

/// What a sandbox is made of.
#[derive(Debug)]
pub struct SandboxSettings {
    /// This program, which calls [`run_stage`](super::run_stage) in its `main`.
    pub executable: PathBuf,
    /// The OCI runtime.
    pub runtime: Runtime,
    /// The private directory of this run.
    pub directory: PathBuf,
    /// The name of the container.
    pub id: String,
    /// `true` if the program uses this process's terminal.
    pub has_terminal: bool,
    /// The volumes.
    pub volumes: Vec<SandboxVolume>,
    /// Directories that the program writes to. They are created.
    pub state_directories: Vec<PathBuf>,
    /// The group of the state directories, as `fsGroup` of a pod.
    pub state_group: Option<u32>,
    /// Directories that earlier runs have left.
    pub removed_directories: Vec<PathBuf>,
}

/// Namespaces in which an OCI runtime runs a container. They end with this value, or with this
/// process, however it ends.
#[derive(Debug)]
pub struct Sandbox {
    child: Child,
    stream: UnixStream,
    reader: Option<BufReader<UnixStream>>,
    runtime: RuntimeCommand,
    volumes_directory: PathBuf,
    /// The map of IDs, if there is a user namespace.
    id_map: Option<IdMap>,
}

impl Sandbox {
    /// Creates the namespaces, and mounts the volumes. As root there is no user namespace.
    ///
    /// # Errors
    /// Fails if the kernel refuses the namespaces, or if a volume cannot be written.
    pub fn create(settings: SandboxSettings) -> Result<Self, RunError> {
        let id_map = (!nix::unistd::geteuid().is_root()).then(IdMap::for_this_user);
        let socket = settings.directory.join("control");
        let listener = UnixListener::bind(&socket).context("create", &socket)?;
        listener.set_nonblocking(true).context("use", &socket)?;
        let mut command = Command::new(&settings.executable);
        command.arg0(if id_map.is_some() { USER_NAMESPACES } else { NAMESPACES }).arg(&socket);
        if !settings.has_terminal {
            // The program gets signals from this process alone, not also from the terminal.
            command.process_group(0);
            if io::IsTerminal::is_terminal(&io::stdin()) {
                command.stdin(Stdio::null());
            }
        }
        let child = command.spawn();
        let mut child =
            child.map_err(|source| RunError::Start { program: settings.executable.clone(), source })?;
        let mut connection = accept(&listener, &mut child)?;
        if let Some(id_map) = &id_map {
            match expect(&mut connection.1)? {
                SandboxEvent::Unshared => id_map.apply(child.id())?,
                event => return Err(unexpected(event)),
            }
            send(&mut connection.0, &Request::Mapped).context("use", &socket)?;
        }
        // The first process reports an error on its connection, or its child connects.
        let first = connection;
        let (mut stream, mut reader) = match accept(&listener, &mut child) {
            Ok(connection) => connection,
            Err(error) => {
                let mut reader = first.1;
                return Err(receive(&mut reader).ok().flatten().map_or(error, unexpected));
            }
        };
        let volumes_directory = settings.directory.join("volumes");
        // Without a range of IDs, all files belong to the only user, whom the program runs as.
        let is_known = |group: &u32| id_map.is_none_or(|map| map.contains(0, *group));
        let volumes = settings.volumes.into_iter();
        let volumes = volumes.map(|volume| SandboxVolume { group: volume.group.filter(is_known), ..volume });
        let request = Request::SetUp {
            volumes_directory: volumes_directory.clone(),
            volumes: volumes.collect(),
            state_directories: settings.state_directories,
            state_group: settings.state_group.filter(is_known),
            removed_directories: settings.removed_directories,
            has_user_namespace: id_map.is_some(),
        };
        send(&mut stream, &request).context("use", &socket)?;
        match expect(&mut reader)? {
            SandboxEvent::SetUp => {}
            event => return Err(unexpected(event)),
        }
        let flags = match settings.runtime.kind {
            RuntimeKind::Crun => vec!["--cgroup-manager=disabled".to_owned()],
            RuntimeKind::Runc if id_map.is_some() => vec!["--rootless=true".to_owned()],
            _ => Vec::new(),
        };
        let runtime = RuntimeCommand {
            program: settings.runtime.program,
            flags,
            bundle: settings.directory.join("bundle"),
            state: settings.directory.join("runtime"),
            id: settings.id,
        };
        Ok(Self { child, stream, reader: Some(reader), runtime, volumes_directory, id_map })
    }

    /// Returns the directory of a volume, as the runtime sees it.
    pub fn volume_directory(&self, volume: &str) -> PathBuf {
        self.volumes_directory.join(volume)
    }

    /// Returns whether the sandbox has a user namespace.
    pub fn has_user_namespace(&self) -> bool {
        self.id_map.is_some()
    }

    /// Returns whether a program can have these IDs.
    pub fn has_ids(&self, user: u32, group: u32) -> bool {
        self.id_map.is_none_or(|map| map.contains(user, group))
    }

    /// Calls `report` from a thread for every event, until the sandbox has ended.
    pub fn report_events(&mut self, mut report: impl FnMut(SandboxEvent) + Send + 'static) {
        let Some(mut reader) = self.reader.take() else { return };
        thread::spawn(move || {
            while let Ok(Some(event)) = receive(&mut reader) {
                report(event);
            }
            report(SandboxEvent::Ended);
        });
    }

    /// Runs a container with this `config.json`.
    ///
    /// # Errors
    /// Fails if the sandbox has ended.
    pub fn start(&mut self, config: Value) -> io::Result<()> {
        send(&mut self.stream, &Request::Start { runtime: self.runtime.clone(), config })
    }

    /// Replaces the files of a volume if they differ, or always with `is_forced`. With `reports_opens`,
    /// an event says when the program opens a new file.
    ///
    /// # Errors
    /// Fails if the sandbox has ended.
    pub fn write_volume(
        &mut self,
        volume: &str,
        files: Vec<VolumeFile>,
        is_forced: bool,
        reports_opens: bool,
    ) -> io::Result<()> {
        send(&mut self.stream, &Request::Write { volume: volume.to_owned(), files, is_forced, reports_opens })
    }

    /// Sends a signal to the program.
    ///
    /// # Errors
    /// Fails if the sandbox has ended.
    pub fn signal(&mut self, number: i32) -> io::Result<()> {
        send(&mut self.stream, &Request::Signal { number })
    }

    /// Runs a command in the container; an event has its exit code.
    ///
    /// # Errors
    /// Fails if the sandbox has ended.
    pub fn exec(&mut self, command: Vec<String>) -> io::Result<()> {
        send(&mut self.stream, &Request::Exec { command })
    }

    /// Returns the process ID, on this machine, of a container's first process.
    pub fn container_process(&self, pid: i32) -> Option<i32> {
        process::find_container_process(self.child.id(), pid)
    }

    /// Ends the sandbox, and removes these directories, which may have files of users of the namespace.
    pub fn end(mut self, removed_directories: Vec<PathBuf>) {
        let _ = send(&mut self.stream, &Request::End { removed_directories });
        // The first process ends after the second one.
        let _ = self.child.wait();
    }
}

type Connection = (UnixStream, BufReader<UnixStream>);

/// Waits for the next connection of a process of the sandbox.
fn accept(listener: &UnixListener, child: &mut Child) -> Result<Connection, RunError> {
    let failed = |error: io::Error| RunError::Sandbox(error.to_string());
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).map_err(failed)?;
                return stream_and_reader(&stream).map_err(failed);
            }
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(failed(error)),
            Err(_) if matches!(child.try_wait(), Ok(Some(_))) => {
                return Err(RunError::Sandbox("its first process has ended".into()));
            }
            Err(_) => thread::sleep(CONNECT_POLL),
        }
    }
}

fn expect(reader: &mut BufReader<UnixStream>) -> Result<SandboxEvent, RunError> {
    let event = receive(reader).map_err(|error| RunError::Sandbox(error.to_string()))?;
    event.ok_or_else(|| RunError::Sandbox("its process has ended".into()))
}

/// Returns the error that an event reports.
fn unexpected(event: SandboxEvent) -> RunError {
    let SandboxEvent::Failed(message) = event else {
        return RunError::Sandbox("it does not answer as expected".into());
    };
    for (start, what) in [
        ("user namespace: ", "a user namespace"),
        ("mount and process ID namespaces: ", "mount and process ID namespaces"),
    ] {
        if let Some(why) = message.strip_prefix(start) {
            let is_root = nix::unistd::geteuid().is_root();
            return RunError::Namespaces { what, is_root, source: io::Error::other(why.to_owned()) };
        }
    }
    RunError::Sandbox(message)
}
