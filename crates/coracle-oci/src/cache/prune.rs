//! Pruning: removes the least recently used files of the cache.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::Cache;
use super::blobs;
use super::directory::{BLOBS, LAYERS, RECORDS, TAG, try_lock};
use super::layers::LOCK;
use coracle_core::fs::{self, Context};

/// Age after which an unfinished file belongs to a killed build.
const ABANDONED: Duration = Duration::from_secs(3600);

/// The result of pruning.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pruned {
    /// Number of removed files.
    pub removed: usize,
    /// Size of the removed files in bytes.
    pub freed: u64,
    /// Remaining size in bytes.
    pub left: u64,
}

/// A file of the cache.
struct Item {
    used: SystemTime,
    size: u64,
    path: PathBuf,
}

impl Cache {
    /// Removes the least recently used files until at most `limit` bytes are left. Files in use by
    /// other builds stay.
    ///
    /// # Errors
    /// Fails if the cache cannot be read or a file cannot be removed.
    pub fn prune(&self, limit: u64) -> fs::Result<Pruned> {
        // Blobs in use by a build cannot be removed, so their size is not counted.
        let blobs = self.directory().join(BLOBS);
        let blobs_held = if blobs.is_dir() { held(&blobs)? } else { None };
        let mut items = self.items()?;
        if blobs_held.is_some() {
            blobs::remove_parts(&blobs)?;
            add(&blobs, &mut items)?;
        }
        items.sort_by(|a, b| (a.used, &a.path).cmp(&(b.used, &b.path)));
        let mut pruned = Pruned { left: items.iter().map(|item| item.size).sum(), ..Pruned::default() };
        for item in items {
            if pruned.left <= limit {
                break;
            }
            if self.remove(&item.path)? {
                pruned.removed += 1;
                pruned.freed += item.size;
                pruned.left -= item.size;
            }
        }
        self.sweep()?;
        Ok(pruned)
    }

    fn items(&self) -> fs::Result<Vec<Item>> {
        let mut items = Vec::new();
        for directory in self.shapes()? {
            add(&directory, &mut items)?;
        }
        add(&self.directory().join(RECORDS), &mut items)?;
        Ok(items)
    }

    /// Returns the directory of each cache key.
    fn shapes(&self) -> fs::Result<Vec<PathBuf>> {
        let layers = self.directory().join(LAYERS);
        Ok(fs::list(&layers)?.iter().map(|name| layers.join(fs::path_of(name))).collect())
    }

    /// Removes a file of the cache. Returns false if it is in use. A layer is removed under the
    /// lock of its cache key; the lock of blobs is already held.
    fn remove(&self, path: &Path) -> fs::Result<bool> {
        let directory = path.parent().unwrap_or(path);
        if [RECORDS, BLOBS].map(|name| self.directory().join(name)).iter().any(|free| free == directory) {
            return gone(path, std::fs::remove_file(path));
        }
        let Some(_held) = held(directory)? else { return Ok(false) };
        // It counts as removed even if another process removed it.
        gone(path, std::fs::remove_file(path))?;
        Ok(true)
    }

    /// Removes empty directories of cache keys, and unfinished files of killed builds.
    fn sweep(&self) -> fs::Result<()> {
        for directory in self.shapes()? {
            let Some(_held) = held(&directory)? else { continue };
            if fs::list(&directory)?.iter().all(|name| name == LOCK.as_bytes()) {
                gone(&directory.join(LOCK), std::fs::remove_file(directory.join(LOCK)))?;
                gone(&directory, std::fs::remove_dir(&directory))?;
            }
        }
        let mut items = Vec::new();
        add(&self.directory(), &mut items)?;
        let mut abandoned = items.iter().filter(|item| {
            !item.path.ends_with(TAG)
                && item.used.checked_add(ABANDONED).is_some_and(|end| end < self.opened())
        });
        abandoned.try_for_each(|item| gone(&item.path, std::fs::remove_file(&item.path)).map(drop))
    }
}

/// Takes the lock in `directory`; `None` if a build holds it.
fn held(directory: &Path) -> fs::Result<Option<File>> {
    match try_lock(&directory.join(LOCK)) {
        // Another process has pruned it.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        lock => lock,
    }
}

/// Adds every file in `directory` except locks. Another process may prune at the same time.
fn add(directory: &Path, items: &mut Vec<Item>) -> fs::Result<()> {
    let names = match fs::list(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        names => names?,
    };
    for path in names.iter().map(|name| directory.join(fs::path_of(name))) {
        let Ok(metadata) = std::fs::symlink_metadata(&path) else { continue };
        if metadata.is_dir() || path.ends_with(LOCK) {
            continue;
        }
        let used = metadata.modified().context("read the metadata of", &path)?;
        items.push(Item { used, size: metadata.len(), path });
    }
    Ok(())
}

/// Converts the result of a removal. Returns false if another process removed or reused the path.
fn gone(path: &Path, result: std::io::Result<()>) -> fs::Result<bool> {
    match result {
        // Another process removed it, or a build uses the directory again.
        Err(error) if [ErrorKind::NotFound, ErrorKind::DirectoryNotEmpty].contains(&error.kind()) => {
            Ok(false)
        }
        result => result.context("remove", path).map(|()| true),
    }
}
