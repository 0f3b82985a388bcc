//! Errors of contracts.

use crate::config;
use crate::values;

/// Why a contract cannot be made, read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is invalid.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// A label with an invalid contract.
    #[error("the label `{label}` is not a valid contract: {why}", label = super::LABEL)]
    Label {
        /// The reason.
        why: String,
    },
    /// A contract in an unsupported version of the format.
    #[error("the contract has format version {0}; this version of Coracle supports only {known}", known = super::VERSION)]
    Version(u32),
    /// The contract is too large for a label, even without parameters.
    #[error("the contract is too large for an image label: {size} bytes, at most {limit} are allowed", limit = super::MAX_SIZE)]
    TooLarge {
        /// The size in bytes.
        size: usize,
    },
    /// Serialization failed.
    #[error("cannot write the contract as JSON")]
    Json(#[from] serde_json::Error),
}

impl From<values::Error> for Error {
    fn from(error: values::Error) -> Self {
        Self::Config(error.into())
    }
}

impl Error {
    /// Returns advice on how to fix the error.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Config(error) => error.hint(),
            Self::Version(_) => {
                Some("use the version of Coracle that built the image, or a later one".into())
            }
            Self::TooLarge { .. } => Some(
                "the label lists every mount, file, variable and writable directory: shorten their names, or merge \
                 several files into one"
                    .into(),
            ),
            Self::Label { .. } | Self::Json(_) => None,
        }
    }
}
