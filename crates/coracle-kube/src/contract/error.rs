//! Why there is no contract.

use crate::config;
use crate::values;

/// Why there is no contract.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration that it is about is wrong.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// A label that is no contract.
    #[error("the label `{label}` is no contract: {why}", label = super::LABEL)]
    Label {
        /// What is wrong with it.
        why: String,
    },
    /// A contract of a later version of Coracle.
    #[error("the contract has version {0}; this version of Coracle knows version {known}", known = super::VERSION)]
    Version(u32),
    /// Paths and files alone are more than a label holds.
    #[error("the contract is larger than an image's label can be ({size} of {limit} bytes)", limit = super::MAX_SIZE)]
    TooLarge {
        /// Bytes.
        size: usize,
    },
    /// What can't be JSON.
    #[error("cannot write the contract as JSON")]
    Json(#[from] serde_json::Error),
}

impl From<values::Error> for Error {
    fn from(error: values::Error) -> Self {
        Self::Config(error.into())
    }
}

impl Error {
    /// The next step, where there is a usual one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Config(error) => error.hint(),
            Self::Version(_) => {
                Some("use the version of Coracle that built the image, or a later one".into())
            }
            Self::TooLarge { .. } => Some(
                "the label lists every mount, file, variable and writable directory: shorten their names, or let \
                 one file hold what several do"
                    .into(),
            ),
            Self::Label { .. } | Self::Json(_) => None,
        }
    }
}
