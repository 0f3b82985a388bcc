//! Lock files, which make concurrent builds do the same work only once.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use coracle_core::fs::{self, Context};
use coracle_core::progress::{Cancelled, Progress};

/// The name of the lock file in the directory of a cache key, and in the directory of blobs.
pub(super) const LOCK_FILE: &str = "lock";
/// Interval between attempts to take a lock.
const RETRY_INTERVAL: Duration = Duration::from_millis(10);
/// Maximum number of retries if the directory is pruned while the file is opened.
const MAX_REMOVALS: usize = 100;

/// Waits for the lock of the file at `path`. Creates the file and its directory if needed. The
/// inner error means that `progress` cancelled.
///
/// # Errors
/// Fails if the file cannot be created or locked.
pub(super) fn wait_for_lock(path: &Path, progress: &dyn Progress) -> fs::Result<Result<File, Cancelled>> {
    let directory = path.parent().unwrap_or(path);
    let mut removals = 0;
    loop {
        let created = fs::create_private_dir_all(directory).context("create", directory);
        match created.and_then(|()| try_lock(path)) {
            Ok(Some(lock)) => return Ok(Ok(lock)),
            Ok(None) => {}
            // The directory was pruned after it was created.
            Err(error) if error.kind() == io::ErrorKind::NotFound && removals < MAX_REMOVALS => removals += 1,
            Err(error) => return Err(error),
        }
        if progress.is_cancelled() {
            return Ok(Err(Cancelled));
        }
        std::thread::sleep(RETRY_INTERVAL);
    }
}

/// Locks the file at `path`, and creates it if needed. Returns `None` if it is locked elsewhere or
/// was removed meanwhile. On file systems without locks it always succeeds, so work may be done
/// twice.
pub(super) fn try_lock(path: &Path) -> fs::Result<Option<File>> {
    let file = fs::open_lock_file(path)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) if error.kind() != io::ErrorKind::Unsupported => {
            return Err(fs::Error::new("lock", path, error));
        }
        _ => {}
    }
    Ok(fs::is_file_at(&file, path)?.then_some(file))
}
