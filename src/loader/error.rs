//! Errors of reading a dynamic loader.

use crate::elf;
use crate::fs;
use crate::path::printable;

/// Why a loader can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is not ELF, or damaged.
    #[error(transparent)]
    Elf(#[from] elf::Error),
    /// A file that the loader reads can't be read.
    #[error(transparent)]
    Io(#[from] fs::Error),
    /// The file is too large for a loader.
    #[error("it has {0} bytes, which no loader has")]
    TooLarge(u64),
    /// [`super::Hwcaps::UpTo`] names a CPU level that the loader does not support.
    #[error("it knows no variants for `{}`{}", printable(.name), known_text(.known))]
    UnknownHwcaps {
        /// The requested level.
        name: Vec<u8>,
        /// The levels that the loader supports, best first.
        known: Vec<Vec<u8>>,
    },
}

impl Error {
    /// Returns the next step for the user.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::UnknownHwcaps { .. } => "name a kind of CPU that the loader knows, or `none` for the base",
            _ => "build or install the loader again",
        }
    }
}

fn known_text(known: &[Vec<u8>]) -> String {
    let names: Vec<String> = known.iter().map(|name| format!("`{}`", printable(name))).collect();
    if names.is_empty() {
        ", nor for any other CPU".into()
    } else {
        format!(", but for {}", names.join(", "))
    }
}
