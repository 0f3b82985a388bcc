//! Stored blobs of base images and their layers' tars, by digest.
//!
//! A blob is stored only if its bytes match the digest, and readers verify it again. Stored files
//! are never modified, not even their times: builds detect changes by the times.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use tempfile::TempDir;

use super::build_cache::{BLOBS_DIR, BuildCache, create_real_dir};
use super::lock_file::{LOCK_FILE, wait_for_lock};
use crate::layer::hashing_file_writer::HashingFileWriter;
use coracle_core::digest::{Digest, DigestHasher};
use coracle_core::fs::{self, Context, FinalLink};
use coracle_core::progress::{Cancelled, Progress};

/// Name prefix of directories with unfinished files.
pub(super) const PART_PREFIX: &str = "part-";

/// A directory of blobs, opened for one build. Blobs in the cache stay for later builds.
#[derive(Debug)]
pub(crate) struct BlobStore {
    directory: PathBuf,
    /// The shared lock that prevents pruning.
    _lock: Option<File>,
    _temporary: Option<TempDir>,
}

impl BlobStore {
    /// Opens the blobs of `cache`. Without a usable cache, creates a temporary directory in
    /// `scratch`.
    ///
    /// # Errors
    /// Fails if the directory cannot be created.
    pub(crate) fn open(cache: Option<&BuildCache>, scratch: Option<&Path>) -> fs::Result<Self> {
        if let Some(cache) = cache {
            match Self::open_in_cache(cache) {
                Ok(blobs) => return Ok(blobs),
                Err(error) => cache.record_error(error),
            }
        }
        let parent = scratch.unwrap_or(Path::new("."));
        let temporary = TempDir::new_in(parent).context("create a directory in", parent)?;
        Ok(Self { directory: temporary.path().to_owned(), _lock: None, _temporary: Some(temporary) })
    }

    fn open_in_cache(cache: &BuildCache) -> fs::Result<Self> {
        let directory = cache.version_directory().join(BLOBS_DIR);
        create_real_dir(&directory)?;
        let path = directory.join(LOCK_FILE);
        let lock = fs::open_lock_file(&path)?;
        // No other build is running, so unfinished files are left from killed builds.
        if lock.try_lock().is_ok() {
            remove_unfinished(&directory)?;
            lock.unlock().context("unlock", &path)?;
        }
        match lock.lock_shared() {
            Err(error) if error.kind() != io::ErrorKind::Unsupported => {
                return Err(fs::Error::new("lock", &path, error));
            }
            _ => {}
        }
        cache.has_additions.store(true, Ordering::Relaxed);
        Ok(Self { directory, _lock: Some(lock), _temporary: None })
    }

    /// Returns the path of the stored blob; `None` if there is none.
    pub(crate) fn stored_blob_path(&self, digest: Digest) -> Option<PathBuf> {
        let path = self.directory.join(digest.hex());
        std::fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_file()).then_some(path)
    }

    /// Stores the bytes of `reader`, which must have `digest` and at most `limit` bytes. Returns
    /// the path.
    ///
    /// # Errors
    /// The inner error if `reader` fails or the bytes do not match, the outer one if they cannot be
    /// written.
    pub(crate) fn store_blob(
        &self,
        digest: Digest,
        reader: &mut dyn Read,
        limit: u64,
    ) -> fs::Result<io::Result<PathBuf>> {
        let temporary = tempfile::Builder::new().prefix(PART_PREFIX).tempdir_in(&self.directory);
        let temporary = temporary.context("create a directory in", &self.directory)?;
        let (part, path) = (temporary.path().join("blob"), self.directory.join(digest.hex()));
        let mut output = HashingFileWriter::create(&part)?;
        let mut bounded = reader.take(limit.saturating_add(1));
        if let Err(error) = output.copy_from(&mut bounded)? {
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

    /// Waits for the lock for fetching the blob `digest`, so that concurrent builds fetch it once.
    /// The inner error means that `progress` cancelled.
    ///
    /// # Errors
    /// Fails if the lock file cannot be created or locked.
    pub(crate) fn wait_for_fetch_lock(
        &self,
        digest: Digest,
        progress: &dyn Progress,
    ) -> fs::Result<Result<File, Cancelled>> {
        wait_for_lock(&self.directory.join(format!("{}.lock", digest.hex())), progress)
    }

    /// Returns whether the stored blob still matches its digest.
    ///
    /// # Errors
    /// Fails if it cannot be read.
    pub(crate) fn is_blob_intact(&self, digest: Digest) -> fs::Result<bool> {
        let path = self.directory.join(digest.hex());
        let mut hasher = DigestHasher::default();
        let mut file = fs::open_regular_file(&path, FinalLink::Refuse)?;
        io::copy(&mut file, &mut hasher).context("read", &path)?;
        Ok(hasher.finish() == digest)
    }

    /// Removes a damaged blob.
    ///
    /// # Errors
    /// Fails if it cannot be removed.
    pub(crate) fn remove_blob(&self, digest: Digest) -> fs::Result<()> {
        let path = self.directory.join(digest.hex());
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.context("remove", &path),
        }
    }
}

/// Removes unfinished files of killed builds.
pub(super) fn remove_unfinished(directory: &Path) -> fs::Result<()> {
    for name in fs::list_directory(directory)?.iter().filter(|name| name.starts_with(PART_PREFIX.as_bytes()))
    {
        let path = directory.join(fs::path_from_bytes(name));
        std::fs::remove_dir_all(&path).context("remove", &path)?;
    }
    Ok(())
}
