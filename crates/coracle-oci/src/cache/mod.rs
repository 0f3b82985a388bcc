//! What was done before, kept for the next build: compressed layers, and what whole builds have led to.
//!
//! It lies in a directory of one user alone, who is believed and nobody else: a layer is taken only when its bytes have
//! the digest that its name says, and a record only when its own digest is right. Whatever goes wrong here costs time and
//! never an image; [`Cache::note`] says so. It does not know what a build is.

mod blobs;
mod directory;
mod layers;
mod prune;
mod records;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use coracle_core::fs;
use coracle_core::note::Note;

pub(crate) use blobs::Blobs;
pub use directory::Error;
pub use prune::Pruned;

/// Bytes that are kept when nobody says otherwise.
pub const LIMIT: u64 = 5_000_000_000;

/// A cache in a directory; several builds use it at once, in one process or in many.
#[derive(Debug)]
pub struct Cache {
    /// The directory that the user knows.
    root: PathBuf,
    /// Whose build this is: the version of the program, and what else tells it from others.
    tool: String,
    /// When this cache was opened, by the clock of its own files.
    began: (i64, i64),
    /// Whether builds are kept, too.
    has_records: bool,
    /// Whether anything was added.
    has_grown: AtomicBool,
    trouble: Mutex<Option<fs::Error>>,
}

impl Cache {
    /// The same for builds that nobody will do again, such as those into a temporary directory: layers alone.
    #[must_use]
    pub fn without_records(self) -> Self {
        Self { has_records: false, ..self }
    }

    /// Whether builds are kept and recalled.
    pub fn has_records(&self) -> bool {
        self.has_records
    }

    /// The program that builds.
    pub fn tool(&self) -> &str {
        &self.tool
    }

    /// Remembers the first thing that went wrong.
    fn failed(&self, error: fs::Error) {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    /// Makes room when more was kept than [`LIMIT`]; called when the builds are done.
    pub fn tidy(&self) {
        if self.has_grown.swap(false, Ordering::Relaxed)
            && let Err(error) = self.prune(LIMIT)
        {
            self.failed(error);
        }
    }

    /// What went wrong since the last time that somebody asked; the images are right all the same.
    pub fn note(&self) -> Option<Note> {
        let error = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let why = std::error::Error::source(&error).map(|why| format!(": {why}")).unwrap_or_default();
        let place = self.root.display();
        Some(Note::Warning(format!(
            "{error}{why}; the images are right, but the cache `{place}` could not help"
        )))
    }
}

#[cfg(test)]
mod tests;
