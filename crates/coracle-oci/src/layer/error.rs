//! Errors of packing a layer.

use coracle_core::fs;
use coracle_core::hint::Hint;
use coracle_core::path::ImagePath;

/// Why a layer could not be packed.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// A file could not be read or written, or it changed while it was packed.
    #[error(transparent)]
    File(#[from] fs::Error),
    /// A symbolic link that a tar header cannot represent.
    #[error("cannot pack the link `{path}`: its target {why}")]
    InvalidLinkTarget {
        /// The path of the link in the image.
        path: ImagePath,
        /// Why its target is invalid.
        why: &'static str,
    },
    /// A name that deletes files when the layer is applied.
    #[error("cannot pack `{0}`: in a layer, names that start with `.wh.` delete files")]
    WhiteoutName(ImagePath),
    /// The encoder failed, which only happens if memory runs out.
    #[error("cannot compress the layer: the encoder failed")]
    CompressionFailed,
    /// A broken invariant of this program.
    #[error("internal error: {0}; please report it")]
    Internal(&'static str),
    /// The operation was cancelled.
    #[error("interrupted; nothing was written")]
    Cancelled,
}

impl Hint for LayerError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::File(error) => error.hint(),
            Self::InvalidLinkTarget { .. } => Some("remove the link, or give it a valid target".into()),
            Self::WhiteoutName(_) => Some("rename it, or leave it out".into()),
            Self::CompressionFailed | Self::Internal(_) | Self::Cancelled => None,
        }
    }
}
