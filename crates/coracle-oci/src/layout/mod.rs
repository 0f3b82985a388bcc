//! Image layouts and archives: writes images to them, and reads images from them or from a
//! registry.
//!
//! An image becomes visible under its name only when it is complete, and other images are kept.
//! Does not depend on how an image was made. Prints nothing: problems that are not errors are
//! returned as [`Warning`]s.

mod archive;
mod atomic_file;
mod directory;
mod disk_location;
mod garbage_collection;
mod image_names;
mod index_json;
mod output_stamp;
pub mod read;
mod staging;
mod verify;
mod write_graph;

use std::fmt;
use std::path::PathBuf;

pub use archive::{ArchiveWriteError, BlobOpener, ImageArchive};
pub use disk_location::{DiskFormat, DiskLocation, ParseDiskLocationError};
pub use output_stamp::{IndexStamp, OutputStamp};
pub use read::{
    FileEntry, FileExtent, FileNode, ImageFiles, ImageSource, ParsedImage, ParsedLayer, ParsedPlatform,
    find_replaced_image, read_artifact, read_image, read_remote_artifact,
};
pub use staging::Staging;
pub use verify::{LayoutProblem, verify_layout};
pub use write_graph::write_graph;

use crate::image::{Artifact, ImageSet};
use crate::layer;
use crate::registry;
use coracle_core::fs;
use coracle_core::reference::{ImageReference, ParseImageReferenceError};

/// The prefix of the names of temporary files.
const TEMPORARY_PREFIX: &str = ".coracle-";

/// The maximum number of attempts to lock a file that other processes keep removing. Only reached
/// on a file system where the identity of a file changes with every `stat`.
const MAX_LOCK_ATTEMPTS: usize = 1000;

/// Why an image could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] fs::Error),
    /// A request to the registry that an image is read from failed.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// A layer could not be packed.
    #[error(transparent)]
    Layer(#[from] layer::LayerError),
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
    },
    /// The destination of an archive exists and is not a file.
    #[error("cannot write an archive to `{}`: {why}", .path.display())]
    NotArchiveFile {
        /// The destination.
        path: PathBuf,
        /// Why it cannot be written.
        why: String,
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

impl LayoutError {
    /// A suggested next step, if there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::File(error) => error.hint(),
            Self::Registry(error) => error.hint(),
            Self::Layer(error) => error.hint(),
            Self::Reference(error) => Some(error.hint()),
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
            Self::Serialize { .. } => None,
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
}

impl fmt::Display for LayoutWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnusedBlobsKept { directory, digest } => write!(
                f,
                "`{}` refers to `{digest}`, which cannot be read: unused blobs were not removed",
                directory.display()
            ),
        }
    }
}

/// Writes `root`, whose layers are in `staging`, to `destination` under these names.
///
/// A staging directory can be used for several destinations. The previous content is kept on
/// failure.
///
/// # Errors
/// Fails as [`Destination::check`] does, or if a file cannot be written.
pub fn write_image(
    root: &ImageSet,
    staging: &Staging,
    names: &[ImageReference],
    destination: &DiskLocation,
) -> Result<Vec<LayoutWarning>, LayoutError> {
    destination.check_writable()?;
    destination.check_supports(root)?;
    let names = image_names::names_at_location(destination, names)?;
    match destination.format {
        DiskFormat::Layout => directory::write_image(root, staging, &names, &destination.path),
        DiskFormat::OciArchive | DiskFormat::DockerArchive => {
            archive::write_image(root, staging, &names, destination)?;
            Ok(Vec::new())
        }
    }
}

/// Writes `artifact` to the layout at `destination`, replacing one of the same type and subject.
///
/// # Errors
/// Fails if `destination` is not a layout, or if a file cannot be written.
pub fn write_artifact(
    artifact: &Artifact,
    destination: &DiskLocation,
) -> Result<Vec<LayoutWarning>, LayoutError> {
    match destination.format {
        DiskFormat::Layout => {
            destination.check_writable()?;
            directory::write_artifact(artifact, &destination.path)
        }
        DiskFormat::OciArchive | DiskFormat::DockerArchive => {
            Err(LayoutError::ArtifactsUnsupported(destination.clone()))
        }
    }
}

#[cfg(test)]
mod tests;
