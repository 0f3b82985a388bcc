//! The error of reading a package database.

use coracle_core::fs;
use coracle_core::hint::Hint;
use coracle_core::path::ImagePath;

/// The error of reading a package database.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// A file cannot be read.
    #[error(transparent)]
    Io(#[from] fs::Error),
    /// A file of the database is not a regular file.
    #[error("the package database cannot be read: `{path}` is {actual}, not a file")]
    NotFile {
        /// The path of the file.
        path: ImagePath,
        /// What it is.
        actual: &'static str,
    },
    /// A file of the database is too large.
    #[error("the package database cannot be read: `{path}` has {size} bytes, and at most {limit} are read")]
    TooLarge {
        /// The path of the file.
        path: ImagePath,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The database has more packages than are read.
    #[error("the package database cannot be read: `{path}` has more than {limit} packages")]
    TooManyPackages {
        /// The path of the file.
        path: ImagePath,
        /// The limit.
        limit: usize,
    },
    /// A file of the database does not have the format of its path.
    #[error("the package database cannot be read: `{path}` is damaged: {problem}")]
    Damaged {
        /// The path of the file.
        path: ImagePath,
        /// What is wrong.
        problem: &'static str,
    },
}

impl Hint for InventoryError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Io(error) => error.hint(),
            _ => Some(
                "check the root file system; its package manager can verify and rebuild the database".into(),
            ),
        }
    }
}
