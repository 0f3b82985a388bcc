//! Keeping the cache small: what was not used for the longest time goes first.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::Cache;
use super::blobs;
use super::directory::{BLOBS, LAYERS, RECORDS, TAG, try_lock};
use super::layers::LOCK;
use coracle_core::fs::{self, Context};

/// Nobody writes a record for so long.
const ABANDONED: Duration = Duration::from_secs(3600);

/// What was removed, and what is left.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pruned {
    /// Layers and records that were removed.
    pub removed: usize,
    /// Their bytes.
    pub freed: u64,
    /// Bytes that are left.
    pub left: u64,
}

/// A file of the cache.
struct Item {
    used: SystemTime,
    size: u64,
    path: PathBuf,
}

impl Cache {
    /// Removes the oldest until no more than `limit` bytes are left. What another build works on stays.
    ///
    /// # Errors
    /// When the cache can't be read, or something can't be removed.
    pub fn prune(&self, limit: u64) -> fs::Result<Pruned> {
        // What a build on a base works on counts for nothing: it can't go.
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
        for shape in self.shapes()? {
            add(&shape, &mut items)?;
        }
        add(&self.directory().join(RECORDS), &mut items)?;
        Ok(items)
    }

    /// The directory of each shape.
    fn shapes(&self) -> fs::Result<Vec<PathBuf>> {
        let layers = self.directory().join(LAYERS);
        Ok(fs::list(&layers)?.iter().map(|name| layers.join(fs::path_of(name))).collect())
    }

    /// Removes a file of the cache; whether it could be had. Layers go under the lock of their shape; that of blobs is
    /// held already.
    fn remove(&self, path: &Path) -> fs::Result<bool> {
        let directory = path.parent().unwrap_or(path);
        if [RECORDS, BLOBS].map(|name| self.directory().join(name)).iter().any(|free| free == directory) {
            return gone(path, std::fs::remove_file(path));
        }
        let Some(_held) = held(directory)? else { return Ok(false) };
        // Gone is gone, whoever did it.
        gone(path, std::fs::remove_file(path))?;
        Ok(true)
    }

    /// Removes the directories of shapes without layers, and what builds that were killed were writing.
    fn sweep(&self) -> fs::Result<()> {
        for shape in self.shapes()? {
            let Some(_held) = held(&shape)? else { continue };
            if fs::list(&shape)?.iter().all(|name| name == LOCK.as_bytes()) {
                gone(&shape.join(LOCK), std::fs::remove_file(shape.join(LOCK)))?;
                gone(&shape, std::fs::remove_dir(&shape))?;
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

/// The lock of the shape at `directory`; nothing while a build has it.
fn held(directory: &Path) -> fs::Result<Option<File>> {
    match try_lock(&directory.join(LOCK)) {
        // Somebody else has pruned it.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        lock => lock,
    }
}

/// Every file in `directory`, but for locks. Another process may prune at the same time.
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
        let used = metadata.modified().context("look at", &path)?;
        items.push(Item { used, size: metadata.len(), path });
    }
    Ok(())
}

/// Whether this call has removed it, rather than somebody else.
fn gone(path: &Path, result: std::io::Result<()>) -> fs::Result<bool> {
    match result {
        // Another prune was quicker, or a build has come back.
        Err(error) if [ErrorKind::NotFound, ErrorKind::DirectoryNotEmpty].contains(&error.kind()) => {
            Ok(false)
        }
        result => result.context("remove", path).map(|()| true),
    }
}
