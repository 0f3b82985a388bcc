//! Why there is nothing to build upon.

use coracle_core::digest::Digest;
use coracle_core::platform::Platform;
use crate::registry;
use coracle_core::fs;
use crate::copy;

/// Why a base image can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It can't be found or read.
    #[error("cannot use the base `{base}`")]
    Unreadable {
        /// Where it was looked for.
        base: String,
        /// Why not.
        source: copy::Error,
    },
    /// A layer is not what it should be.
    #[error("cannot read the layer `{digest}` of the base `{base}`")]
    Layer {
        /// Where it is.
        base: String,
        /// Which one.
        digest: Digest,
        /// What is wrong with it.
        source: std::io::Error,
    },
    /// Its config says something that no image can be built upon.
    #[error("cannot build upon `{base}`: {why}")]
    Unfit {
        /// Where it is.
        base: String,
        /// What is wrong.
        why: String,
        /// The next step.
        hint: String,
    },
    /// It is for other platforms.
    #[error("the base `{base}` has no image for {wanted}")]
    Platform {
        /// Where it is.
        base: String,
        /// What the programs are for.
        wanted: Platform,
        /// What it is for.
        known: Vec<String>,
    },
    /// Its files can't be kept.
    #[error(transparent)]
    File(#[from] fs::Error),
}

impl Error {
    /// The next step, where there is a usual one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unreadable { source, .. } => source.hint(),
            Self::Layer { source, .. } => match registry(source) {
                Some(error) => error.hint(),
                None => Some("the base is damaged: fetch it again, or take another".into()),
            },
            Self::Unfit { hint, .. } => Some(hint.clone()),
            Self::Platform { known, .. } => Some(format!("it has {}", known.join(", "))),
            Self::File(error) => error.hint(),
        }
    }

    /// Whether a registry or the network failed.
    pub fn is_network(&self) -> bool {
        match self {
            Self::Unreadable { source, .. } => source.is_network(),
            Self::Layer { source, .. } => registry(source).is_some_and(|error| !error.is_local()),
            Self::Unfit { .. } | Self::Platform { .. } | Self::File(_) => false,
        }
    }
}

/// What a registry did, where a blob was read from one.
fn registry(error: &std::io::Error) -> Option<&registry::Error> {
    error.get_ref()?.downcast_ref()
}

pub(super) fn unreadable(base: &str, source: copy::Error) -> Error {
    Error::Unreadable { base: base.to_owned(), source }
}
