//! The host's file system: errors that carry verb and path, and what a file looked like when it was read.
//!
//! The calls that differ between hosts stand in `unix`, `linux` and `other` alone.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(unix))]
mod other;
#[cfg(unix)]
mod unix;

#[cfg(target_os = "linux")]
pub use linux::extended_attributes;
#[cfg(not(unix))]
use other as host;
#[cfg(unix)]
use unix as host;

/// A connection to a server, which gives up waiting for a moment now and then: `WouldBlock` or `TimedOut`.
pub trait Connection: io::Read + io::Write + std::fmt::Debug {}

impl<T: io::Read + io::Write + std::fmt::Debug> Connection for T {}

/// Connects to the socket at `path`; nothing is waited for longer than `moment` there.
pub fn connect(path: &Path, moment: std::time::Duration) -> io::Result<Box<dyn Connection>> {
    host::connect(path, moment)
}

/// What could not be done to which path.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} `{}`", .path.display())]
pub struct Error {
    verb: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// A result of this floor.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// `verb` completes "cannot …": `read`, `create`, `lock`.
    pub fn new(verb: &'static str, path: &Path, source: io::Error) -> Self {
        Self { verb, path: path.to_owned(), source }
    }

    /// The kind of the error underneath.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    /// The next step, where there is a usual one.
    pub fn hint(&self) -> Option<String> {
        Some(match self.kind() {
            io::ErrorKind::PermissionDenied => "check who owns the path and its directories".into(),
            io::ErrorKind::StorageFull => "free some space and run the same command again".into(),
            io::ErrorKind::ReadOnlyFilesystem => "choose another place with `--output`".into(),
            io::ErrorKind::NotFound => {
                "check the spelling; relative paths start at the working directory".into()
            }
            _ => return None,
        })
    }
}

/// Adds verb and path to an I/O error.
pub trait Context<T> {
    /// `verb` completes "cannot …".
    ///
    /// # Errors
    /// The same error, with its place.
    fn context(self, verb: &'static str, path: &Path) -> Result<T>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, verb: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| Error::new(verb, path, source))
    }
}

/// What tells one file from another, whatever its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Identity {
    /// Device of the file system.
    pub device: u64,
    /// Inode on it.
    pub inode: u64,
}

/// A file at one moment; equal before and after two opens, or the file changed in between.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stat {
    /// Device and inode.
    pub identity: Identity,
    /// Bytes.
    pub size: u64,
    /// Permission and set-id bits, `0o7777` at most.
    pub mode: u32,
    /// Names (hard links) of the file.
    pub links: u64,
    /// Seconds and nanoseconds of the last change to the content, then to the inode.
    pub times: [(i64, i64); 2],
}

impl Stat {
    /// Whether both of its times lie so far before `moment`, in seconds and nanoseconds, that a change since then would
    /// show in them: a clock of files ticks every few milliseconds, or every second or two where it has no nanoseconds.
    pub fn is_settled_by(&self, moment: (i64, i64)) -> bool {
        let tick = |nanoseconds| if nanoseconds == 0 { 2_000_000_000 } else { 20_000_000 };
        let total = |(seconds, nanoseconds): (i64, i64)| {
            i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds)
        };
        self.times.iter().all(|&time| total(time) + tick(time.1) < total(moment))
    }

    /// Whether any execute bit is set.
    pub fn is_executable(&self) -> bool {
        self.mode & 0o111 != 0
    }
}

/// What the host has at a path, links not followed.
#[derive(Debug)]
pub enum Found {
    File(Stat),
    Directory,
    Link(Vec<u8>),
    /// A device, a socket or a pipe.
    Special(&'static str),
}

/// Looks at `path` without following a link there. Nothing when no such path exists.
pub fn look(path: &Path) -> Result<Option<Found>> {
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(e) => return Err(Error::new("look at", path, e)),
    };
    let kind = metadata.file_type();
    Ok(Some(if kind.is_file() {
        Found::File(host::stat(&metadata))
    } else if kind.is_dir() {
        Found::Directory
    } else if kind.is_symlink() {
        Found::Link(host::to_bytes(std::fs::read_link(path).context("read the link", path)?.as_os_str()))
    } else {
        Found::Special(host::special(&metadata))
    }))
}

