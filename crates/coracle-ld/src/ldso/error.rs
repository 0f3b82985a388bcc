//! Why a loader could not be read, or not for the CPU that was named.

use crate::elf;
use coracle_core::fs;
use coracle_core::path::printable;

/// Why a loader could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is no sound ELF file.
    #[error(transparent)]
    Elf(#[from] elf::Error),
    /// Something that it reads could not be read.
    #[error(transparent)]
    Io(#[from] fs::Error),
    /// It is far larger than any loader.
    #[error("it has {0} bytes, which no loader has")]
    TooLarge(u64),
    /// [`super::Hwcaps::UpTo`] names no kind of CPU that it tells apart.
    #[error("it knows no variants for `{}`{}", printable(.name), known_text(.known))]
    UnknownHwcaps {
        /// What was asked for.
        name: Vec<u8>,
        /// What could have been, the best first.
        known: Vec<Vec<u8>>,
    },
}

impl Error {
    /// The next step.
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
