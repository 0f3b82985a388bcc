//! Temporary directories that are locked while a build uses them. A directory whose lock is free
//! was left by a killed build; later builds remove it.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::atomic_file::TEMPORARY_PREFIX;
use coracle_core::fs::{self, Context, Durability, OwnDirectory};

/// The maximum number of attempts to lock a file that other processes keep removing. Only reached
/// on a file system where the identity of a file changes with every `stat`.
pub(super) const MAX_LOCK_ATTEMPTS: usize = 1000;

/// The name of the lock file.
pub(super) const LOCK_FILE: &str = "lock";

/// A locked temporary directory, which other builds do not remove. It is removed when dropped.
#[derive(Debug)]
pub(super) struct LockedDirectory {
    _lock: File,
    directory: TempDir,
}

impl LockedDirectory {
    /// Creates and locks a directory in `parent`.
    pub(super) fn new(parent: &Path) -> fs::Result<Self> {
        for _ in 0..MAX_LOCK_ATTEMPTS {
            let directory = create_temporary_directory(parent).context("create a directory in", parent)?;
            // Another build may remove the directory until it is locked.
            if let Some(lock) = create_lock(&directory.path().join(LOCK_FILE))? {
                return Ok(Self { _lock: lock, directory });
            }
        }
        Err(fs::Error::new(
            "lock a directory in",
            parent,
            io::Error::other("other processes keep removing it"),
        ))
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for LockedDirectory {
    fn drop(&mut self) {
        // The lock is removed last, so that the next build can remove the rest if this process is
        // killed. Errors are harmless; `TempDir` tries to remove the directory once more.
        let (parent, name) = (self.path().parent(), self.path().file_name());
        if let (Some(parent), Some(name)) = (parent, name) {
            let own = OwnDirectory::open(parent, &fs::path_to_bytes(Path::new(name)));
            let _ = own.and_then(|own| own.map_or(Ok(()), |own| own.remove(LOCK_FILE.as_bytes())));
        }
    }
}

/// Creates a directory in `parent`. Common errors are reported without its random name.
fn create_temporary_directory(parent: &Path) -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY_PREFIX);
    if let Some(private) = fs::private_dir_permissions() {
        builder.permissions(private);
    }
    let created = builder.tempdir_in(parent);
    created.map_err(|error| match error.kind() {
        kind @ (ErrorKind::NotFound
        | ErrorKind::PermissionDenied
        | ErrorKind::StorageFull
        | ErrorKind::QuotaExceeded
        | ErrorKind::ReadOnlyFilesystem) => kind.into(),
        _ => error,
    })
}

/// Creates and locks `path`; `None` if another process removed it in the meantime.
fn create_lock(path: &Path) -> fs::Result<Option<File>> {
    let file = match File::create_new(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file.context("create", path)?,
    };
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) if error.kind() != ErrorKind::Unsupported => {
            return Err(fs::Error::new("lock", path, error));
        }
        Ok(()) | Err(TryLockError::Error(_)) => {}
    }
    Ok(fs::is_file_at(&file, path)?.then_some(file))
}

/// Removes the temporary directories of killed builds of the current user in `parent`. Errors are
/// ignored, because leftovers only waste space.
pub(super) fn remove_leftovers(parent: &Path) {
    for name in fs::list_directory(parent).unwrap_or_default() {
        if name.starts_with(TEMPORARY_PREFIX.as_bytes()) {
            let _ = remove_leftover(parent, &name);
        }
    }
}

fn remove_leftover(parent: &Path, name: &[u8]) -> io::Result<()> {
    let Some(directory) = OwnDirectory::open(parent, name)? else { return Ok(()) };
    match directory.open_file(LOCK_FILE.as_bytes())? {
        Some(lock) if lock.try_lock().is_ok() => directory.remove(LOCK_FILE.as_bytes()),
        Some(_) => Ok(()),
        // The build was killed before it created the lock, or is about to create it.
        None => directory.remove_if_empty(),
    }
}

/// Parent directories that were created for a path. Those that are still empty are removed when
/// this is dropped.
#[derive(Debug, Default)]
pub(super) struct CreatedParents(Vec<PathBuf>);

impl CreatedParents {
    /// Creates the missing parent directories of `path`.
    pub(super) fn create(path: &Path) -> fs::Result<Self> {
        let mut created = Self::default();
        let above = path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty());
        let mut missing: Vec<&Path> = above.take_while(|above| !above.exists()).collect();
        missing.reverse();
        for directory in missing {
            match std::fs::create_dir(directory) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                result => {
                    result.context("create", directory)?;
                    created.0.push(directory.to_owned());
                }
            }
        }
        Ok(created)
    }

    /// Flushes the names of the created directories.
    pub(super) fn sync(&self, durability: Durability) -> fs::Result<()> {
        self.0.iter().filter_map(|directory| directory.parent()).try_for_each(|above| {
            let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
            durability.sync_directory(above)
        })
    }
}

impl Drop for CreatedParents {
    fn drop(&mut self) {
        self.0.iter().rev().for_each(|directory| drop(std::fs::remove_dir(directory)));
    }
}
