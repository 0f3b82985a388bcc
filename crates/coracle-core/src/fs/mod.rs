//! Host file system: errors with operation and path, metadata, and detection of changed files.
//!
//! Calls that differ between hosts are in `unix`, `linux` and `other` only.

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
pub use linux::extended_attribute_names;
#[cfg(not(unix))]
use other as host;
#[cfg(unix)]
use unix as host;

/// A connection to a local server. Reads and writes return `WouldBlock` or `TimedOut` after the
/// timeout given to [`connect`].
pub trait SocketConnection: io::Read + io::Write + std::fmt::Debug {}

impl<T: io::Read + io::Write + std::fmt::Debug> SocketConnection for T {}

/// Connects to the Unix socket at `path`. `timeout` is that of each read and write.
pub fn connect_unix_socket(
    path: &Path,
    timeout: std::time::Duration,
) -> io::Result<Box<dyn SocketConnection>> {
    host::connect_unix_socket(path, timeout)
}

/// An I/O error with the failed operation and the path.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} `{}`", .path.display())]
pub struct Error {
    verb: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// The result type of this module.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Creates an error. `verb` completes "cannot …", for example `read`, `create` or `lock`.
    pub fn new(verb: &'static str, path: &Path, source: io::Error) -> Self {
        Self { verb, path: path.to_owned(), source }
    }

    /// The kind of the underlying I/O error.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    /// Suggests the next step; `None` if there is no common one.
    pub fn hint(&self) -> Option<String> {
        Some(match self.kind() {
            io::ErrorKind::PermissionDenied => {
                "check the owner and permissions of the path and its parent directories".into()
            }
            io::ErrorKind::StorageFull => "free some space and run the same command again".into(),
            io::ErrorKind::ReadOnlyFilesystem => "choose another directory with `--output`".into(),
            io::ErrorKind::NotFound => {
                "check the spelling; relative paths start at the working directory".into()
            }
            _ => return None,
        })
    }
}

/// Adds an operation and a path to I/O errors.
pub trait Context<T> {
    /// Converts an I/O error. `verb` completes "cannot …".
    ///
    /// # Errors
    /// Returns the error of `self` with the operation and `path`.
    fn context(self, verb: &'static str, path: &Path) -> Result<T>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, verb: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| Error::new(verb, path, source))
    }
}

/// Identifies a file regardless of its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FileId {
    /// Device number of the file system.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
}

/// File metadata. If it is equal before and after an operation, the file did not change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stat {
    /// Device and inode.
    pub file_id: FileId,
    /// Size in bytes.
    pub size: u64,
    /// Permission and set-ID bits (`0o7777` mask).
    pub mode: u32,
    /// Number of hard links.
    pub hard_links: u64,
    /// `mtime` and `ctime`, each in seconds and nanoseconds.
    pub mtime_and_ctime: [(i64, i64); 2],
}

impl Stat {
    /// Whether both times are so far before `moment` (seconds, nanoseconds) that a later change
    /// would have changed them. File timestamps have a granularity of a few milliseconds, or up to
    /// two seconds on file systems without nanoseconds.
    pub fn detects_changes_after(&self, moment: (i64, i64)) -> bool {
        let tick = |nanoseconds| if nanoseconds == 0 { 2_000_000_000 } else { 20_000_000 };
        let total = |(seconds, nanoseconds): (i64, i64)| {
            i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds)
        };
        self.mtime_and_ctime.iter().all(|&time| total(time) + tick(time.1) < total(moment))
    }

    /// Whether any execute bit is set.
    pub fn is_executable(&self) -> bool {
        self.mode & 0o111 != 0
    }
}

/// The kind of file at a path, with links not followed.
#[derive(Debug)]
pub enum PathMetadata {
    File(Stat),
    Directory,
    Link(Vec<u8>),
    /// A device, socket or pipe, by a readable name.
    Special(&'static str),
}

/// Returns what is at `path`, without following a link there; `None` if the path does not exist.
pub fn symlink_metadata(path: &Path) -> Result<Option<PathMetadata>> {
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(e) => return Err(Error::new("read the metadata of", path, e)),
    };
    let kind = metadata.file_type();
    Ok(Some(if kind.is_file() {
        PathMetadata::File(host::stat(&metadata))
    } else if kind.is_dir() {
        PathMetadata::Directory
    } else if kind.is_symlink() {
        PathMetadata::Link(host::os_str_to_bytes(
            std::fs::read_link(path).context("read the link", path)?.as_os_str(),
        ))
    } else {
        PathMetadata::Special(host::special_file_name(&metadata))
    }))
}

