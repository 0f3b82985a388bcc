//! Errors of creating the documents of an image.

use coracle_core::hint::Hint;
use coracle_core::platform::Platform;

/// Why the documents of an image cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A time that RFC 3339 cannot represent.
    #[error("`{0}` seconds after 1970 is later than the year 9999")]
    EpochOutOfRange(u64),
    /// There is no image for any platform.
    #[error("an image needs at least one platform")]
    NoPlatform,
    /// Two images have the same platform.
    #[error("cannot create an index: two images are for `{0}`")]
    DuplicatePlatform(Platform),
    /// An artifact that another program has made is invalid.
    #[error("the artifact is invalid: {0}")]
    InvalidArtifact(String),
    /// A value cannot be serialized.
    #[error("cannot write `{what}` as JSON")]
    Serialize {
        /// The document, such as `config`.
        what: &'static str,
        /// The cause.
        source: serde_json::Error,
    },
}

impl Hint for ImageError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::EpochOutOfRange(_) => Some("pass the epoch in seconds, not in milliseconds".into()),
            Self::DuplicatePlatform(_) => {
                Some("build all programs of a platform into one image, or remove one of them".into())
            }
            Self::NoPlatform | Self::InvalidArtifact(_) | Self::Serialize { .. } => None,
        }
    }
}
