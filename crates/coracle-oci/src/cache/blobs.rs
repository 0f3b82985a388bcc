//! Stored blobs of base images and their layers' tars, by digest.
//!
//! A blob is stored only if its bytes match the digest, and readers verify it again. Stored files
//! are never modified, not even their times: builds detect changes by the times.

use std::fs::{File, TryLockError};
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use tempfile::TempDir;

use super::Cache;
use super::directory::BLOBS;
use super::layers::LOCK;
use coracle_core::digest::{Digest, Hasher};
use coracle_core::fs::{self, Context};
use crate::layer::output::Output;

/// Interval between attempts to take a lock.
const PAUSE: Duration = Duration::from_millis(20);
/// Name prefix of directories with unfinished files.
pub(super) const PART: &str = "part-";

/// A directory of blobs, opened for one build. Blobs in the cache stay for later builds.
#[derive(Debug)]
pub(crate) struct Blobs {
    directory: PathBuf,
    /// Prevents pruning.
    _lock: Option<File>,
    _temporary: Option<TempDir>,
}

impl Blobs {
    /// Opens the blobs of `cache`. Without a usable cache, creates a temporary directory in
    /// `scratch`.
    ///
    /// # Errors
    /// Fails if the directory cannot be created.
    pub(crate) fn open(cache: Option<&Cache>, scratch: Option<&Path>) -> fs::Result<Self> {
        if let Some(cache) = cache {
            match Self::in_cache(cache) {
                Ok(blobs) => return Ok(blobs),
                Err(error) => cache.failed(error),
            }
        }
        let parent = scratch.unwrap_or(Path::new("."));
        let temporary = TempDir::new_in(parent).context("create a directory in", parent)?;
        Ok(Self { directory: temporary.path().to_owned(), _lock: None, _temporary: Some(temporary) })
    }

    fn in_cache(cache: &Cache) -> fs::Result<Self> {
        let directory = cache.directory().join(BLOBS);
        fs::create_private(&directory).context("create", &directory)?;
        let path = directory.join(LOCK);
        let lock = File::options().create(true).append(true).open(&path).context("open", &path)?;
        // No other build is running, so unfinished files are left from killed builds.
        if lock.try_lock().is_ok() {
            remove_parts(&directory)?;
            lock.unlock().context("unlock", &path)?;
        }
        match lock.lock_shared() {
            Err(error) if error.kind() != io::ErrorKind::Unsupported => {
                return Err(fs::Error::new("lock", &path, error));
            }
            _ => {}
        }
        cache.has_grown.store(true, Ordering::Relaxed);
        Ok(Self { directory, _lock: Some(lock), _temporary: None })
    }

    /// Returns the path of the stored blob; `None` if there is none.
    pub(crate) fn find(&self, digest: Digest) -> Option<PathBuf> {
        let path = self.directory.join(digest.hex());
        path.is_file().then_some(path)
    }

    /// Stores the bytes of `reader`, which must have `digest` and at most `limit` bytes. Returns
    /// the path.
    ///
    /// # Errors
    /// The inner error if `reader` fails or the bytes do not match, the outer one if they cannot be
    /// written.
    pub(crate) fn keep(
        &self,
        digest: Digest,
        reader: &mut dyn Read,
        limit: u64,
    ) -> fs::Result<io::Result<PathBuf>> {
        let temporary = tempfile::Builder::new().prefix(PART).tempdir_in(&self.directory);
        let temporary = temporary.context("create a directory in", &self.directory)?;
        let (part, path) = (temporary.path().join("blob"), self.directory.join(digest.hex()));
        let mut output = Output::create(&part)?;
        let mut bounded = reader.take(limit.saturating_add(1));
        if let Err(error) = output.copy(&mut bounded)? {
            return Ok(Err(error));
        }
        let (found, size) = output.finish();
        if size > limit {
            return Ok(Err(io::Error::other(format!("it has more than {limit} bytes"))));
        }
        if found != digest {
            return Ok(Err(io::Error::other(format!("its bytes have the digest `{found}`"))));
        }
        // Without locks, another build may have stored the blob meanwhile and be reading it.
        if !path.exists() {
            std::fs::rename(&part, &path).context("create", &path)?;
        }
        Ok(Ok(path))
    }

    /// Takes the lock for fetching the blob `digest`, so that concurrent builds fetch it once.
    /// Returns `None` if `go_on` cancels. On file systems without locks, returns immediately.
    ///
    /// # Errors
    /// Fails if the lock file cannot be opened.
    pub(crate) fn turn(
        &self,
        digest: Digest,
        go_on: &dyn Fn() -> ControlFlow<()>,
    ) -> fs::Result<Option<File>> {
        let path = self.directory.join(format!("{}.turn", digest.hex()));
        let turn = File::options().create(true).append(true).open(&path).context("open", &path)?;
        loop {
            match turn.try_lock() {
                Ok(()) => return Ok(Some(turn)),
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                    return Ok(Some(turn));
                }
                Err(TryLockError::Error(error)) => return Err(fs::Error::new("lock", &path, error)),
                Err(TryLockError::WouldBlock) if go_on().is_break() => return Ok(None),
                Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            }
        }
    }

    /// Whether the stored blob still matches its digest.
    ///
    /// # Errors
    /// Fails if it cannot be read.
    pub(crate) fn holds(&self, digest: Digest) -> fs::Result<bool> {
        let path = self.directory.join(digest.hex());
        let mut hasher = Hasher::default();
        let mut file = File::open(&path).context("open", &path)?;
        io::copy(&mut file, &mut hasher).context("read", &path)?;
        Ok(hasher.finish() == digest)
    }

    /// Removes a damaged blob.
    ///
    /// # Errors
    /// Fails if it cannot be removed.
    pub(crate) fn forget(&self, digest: Digest) -> fs::Result<()> {
        let path = self.directory.join(digest.hex());
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.context("remove", &path),
        }
    }
}

/// Removes unfinished files of killed builds.
pub(super) fn remove_parts(directory: &Path) -> fs::Result<()> {
    for name in fs::list(directory)?.iter().filter(|name| name.starts_with(PART.as_bytes())) {
        let path = directory.join(fs::path_of(name));
        std::fs::remove_dir_all(&path).context("remove", &path)?;
    }
    Ok(())
}
