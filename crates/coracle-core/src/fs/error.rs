//! I/O errors with the failed operation and the path.

use std::io;
use std::path::{Path, PathBuf};

use crate::hint::Hint;

/// An I/O error with the failed operation and the path.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} `{}`", .path.display())]
pub struct Error {
    verb: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// The result type of this module.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Creates an error. `verb` completes "cannot …", for example `read`, `create` or `lock`.
    pub fn new(verb: &'static str, path: &Path, source: io::Error) -> Self {
        Self { verb, path: path.to_owned(), source }
    }

    /// The kind of the underlying I/O error.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

impl Hint for Error {
    fn hint(&self) -> Option<String> {
        Some(match self.kind() {
            io::ErrorKind::PermissionDenied => {
                "check the owner and permissions of the path and its parent directories".into()
            }
            io::ErrorKind::StorageFull => "free some space and run the same command again".into(),
            io::ErrorKind::ReadOnlyFilesystem => {
                "choose a directory on a file system that can be written".into()
            }
            io::ErrorKind::NotFound => {
                "check the spelling; relative paths start at the working directory".into()
            }
            io::ErrorKind::FileTooLarge => {
                "check that the file is what its path says, and remove what it does not need".into()
            }
            _ => return None,
        })
    }
}

/// Adds an operation and a path to I/O errors.
pub trait Context<T> {
    /// Converts an I/O error. `verb` completes "cannot …".
    ///
    /// # Errors
    /// Returns the error of `self` with the operation and `path`.
    fn context(self, verb: &'static str, path: &Path) -> Result<T>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, verb: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| Error::new(verb, path, source))
    }
}
