//! Files that a command writes anew: reports, SBOMs, locks. They are replaced atomically where possible,
//! and never written through a symbolic link: a checkout can contain links to any file of the user.

use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// Replaces the file at `path` with `bytes`, atomically if its directory can be written. Keeps the
/// permissions of an existing file; pipes and devices are written to.
///
/// # Errors
/// Fails if the file cannot be written, or is a symbolic link.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if link_target(path).is_some() {
        return Err(io::Error::other("it is a symbolic link, which is not followed"));
    }
    let existing = metadata_if_exists(path)?;
    if existing.as_ref().is_some_and(|existing| !existing.is_file()) {
        return OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    if let Ok(temporary) = temporary_directory(path) {
        let new = temporary.path().join("new");
        fs::write(&new, bytes)?;
        if let Some(existing) = &existing {
            fs::set_permissions(&new, existing.permissions())?;
        }
        if fs::rename(&new, path).is_ok() {
            return Ok(());
        }
    }
    // The directory may not be writable, or the file may be a mount point.
    let is_new = existing.is_none();
    OpenOptions::new().write(true).truncate(true).create(is_new).open(path)?.write_all(bytes)
}

/// Returns the target if `path` is a symbolic link, except for links of the system, such as
/// `/dev/stdout`.
pub fn link_target(path: &Path) -> Option<PathBuf> {
    let is_of_system = path.starts_with("/dev") || path.starts_with("/proc");
    fs::read_link(path).ok().filter(|_| !is_of_system)
}

/// Returns the metadata of the file at `path`; `None` if there is no file.
///
/// # Errors
/// Fails if the path cannot be looked up.
pub fn metadata_if_exists(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the directory that contains `path`.
pub fn parent_directory(path: &Path) -> &Path {
    path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."))
}

/// Creates a temporary directory next to `file`. Files in it get the mode of any new file.
fn temporary_directory(file: &Path) -> io::Result<TempDir> {
    // Not the prefix of a build's own directories, which the next build removes.
    tempfile::Builder::new().prefix(".metadata-").tempdir_in(parent_directory(file))
}
