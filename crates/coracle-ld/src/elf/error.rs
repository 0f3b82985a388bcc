//! Errors of reading ELF files.

use coracle_core::fs;

/// The error for a file that is not a valid ELF file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file does not start with the ELF magic.
    #[error("it is not an ELF file")]
    NotElf,
    /// The file ends before the named part.
    #[error("it is truncated: its {0} would end after the end of the file")]
    Truncated(&'static str),
    /// The file is inconsistent.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] fs::Error),
}

/// The result type of this module.
pub type Result<T> = std::result::Result<T, Error>;
