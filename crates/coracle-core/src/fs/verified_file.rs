//! Reads host files and fails if they change meanwhile.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::error::{Context, Error, Result};
use super::host;
use super::metadata::Stat;

/// An open file whose metadata must not change.
#[derive(Debug)]
pub(crate) struct VerifiedFile {
    file: File,
    path: PathBuf,
    expected: Stat,
}

impl VerifiedFile {
    /// Opens `path`. Fails if its metadata is not `expected`.
    pub(crate) fn open(path: &Path, expected: Stat) -> Result<Self> {
        let file = File::open(path).context("open", path)?;
        let open = Self { file, path: path.to_owned(), expected };
        open.verify_unchanged()?;
        Ok(open)
    }

    /// Fails if the file has changed.
    pub(crate) fn verify_unchanged(&self) -> Result<()> {
        let now = self.file.metadata().context("read the metadata of", &self.path)?;
        if host::stat(&now) == self.expected { Ok(()) } else { Err(self.changed_error()) }
    }

    /// Fills `buffer` from `offset` on. Fails if the file ends early, because then it has changed.
    pub(crate) fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        match host::read_exact_at(&self.file, buffer, offset) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Err(self.changed_error()),
            result => result.context("read", &self.path),
        }
    }

    fn changed_error(&self) -> Error {
        let cause =
            "the file changed while it was being read; run the same command again once it is complete";
        Error::new("read", &self.path, io::Error::other(cause))
    }
}
