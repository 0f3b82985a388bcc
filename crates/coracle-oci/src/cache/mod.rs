//! The local build cache: compressed layers, blobs of base images, and records of builds.
//!
//! The directory is private to one user. Layers and records are used only if they match their
//! digests. Errors here do not fail a build; [`Cache::note`] returns them as a warning. This module
//! does not depend on builds.

mod blob_store;
mod directory;
mod layers;
mod prune;
mod records;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use coracle_core::fs;
use coracle_core::note::Note;

pub(crate) use blob_store::BlobStore;
pub use directory::Error;
pub use prune::PruneResult;

/// Default size limit in bytes.
pub const DEFAULT_LIMIT: u64 = 5_000_000_000;

/// A cache directory. Several builds can use it at once, in one or several processes.
#[derive(Debug)]
pub struct BuildCache {
    /// The directory named by the user.
    root: PathBuf,
    /// Identifies the building program and its version.
    tool_id: String,
    /// The time when the cache was opened, by the file system's clock.
    opened_at: fs::Timestamp,
    /// Whether records of builds are stored.
    has_records: bool,
    /// Whether anything was added since the last pruning.
    has_additions: AtomicBool,
    first_error: Mutex<Option<fs::Error>>,
}

impl BuildCache {
    /// Disables records of builds, for builds that are not repeated, such as those into a temporary
    /// directory.
    #[must_use]
    pub fn without_records(self) -> Self {
        Self { has_records: false, ..self }
    }

    /// Whether records of builds are stored and used.
    pub fn has_records(&self) -> bool {
        self.has_records
    }

    /// Identifies the building program and its version.
    pub fn tool_id(&self) -> &str {
        &self.tool_id
    }

    /// Records the first error.
    fn record_error(&self, error: fs::Error) {
        self.first_error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    /// Prunes the cache to [`LIMIT`] if anything was added. Call it after all builds.
    pub fn prune_to_default_limit(&self) {
        if self.has_additions.swap(false, Ordering::Relaxed)
            && let Err(error) = self.prune(DEFAULT_LIMIT)
        {
            self.record_error(error);
        }
    }

    /// Takes the first error since the last call, as a warning. Images are correct despite it.
    pub fn take_warning(&self) -> Option<Note> {
        let error = self.first_error.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let why = std::error::Error::source(&error).map(|why| format!(": {why}")).unwrap_or_default();
        let root = self.root.display();
        Some(Note::Warning(format!(
            "{error}{why}; the images are correct, but the cache `{root}` was not used"
        )))
    }
}

#[cfg(test)]
mod tests;
