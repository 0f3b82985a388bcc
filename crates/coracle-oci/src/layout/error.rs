//! Errors and warnings of image layouts and archives.

use std::fmt;
use std::path::PathBuf;

use super::disk_location::DiskLocation;
use crate::layer;
use crate::registry;
use coracle_core::fs;
use coracle_core::hint::Hint;
use coracle_core::reference::ParseImageReferenceError;

/// Why an image could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] fs::Error),
    /// A request to the registry that an image is read from failed.
    #[error(transparent)]
    Registry(#[from] registry::RegistryError),
    /// A layer could not be packed.
    #[error(transparent)]
    Layer(layer::LayerError),
    /// A broken invariant of this program.
    #[error("internal error: {0}; please report it")]
    Internal(&'static str),
    /// The operation was cancelled.
    #[error("interrupted; nothing was written")]
    Cancelled,
    /// An image name with the destination's tag is invalid.
    #[error(transparent)]
    Reference(#[from] ParseImageReferenceError),
    /// The destination of a layout exists and is not a layout.
    #[error("cannot write a layout to `{}`: {why}", .path.display())]
    NotLayout {
        /// The destination.
        path: PathBuf,
        /// Why it cannot be written.
        why: String,
        /// The target, if it is a symbolic link.
        link_target: Option<PathBuf>,
    },
    /// The destination of an archive exists and is not a file.
    #[error("cannot write an archive to `{}`: {why}", .path.display())]
    NotArchiveFile {
        /// The destination.
        path: PathBuf,
        /// Why it cannot be written.
        why: String,
        /// The target, if it is a symbolic link.
        link_target: Option<PathBuf>,
    },
    /// A `docker-archive` can only hold runnable images, not artifacts such as signatures and
    /// charts.
    #[error("cannot write `{0}`: there is no runnable image, and the format supports nothing else")]
    NotRunnable(DiskLocation),
    /// A blob cannot be read, or does not match its descriptor.
    #[error("cannot copy the blob `{digest}`")]
    CopyBlob {
        /// The digest of the blob.
        digest: coracle_core::digest::Digest,
        /// The cause.
        source: std::io::Error,
    },
    /// An archive holds one image and cannot be extended by an artifact.
    #[error("`{0}` can't hold an artifact")]
    ArtifactsUnsupported(DiskLocation),
    /// A `manifest.json` cannot describe several platforms.
    #[error("cannot write `docker-archive:{}`: the format supports only one platform", .path.display())]
    PlatformsUnsupported {
        /// The destination.
        path: PathBuf,
    },
    /// An image cannot be read.
    #[error("cannot read `{image}`: {why}")]
    UnreadableImage {
        /// The location of the image, as the user wrote it.
        image: String,
        /// The cause.
        why: String,
        /// A suggested next step.
        hint: Option<String>,
    },
    /// A value cannot be serialized.
    #[error("cannot write `{what}` as JSON")]
    Serialize {
        /// The document, such as `index`.
        what: &'static str,
        /// The cause.
        source: serde_json::Error,
    },
}

impl From<layer::LayerError> for LayoutError {
    fn from(error: layer::LayerError) -> Self {
        match error {
            layer::LayerError::Cancelled => Self::Cancelled,
            error => Self::Layer(error),
        }
    }
}

impl Hint for LayoutError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::File(error) => error.hint(),
            Self::Registry(error) => error.hint(),
            Self::Layer(error) => error.hint(),
            Self::Reference(error) => error.hint(),
            Self::NotLayout { link_target: Some(target), .. }
            | Self::NotArchiveFile { link_target: Some(target), .. } => {
                Some(format!("write to the target of the link, `{}`, or remove the link", target.display()))
            }
            Self::NotLayout { .. } => {
                Some("choose an existing image layout, an empty directory or a new path".into())
            }
            Self::NotArchiveFile { .. } => Some("choose the path of a file".into()),
            Self::NotRunnable(destination) => {
                Some(format!("write `oci-archive:{}`", destination.path.display()))
            }
            Self::CopyBlob { .. } => Some("the source image is damaged: build or fetch it again".into()),
            Self::ArtifactsUnsupported(destination) => {
                Some(format!("write it to a layout: `oci:{}.oci`", destination.path.display()))
            }
            Self::PlatformsUnsupported { path } => Some(format!("write `oci-archive:{}`", path.display())),
            Self::UnreadableImage { hint, .. } => hint.clone(),
            Self::Internal(_) | Self::Cancelled | Self::Serialize { .. } => None,
        }
    }
}

/// A problem that did not prevent an image from being written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LayoutWarning {
    /// Another image in the layout is incomplete, so unused blobs cannot be determined.
    UnusedBlobsKept {
        /// The layout.
        directory: PathBuf,
        /// The digest of the document that cannot be read.
        digest: String,
    },
    /// `index.json` had no content, as after a crash of the machine. It was written anew.
    IndexWithoutContent {
        /// The layout.
        directory: PathBuf,
    },
}

impl fmt::Display for LayoutWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnusedBlobsKept { directory, digest } => write!(
                f,
                "`{}` refers to `{digest}`, which cannot be read: unused blobs were not removed",
                directory.display()
            ),
            Self::IndexWithoutContent { directory } => write!(
                f,
                "the `index.json` of `{}` had no content, as after a crash of the machine; it was written \
                 anew, and refers only to this image",
                directory.display()
            ),
        }
    }
}
