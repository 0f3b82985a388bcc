//! Blobs of base images, and their layers' tars, by their digest.
//!
//! A blob is kept only when its bytes have the digest, and whoever reads one checks that again. They are never touched
//! once they are there: builds that read from one see by its times that it is still the same.

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

/// How long to wait before a lock is tried again.
const PAUSE: Duration = Duration::from_millis(20);
/// What the directories begin with in which something is written.
pub(super) const PART: &str = "part-";

/// A place for blobs that lives as long as a build; what is in the cache stays for the next.
#[derive(Debug)]
pub(crate) struct Blobs {
    directory: PathBuf,
    /// Nobody prunes meanwhile.
    _lock: Option<File>,
    _temporary: Option<TempDir>,
}

impl Blobs {
    /// Those of the cache; without one, or where it can't be used, an empty directory below `scratch` that goes again.
    ///
    /// # Errors
    /// When no directory can be made.
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
        // Nobody else is here: what is half written is of a build that was killed.
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

    /// The file with these bytes, if it was kept.
    pub(crate) fn find(&self, digest: Digest) -> Option<PathBuf> {
        let path = self.directory.join(digest.hex());
        path.is_file().then_some(path)
    }

    /// Keeps what `reader` gives, whose digest this is; at most `limit` bytes of it.
    ///
    /// # Errors
    /// The inner one when it can't be read or is something else, the outer one when it can't be written.
    pub(crate) fn keep(
        &self,
        digest: Digest,
        reader: &mut dyn Read,
        limit: u64,
    ) -> fs::Result<io::Result<PathBuf>> {
        let place = tempfile::Builder::new().prefix(PART).tempdir_in(&self.directory);
        let place = place.context("create a directory in", &self.directory)?;
        let (part, path) = (place.path().join("blob"), self.directory.join(digest.hex()));
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
        // Who has the turn is alone; without locks, another build may read from its own by now.
        if !path.exists() {
            std::fs::rename(&part, &path).context("create", &path)?;
        }
        Ok(Ok(path))
    }

    /// Waits until nobody else fetches the blob of this digest: several builds want the same base, and one of them is
    /// enough. Where files can't be locked, each fetches its own; nothing where it should not go on.
    ///
    /// # Errors
    /// When the lock can't be opened.
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

    /// Whether the blob that was kept still has its digest.
    ///
    /// # Errors
    /// When it can't be read.
    pub(crate) fn holds(&self, digest: Digest) -> fs::Result<bool> {
        let path = self.directory.join(digest.hex());
        let mut hasher = Hasher::default();
        let mut file = File::open(&path).context("open", &path)?;
        io::copy(&mut file, &mut hasher).context("read", &path)?;
        Ok(hasher.finish() == digest)
    }

    /// Removes a blob that is not what its name says.
    ///
    /// # Errors
    /// When it can't be removed.
    pub(crate) fn forget(&self, digest: Digest) -> fs::Result<()> {
        let path = self.directory.join(digest.hex());
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.context("remove", &path),
        }
    }
}

/// Removes what builds that were killed were writing.
pub(super) fn remove_parts(directory: &Path) -> fs::Result<()> {
    for name in fs::list(directory)?.iter().filter(|name| name.starts_with(PART.as_bytes())) {
        let path = directory.join(fs::path_of(name));
        std::fs::remove_dir_all(&path).context("remove", &path)?;
    }
    Ok(())
}