/// Returns the metadata of the file or directory at `path`. A directory's times change when an
/// entry is added or removed.
pub fn stat(path: &Path) -> Result<Stat> {
    Ok(host::stat(&std::fs::metadata(path).context("read the metadata of", path)?))
}

/// Creates `path` and missing parent directories, accessible to the current user only.
pub fn create_private_dir_all(path: &Path) -> io::Result<()> {
    host::create_private_dir_all(path)
}

/// The permissions of a directory that only its owner can access; `None` if the host has no
/// permission bits.
pub fn private_dir_permissions() -> Option<std::fs::Permissions> {
    host::private_dir_permissions()
}

/// Whether only its owner can access the directory at `path`, and the same user owns `file`.
pub fn is_private_dir(path: &Path, file: &File) -> Result<bool> {
    let directory = std::fs::metadata(path).context("read the metadata of", path)?;
    Ok(host::is_private_dir(&directory, &file.metadata().context("read the metadata of", path)?))
}

/// Returns the names in a directory, sorted by bytes.
pub fn list_directory(path: &Path) -> Result<Vec<Vec<u8>>> {
    let entries = std::fs::read_dir(path).context("list", path)?;
    let mut names = entries
        .map(|entry| Ok(host::os_str_to_bytes(&entry?.file_name())))
        .collect::<io::Result<Vec<_>>>()
        .context("list", path)?;
    names.sort();
    Ok(names)
}

/// An open file whose metadata must not change.
#[derive(Debug)]
pub(crate) struct VerifiedFile {
    file: File,
    path: PathBuf,
    expected: Stat,
}

impl VerifiedFile {
    /// Opens `path`. Fails if its metadata is not `expected`.
    pub(crate) fn open(path: &Path, expected: Stat) -> Result<Self> {
        let file = File::open(path).context("open", path)?;
        let open = Self { file, path: path.to_owned(), expected };
        open.verify_unchanged()?;
        Ok(open)
    }

    /// Fails if the file has changed.
    pub(crate) fn verify_unchanged(&self) -> Result<()> {
        let now: Metadata = self.file.metadata().context("read the metadata of", &self.path)?;
        if host::stat(&now) == self.expected { Ok(()) } else { Err(self.changed_error()) }
    }

    /// Fills `buffer` from `offset` on. Fails if the file ends early, because then it has changed.
    pub(crate) fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        match host::read_exact_at(&self.file, buffer, offset) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Err(self.changed_error()),
            result => result.context("read", &self.path),
        }
    }

    fn changed_error(&self) -> Error {
        Error::new(
            "pack",
            &self.path,
            io::Error::other("the file changed while it was being read; build again once it is complete"),
        )
    }
}

/// Whether `path` still refers to the open `file`. Another process may have removed or replaced it.
pub fn is_file_at(file: &File, path: &Path) -> Result<bool> {
    let at_path = match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        metadata => metadata.context("read the metadata of", path)?,
    };
    let open = file.metadata().context("read the metadata of", path)?;
    Ok(host::stat(&at_path).file_id == host::stat(&open).file_id)
}

/// Returns no names, because extended attributes are read on Linux only.
#[cfg(not(target_os = "linux"))]
pub fn extended_attributes(_path: &Path) -> Vec<String> {
    Vec::new()
}

/// Converts the bytes of a path or link target to a host path.
pub fn path_from_bytes(bytes: &[u8]) -> PathBuf {
    host::path_from_bytes(bytes)
}

/// Converts a host path to bytes with `/` as the separator.
pub fn path_to_bytes(path: &Path) -> Vec<u8> {
    host::os_str_to_bytes(path.as_os_str())
}

/// Makes `path` absolute relative to the working directory and removes `.`, without resolving
/// links.
///
/// # Errors
/// Fails if the working directory does not exist.
pub fn absolute_path(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).context("find the working directory for", path)
}
