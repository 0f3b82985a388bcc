//! Errors of base images.

use crate::copy;
use crate::registry::RegistryError;
use coracle_core::digest::Digest;
use coracle_core::fs;
use coracle_core::hint::Hint;
use coracle_core::platform::Platform;

/// The error for a base image that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// The image cannot be found or read.
    #[error("cannot use the base image `{base}`")]
    Unreadable {
        /// The location of the base image, as written.
        base: String,
        /// The cause.
        source: copy::CopyError,
    },
    /// A layer cannot be read, or does not match its digests.
    #[error("cannot read the layer `{digest}` of the base image `{base}`")]
    Layer {
        /// The location of the base image, as written.
        base: String,
        /// The digest of the layer's blob.
        digest: Digest,
        /// The cause.
        source: std::io::Error,
    },
    /// The image's documents do not allow building an image on it.
    #[error("cannot use `{base}` as a base image: {why}")]
    Unsupported {
        /// The location of the base image, as written.
        base: String,
        /// The reason.
        why: String,
        /// The next step, for the user.
        hint: String,
    },
    /// The image is for other platforms.
    #[error("the base image `{base}` is not available for {requested}")]
    PlatformUnavailable {
        /// The location of the base image, as written.
        base: String,
        /// The platform of the programs.
        requested: Platform,
        /// The platforms of the base image.
        available: Vec<String>,
    },
    /// The operation was cancelled.
    #[error("interrupted; nothing was written")]
    Cancelled,
    /// Files of the base image cannot be written or read on this host.
    #[error(transparent)]
    File(#[from] fs::Error),
}

impl BaseError {
    /// Returns whether the cause is a registry or the network.
    pub fn is_network(&self) -> bool {
        match self {
            Self::Unreadable { source, .. } => source.is_network(),
            Self::Layer { source, .. } => {
                RegistryError::cause_of(source).is_some_and(|error| !error.is_local_failure())
            }
            Self::Unsupported { .. } | Self::PlatformUnavailable { .. } | Self::Cancelled | Self::File(_) => {
                false
            }
        }
    }
}

impl Hint for BaseError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Unreadable { source, .. } => source.hint(),
            Self::Layer { source, .. } => match RegistryError::cause_of(source) {
                Some(error) => error.hint(),
                None => Some("the base image is damaged: fetch it again, or use another one".into()),
            },
            Self::Unsupported { hint, .. } => Some(hint.clone()),
            Self::PlatformUnavailable { available: known, .. } => {
                Some(format!("available platforms: {}", known.join(", ")))
            }
            Self::Cancelled => None,
            Self::File(error) => error.hint(),
        }
    }
}

pub(super) fn unreadable_error(base: &str, source: copy::CopyError) -> BaseError {
    BaseError::Unreadable { base: base.to_owned(), source }
}
