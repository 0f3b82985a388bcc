//! The cache as one value that builds share.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use coracle_core::fs;
use coracle_core::note::Note;

/// Default size limit in bytes.
pub const DEFAULT_LIMIT: u64 = 5_000_000_000;

/// A cache directory. Several builds can use it at once, in one or several processes.
#[derive(Debug)]
pub struct BuildCache {
    /// The directory named by the user.
    pub(super) root: PathBuf,
    /// Identifies the building program and its version.
    pub(super) tool_id: String,
    /// The time when the cache was opened, by the file system's clock (seconds, nanoseconds).
    pub(super) opened_at: fs::Timestamp,
    /// Whether records of builds are stored.
    pub(super) has_records: bool,
    /// Whether anything was added since the last pruning.
    pub(super) has_additions: AtomicBool,
    pub(super) first_error: Mutex<Option<fs::Error>>,
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
    pub(super) fn record_error(&self, error: fs::Error) {
        self.first_error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    /// Prunes the cache to [`DEFAULT_LIMIT`] if anything was added. Call it after all builds.
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
