//! Errors of contracts.

use crate::config;
use crate::values;

/// Why a contract cannot be made, read or written.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// The configuration is invalid.
    #[error(transparent)]
    Config(#[from] config::ConfigError),
    /// A label with an invalid contract.
    #[error("the label `{label}` is not a valid contract: {why}", label = super::CONTRACT_LABEL)]
    InvalidLabel {
        /// The reason.
        why: String,
    },
    /// A contract in an unsupported version of the format.
    #[error("the contract has format version {0}; this version of Coracle supports only {known}", known = super::CONTRACT_VERSION)]
    UnsupportedVersion(u32),
    /// The contract is too large for a label, even without parameters.
    #[error("the contract is too large for an image label: {size} bytes, at most {limit} are allowed", limit = super::MAX_LABEL_BYTES)]
    TooLarge {
        /// The size in bytes.
        size: usize,
    },
    /// Serialization failed.
    #[error("cannot write the contract as JSON")]
    Json(#[from] serde_json::Error),
}

impl From<values::ValuesError> for ContractError {
    fn from(error: values::ValuesError) -> Self {
        Self::Config(error.into())
    }
}

impl ContractError {
    /// Returns advice on how to fix the error.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Config(error) => error.hint(),
            Self::UnsupportedVersion(_) => {
                Some("use the version of Coracle that built the image, or a later one".into())
            }
            Self::TooLarge { .. } => Some(
                "the label lists every mount, file, variable and writable directory: shorten their names, or merge \
                 several files into one"
                    .into(),
            ),
            Self::InvalidLabel { .. } | Self::Json(_) => None,
        }
    }
}
