//! Errors of reading a dynamic loader.

use crate::elf;
use coracle_core::fs;
use coracle_core::hint::Hint;
use coracle_core::path::escape_bytes;

/// Why a loader can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is not ELF, or damaged.
    #[error(transparent)]
    Elf(elf::Error),
    /// A file that the loader reads can't be read.
    #[error(transparent)]
    Io(#[from] fs::Error),
    /// The file is too large for a loader.
    #[error("it has {0} bytes, too many for a loader")]
    TooLarge(u64),
    /// [`super::HwcapsSelection::UpTo`] names a CPU level that the loader does not support.
    #[error("it does not support the CPU level `{}`{}", escape_bytes(.name), format_supported(.supported))]
    UnsupportedHwcaps {
        /// The requested level.
        name: Vec<u8>,
        /// The levels that the loader supports, best first.
        supported: Vec<Vec<u8>>,
    },
}

impl From<elf::Error> for Error {
    fn from(error: elf::Error) -> Self {
        match error {
            elf::Error::Io(error) => Self::Io(error),
            error => Self::Elf(error),
        }
    }
}

impl Hint for Error {
    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::UnsupportedHwcaps { .. } => {
                    "name a CPU level that the loader supports, or `none` for the baseline"
                }
                _ => "reinstall the loader",
            }
            .into(),
        )
    }
}

fn format_supported(known: &[Vec<u8>]) -> String {
    let names: Vec<String> = known.iter().map(|name| format!("`{}`", escape_bytes(name))).collect();
    if names.is_empty() { ", or any other".into() } else { format!("; supported: {}", names.join(", ")) }
}
