//! Pruning: removes the least recently used files of the cache.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::blob_store;
use super::build_cache::{BLOBS_DIR, BuildCache, CACHEDIR_TAG, LAYERS_DIR, RECORDS_DIR};
use super::lock_file::{LOCK_FILE, try_lock};
use coracle_core::fs::{self, Context, PathMetadata};

/// Age after which an unfinished file belongs to a killed build.
const ABANDONED_AFTER: Duration = Duration::from_secs(3600);

/// The result of pruning.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PruneResult {
    /// Number of removed files.
    pub removed_files: usize,
    /// Size of the removed files in bytes.
    pub freed_bytes: u64,
    /// Remaining size in bytes.
    pub remaining_bytes: u64,
}

/// A file of the cache.
struct CacheFile {
    last_used: SystemTime,
    size: u64,
    path: PathBuf,
}

impl BuildCache {
    /// Removes the least recently used files until at most `limit` bytes are left. Files in use by
    /// other builds stay.
    ///
    /// # Errors
    /// Fails if the cache cannot be read or a file cannot be removed.
    pub fn prune(&self, limit: u64) -> fs::Result<PruneResult> {
        // Blobs in use by a build cannot be removed, so their size is not counted.
        let blobs = self.version_directory().join(BLOBS_DIR);
        let blobs_lock = if is_real_directory(&blobs) { try_lock_directory(&blobs)? } else { None };
        let mut files = self.cache_files()?;
        if blobs_lock.is_some() {
            blob_store::remove_unfinished(&blobs)?;
            collect_files(&blobs, &mut files)?;
        }
        files.sort_by(|a, b| (a.last_used, &a.path).cmp(&(b.last_used, &b.path)));
        let mut pruned = PruneResult {
            remaining_bytes: files.iter().map(|file| file.size).sum(),
            ..PruneResult::default()
        };
        for file in files {
            if pruned.remaining_bytes <= limit {
                break;
            }
            if self.remove_file_if_unused(&file.path)? {
                pruned.removed_files += 1;
                pruned.freed_bytes += file.size;
                pruned.remaining_bytes -= file.size;
            }
        }
        self.remove_leftovers()?;
        Ok(pruned)
    }

    fn cache_files(&self) -> fs::Result<Vec<CacheFile>> {
        let mut files = Vec::new();
        for directory in self.key_directories()? {
            collect_files(&directory, &mut files)?;
        }
        collect_files(&self.version_directory().join(RECORDS_DIR), &mut files)?;
        Ok(files)
    }

    /// Returns the directory of each cache key. Links are left out: what they lead to is not part of
    /// the cache.
    fn key_directories(&self) -> fs::Result<Vec<PathBuf>> {
        let layers = self.version_directory().join(LAYERS_DIR);
        let names = fs::list_directory(&layers)?;
        let paths = names.iter().map(|name| layers.join(fs::path_from_bytes(name)));
        Ok(paths.filter(|path| is_real_directory(path)).collect())
    }

    /// Removes a file of the cache. Returns false if it is in use. A layer is removed under the
    /// lock of its cache key; the lock of blobs is already held.
    fn remove_file_if_unused(&self, path: &Path) -> fs::Result<bool> {
        let directory = path.parent().unwrap_or(path);
        if [RECORDS_DIR, BLOBS_DIR]
            .map(|name| self.version_directory().join(name))
            .iter()
            .any(|free| free == directory)
        {
            return removal_result(path, std::fs::remove_file(path));
        }
        let Some(_lock) = try_lock_directory(directory)? else { return Ok(false) };
        // It counts as removed even if another process removed it.
        removal_result(path, std::fs::remove_file(path))?;
        Ok(true)
    }

    /// Removes empty directories of cache keys, and unfinished files of killed builds.
    fn remove_leftovers(&self) -> fs::Result<()> {
        for directory in self.key_directories()? {
            let Some(_lock) = try_lock_directory(&directory)? else { continue };
            if fs::list_directory(&directory)?.iter().all(|name| name == LOCK_FILE.as_bytes()) {
                removal_result(&directory.join(LOCK_FILE), std::fs::remove_file(directory.join(LOCK_FILE)))?;
                removal_result(&directory, std::fs::remove_dir(&directory))?;
            }
        }
        let mut files = Vec::new();
        collect_files(&self.version_directory(), &mut files)?;
        let mut abandoned = files.iter().filter(|file| {
            !file.path.ends_with(CACHEDIR_TAG)
                && file.last_used.checked_add(ABANDONED_AFTER).is_some_and(|end| end < self.opened_at())
        });
        abandoned.try_for_each(|file| removal_result(&file.path, std::fs::remove_file(&file.path)).map(drop))
    }
}

/// Returns whether `path` is a directory, not a link to one.
fn is_real_directory(path: &Path) -> bool {
    matches!(fs::symlink_metadata(path), Ok(Some(PathMetadata::Directory)))
}

/// Takes the lock in `directory`; `None` if a build holds it.
fn try_lock_directory(directory: &Path) -> fs::Result<Option<File>> {
    match try_lock(&directory.join(LOCK_FILE)) {
        // Another process has pruned it.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        lock => lock,
    }
}

/// Adds every file in `directory` except locks. Another process may prune at the same time.
fn collect_files(directory: &Path, files: &mut Vec<CacheFile>) -> fs::Result<()> {
    let names = match fs::list_directory(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        names => names?,
    };
    for path in names.iter().map(|name| directory.join(fs::path_from_bytes(name))) {
        let Ok(metadata) = std::fs::symlink_metadata(&path) else { continue };
        if metadata.is_dir() || path.ends_with(LOCK_FILE) {
            continue;
        }
        let used = metadata.modified().context("read the metadata of", &path)?;
        files.push(CacheFile { last_used: used, size: metadata.len(), path });
    }
    Ok(())
}

/// Converts the result of a removal. Returns false if another process removed or reused the path.
fn removal_result(path: &Path, result: std::io::Result<()>) -> fs::Result<bool> {
    match result {
        // Another process removed it, or a build uses the directory again.
        Err(error) if [ErrorKind::NotFound, ErrorKind::DirectoryNotEmpty].contains(&error.kind()) => {
            Ok(false)
        }
        result => result.context("remove", path).map(|()| true),
    }
}
