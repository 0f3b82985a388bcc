//! The messages between `coracle run` and the first process of its sandbox: a JSON object a line.

use std::io::{self, BufRead, Write};
use std::path::PathBuf;

use coracle_core::json;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::volume::VolumeFile;

/// The maximum size of a message, in bytes: a volume with 1 MiB of files, as JSON.
const MAX_MESSAGE: u64 = 64 << 20;

/// A volume that is mounted while the sandbox exists.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SandboxVolume {
    /// The name of its directory.
    pub name: String,
    /// The group of its files, as `fsGroup` of a pod.
    pub group: Option<u32>,
    /// `true` if it is a Secret, or a projected volume with one.
    pub has_secrets: bool,
    /// Directories in it where other volumes are mounted.
    pub nested: Vec<String>,
    /// Its first files.
    pub files: Vec<VolumeFile>,
}

/// What the sandbox is asked to do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// The user and group IDs of the namespace are mapped.
    Mapped,
    /// Mount the volumes, and create these directories for the program to write to.
    SetUp {
        volumes_directory: PathBuf,
        volumes: Vec<SandboxVolume>,
        state_directories: Vec<PathBuf>,
        state_group: Option<u32>,
        removed_directories: Vec<PathBuf>,
        has_user_namespace: bool,
    },
    /// Run the bundle.
    Start { runtime: RuntimeCommand, config: Value },
    /// Replace the files of a volume; with `is_forced` also if they are equal.
    Write { volume: String, files: Vec<VolumeFile>, is_forced: bool, reports_opens: bool },
    /// Send a signal to the program.
    Signal { number: i32 },
    /// Run a command in the container.
    Exec { command: Vec<String> },
    /// Remove directories that only this process may remove, then end.
    End { removed_directories: Vec<PathBuf> },
}

/// How the runtime is called.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RuntimeCommand {
    pub(super) program: PathBuf,
    /// Arguments before the command.
    pub(super) flags: Vec<String>,
    pub(super) bundle: PathBuf,
    pub(super) state: PathBuf,
    pub(super) id: String,
}

/// What has happened in a sandbox.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum SandboxEvent {
    /// The namespace exists, and its IDs have to be mapped.
    Unshared,
    /// The volumes are mounted.
    SetUp,
    /// The program runs. The process ID is that of the sandbox's namespace.
    Started {
        /// The process ID.
        pid: i32,
    },
    /// The program has ended, or could not be started.
    Exited(ContainerExit),
    /// The files of a volume were compared and, if they differed, replaced.
    Written {
        /// The volume.
        volume: String,
        /// `true` if they were replaced.
        is_changed: bool,
    },
    /// The program has opened a file that was watched.
    Opened(OpenedFile),
    /// A command in the container has ended with this code.
    Executed(Result<i32, String>),
    /// Something could not be done.
    Failed(String),
    /// The sandbox has ended.
    Ended,
}

/// How a container has ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ContainerExit {
    /// The program's exit code, or 128 and the number of the signal that killed it.
    Code(i32),
    /// The runtime could not start the program, for this reason.
    NotStarted(String),
}

/// A file that the program has opened after a change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OpenedFile {
    /// The path below the mount.
    pub path: String,
    /// The time from the change to the call, in microseconds.
    pub microseconds: u64,
}

/// Writes one message.
pub(super) fn send(mut to: impl Write, message: &impl Serialize) -> io::Result<()> {
    let mut line = json::to_bytes(message)?;
    line.push(b'\n');
    to.write_all(&line)?;
    to.flush()
}

/// Reads one message; `None` at the end of the connection.
pub(super) fn receive<T: DeserializeOwned>(from: &mut impl BufRead) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    let size = io::Read::take(&mut *from, MAX_MESSAGE).read_until(b'\n', &mut line)?;
    if size == 0 {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&line)?))
}