/// What the directory at `path` is now: its times tell when a name in it was last added or removed.
pub fn stat(path: &Path) -> Result<Stat> {
    Ok(host::stat(&std::fs::metadata(path).context("look at", path)?))
}

/// Makes `path` and what is missing above it, for this user alone.
pub fn create_private(path: &Path) -> io::Result<()> {
    host::create_private(path)
}

/// What a directory allows that is for this user alone; nothing where hosts have no such words.
pub fn private() -> Option<std::fs::Permissions> {
    host::private()
}

/// Whether nobody but its owner can look into the directory at `path`, and its owner made `file` too.
pub fn is_private(path: &Path, file: &File) -> Result<bool> {
    let directory = std::fs::metadata(path).context("look at", path)?;
    Ok(host::is_private(&directory, &file.metadata().context("look at", path)?))
}

/// The names in a directory, sorted by their bytes.
pub fn list(path: &Path) -> Result<Vec<Vec<u8>>> {
    let entries = std::fs::read_dir(path).context("list", path)?;
    let mut names = entries
        .map(|entry| Ok(host::to_bytes(&entry?.file_name())))
        .collect::<io::Result<Vec<_>>>()
        .context("list", path)?;
    names.sort();
    Ok(names)
}

/// An open file that must stay what it was when it was first looked at.
#[derive(Debug)]
pub(crate) struct OpenFile {
    file: File,
    path: PathBuf,
    expected: Stat,
}

impl OpenFile {
    /// Opens `path`, which must still be the file that `expected` describes.
    pub(crate) fn open(path: &Path, expected: Stat) -> Result<Self> {
        let file = File::open(path).context("open", path)?;
        let open = Self { file, path: path.to_owned(), expected };
        open.verify()?;
        Ok(open)
    }

    /// Fails when the file is no longer what it was.
    pub(crate) fn verify(&self) -> Result<()> {
        let now: Metadata = self.file.metadata().context("look at", &self.path)?;
        if host::stat(&now) == self.expected { Ok(()) } else { Err(self.changed()) }
    }

    /// Fills `buffer` from `offset` on; a file that ends early has changed.
    pub(crate) fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        match host::read_exact_at(&self.file, buffer, offset) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Err(self.changed()),
            result => result.context("read", &self.path),
        }
    }

    fn changed(&self) -> Error {
        Error::new(
            "pack",
            &self.path,
            io::Error::other("it changed while it was being read; build again when it is finished"),
        )
    }
}

/// Whether the open `file` is still what `path` leads to; another process may have removed or replaced it.
pub fn is_at(file: &File, path: &Path) -> Result<bool> {
    let there = match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        there => there.context("look at", path)?,
    };
    let open = file.metadata().context("look at", path)?;
    Ok(host::stat(&there).identity == host::stat(&open).identity)
}

/// Names of the extended attributes of `path`; none on hosts that have none.
#[cfg(not(target_os = "linux"))]
pub fn extended_attributes(_path: &Path) -> Vec<String> {
    Vec::new()
}

/// The host's path for bytes that a root's tree or a link spelled.
pub fn path_of(bytes: &[u8]) -> PathBuf {
    host::path_of(bytes)
}

/// The bytes of a host path, `/` between names.
pub fn bytes_of(path: &Path) -> Vec<u8> {
    host::to_bytes(path.as_os_str())
}

/// `path` from the root on, without `.` and with links left alone; relative paths start at the working directory.
///
/// # Errors
/// When the working directory is gone.
pub fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).context("find the working directory for", path)
}
