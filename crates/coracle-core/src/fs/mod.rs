//! The host's file system: errors with operation and path, metadata, detection of changed files, and
//! Unix sockets.
//!
//! Calls that differ between hosts are in `unix`, `unix_directory` and `other` only.

mod durability;
mod error;
mod metadata;
#[cfg(not(unix))]
mod non_unix;
mod own_directory;
mod regular_file;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
mod unix_directory;

use std::fs::{File, Permissions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[cfg(not(unix))]
use non_unix as host;
#[cfg(unix)]
use unix as host;

pub use durability::Durability;
pub use error::{Context, Error, Result};
pub use metadata::{FileId, PathMetadata, Stat, Timestamp};
pub use own_directory::OwnDirectory;
pub use regular_file::{FinalLink, open_lock_file, open_regular_file, read_regular_file};

/// Returns what is at `path`, without following a link there; `None` if the path does not exist.
///
/// # Errors
/// Fails if the metadata or the link's target cannot be read.
pub fn symlink_metadata(path: &Path) -> Result<Option<PathMetadata>> {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound};
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        // No file has a name that is longer than the file system allows.
        Err(e) if matches!(e.kind(), NotFound | NotADirectory | InvalidFilename) => return Ok(None),
        Err(e) => return Err(Error::new("read the metadata of", path, e)),
    };
    let kind = metadata.file_type();
    Ok(Some(if kind.is_file() {
        PathMetadata::File(host::stat(&metadata))
    } else if kind.is_dir() {
        PathMetadata::Directory
    } else if kind.is_symlink() {
        let target = std::fs::read_link(path).context("read the link", path)?;
        PathMetadata::Link(host::os_str_to_bytes(target.as_os_str()))
    } else {
        PathMetadata::Special(host::special_file_name(&metadata))
    }))
}

/// Returns the metadata of the file or directory at `path`, following links. A directory's times
/// change when an entry is added or removed.
///
/// # Errors
/// Fails if the metadata cannot be read.
pub fn stat(path: &Path) -> Result<Stat> {
    Ok(host::stat(&std::fs::metadata(path).context("read the metadata of", path)?))
}

/// Returns the sorted names of the extended attributes of `path`, without following links. Empty if
/// there is no such file, and on hosts other than Linux.
///
/// `security.selinux` is left out, because every file on an SELinux host has it.
///
/// # Errors
/// Fails if the names cannot be read.
pub fn extended_attribute_names(path: &Path) -> Result<Vec<String>> {
    let list = host::extended_attribute_names(path).context("list the extended attributes of", path)?;
    let names = list.split(|&byte| byte == 0).filter(|name| !name.is_empty());
    let mut names: Vec<String> = names.map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    names.retain(|name| name != "security.selinux");
    names.sort();
    Ok(names)
}

/// Creates `path` and missing parent directories, accessible to the current user only.
///
/// # Errors
/// Fails if a directory cannot be created.
pub fn create_private_dir_all(path: &Path) -> io::Result<()> {
    host::create_private_dir_all(path)
}

/// The permissions of a directory that only its owner can access; `None` if the host has no
/// permission bits.
pub fn private_dir_permissions() -> Option<Permissions> {
    host::private_dir_permissions()
}

/// Returns whether the directory at `path` is private: it is owned by the owner of `own_file`, and other
/// users have no access.
///
/// # Errors
/// Fails if the metadata of the directory or of the file cannot be read.
pub fn is_private_dir(path: &Path, own_file: &File) -> Result<bool> {
    let directory = std::fs::metadata(path).context("read the metadata of", path)?;
    Ok(host::is_private_dir(&directory, &own_file.metadata().context("read the metadata of", path)?))
}

/// Returns the names in a directory, sorted by bytes.
///
/// # Errors
/// Fails if the directory cannot be read.
pub fn list_directory(path: &Path) -> Result<Vec<Vec<u8>>> {
    let entries = std::fs::read_dir(path).context("list", path)?;
    let mut names = entries
        .map(|entry| Ok(host::os_str_to_bytes(&entry?.file_name())))
        .collect::<io::Result<Vec<_>>>()
        .context("list", path)?;
    names.sort();
    Ok(names)
}

/// Returns whether `path` still leads to the open `file`. Returns false if another process has removed
/// or replaced the file.
///
/// # Errors
/// Fails if the metadata of `file`, or of the file at `path`, cannot be read.
pub fn is_file_at(file: &File, path: &Path) -> Result<bool> {
    let at_path = match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        metadata => metadata.context("read the metadata of", path)?,
    };
    let open = file.metadata().context("read the metadata of", path)?;
    Ok(host::stat(&at_path).file_id == host::stat(&open).file_id)
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

/// A connection to a local server, such as a container engine. Reads and writes return `WouldBlock` or `TimedOut` after the
/// timeout given to [`connect_unix_socket`].
pub trait SocketConnection: io::Read + io::Write + std::fmt::Debug {}

impl<T: io::Read + io::Write + std::fmt::Debug> SocketConnection for T {}

/// Connects to the Unix socket at `path`. `timeout` applies to each read and each write.
///
/// # Errors
/// Fails if no server listens there, or the host has no Unix sockets.
pub fn connect_unix_socket(path: &Path, timeout: Duration) -> io::Result<Box<dyn SocketConnection>> {
    Ok(Box::new(host::connect_unix_socket(path, timeout)?))
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
        let now = self.file.metadata().context("read the metadata of", &self.path)?;
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
        let cause =
            "the file changed while it was being read; run the same command again once it is complete";
        Error::new("read", &self.path, io::Error::other(cause))
    }
}
