//! Flushing of written files to the storage device.

use std::fs::File;
use std::path::Path;

use super::error::{Context, Result};
use super::host;

/// The choice between written files that survive a crash of the machine and faster writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum Durability {
    /// Files and directories are flushed to the storage device before success is reported.
    #[default]
    Synced,
    /// The kernel writes them later. Suitable for files that are read once and then deleted, as in CI.
    Unsynced,
}

impl Durability {
    /// Flushes the content of the file at `path`, if wanted.
    ///
    /// # Errors
    /// Fails if the file cannot be opened or the device reports an error.
    pub fn sync_file(self, path: &Path) -> Result<()> {
        match self {
            Self::Synced => File::open(path).and_then(|file| file.sync_all()).context("sync", path),
            Self::Unsynced => Ok(()),
        }
    }

    /// Flushes the names in the directory at `path`, if wanted.
    ///
    /// # Errors
    /// Fails if the directory cannot be opened or the device reports an error.
    pub fn sync_directory(self, path: &Path) -> Result<()> {
        match self {
            Self::Synced => host::sync_directory(path).context("sync", path),
            Self::Unsynced => Ok(()),
        }
    }
}
