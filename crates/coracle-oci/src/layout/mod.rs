//! Image layouts and archives: writes images to them, and reads images from them or from a
//! registry.
//!
//! An image becomes visible under its name only when it is complete, and other images are kept.
//! Does not depend on how an image was made. Prints nothing: problems that are not errors are
//! returned as [`Warning`]s.

mod archive;
mod collect;
mod destination;
mod index;
mod layout;
mod names;
mod place;
pub mod read;
mod receive;
mod staging;
mod traces;
mod verify;

use std::fmt;
use std::path::PathBuf;

pub use archive::{Archive, Open, WriteError};
pub use destination::{Destination, Kind, ParseDestinationError};
pub use read::{
    Extent, FileEntry, FileNode, Files, Origin, Stored, StoredImage, StoredLayer, artifact, open,
    remote_artifact, replaced,
};
pub use receive::receive;
pub use staging::Staging;
pub use traces::{Entries, Traces};
pub use verify::{Finding, verify};

use crate::image::{Artifact, Root};
use coracle_core::reference::{ParseReferenceError, Reference};
use coracle_core::fs;
use crate::layer;
use crate::registry;

/// The prefix of the names of temporary files.
const PREFIX: &str = ".coracle-";

/// The maximum number of attempts to lock a file that other processes keep removing. Only reached
/// on a file system where the identity of a file changes with every `stat`.
const ATTEMPTS: usize = 1000;

/// Why an image could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] fs::Error),
    /// A request to the registry that an image is read from failed.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// A layer could not be packed.
    #[error(transparent)]
    Layer(#[from] layer::Error),
    /// An image name with the destination's tag is invalid.
    #[error(transparent)]
    Reference(#[from] ParseReferenceError),
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
    NotFile {
        /// The destination.
        path: PathBuf,
        /// Why it cannot be written.
        why: String,
    },
    /// A `docker-archive` can only hold runnable images, not artifacts such as signatures and
    /// charts.
    #[error("cannot write `{0}`: there is no runnable image, and the format supports nothing else")]
    NoProgram(Destination),
    /// A blob cannot be read, or does not match its descriptor.
    #[error("cannot copy the blob `{digest}`")]
    Blob {
        /// The digest of the blob.
        digest: coracle_core::digest::Digest,
        /// The cause.
        source: std::io::Error,
    },
    /// An archive holds one image and cannot be extended by an artifact.
    #[error("`{0}` can't hold an artifact")]
    NoArtifacts(Destination),
    /// A `manifest.json` cannot describe several platforms.
    #[error("cannot write `docker-archive:{}`: the format supports only one platform", .path.display())]
    SeveralPlatforms {
        /// The destination.
        path: PathBuf,
    },
    /// An image cannot be read.
    #[error("cannot read `{image}`: {why}")]
    Unreadable {
        /// The location of the image, as the user wrote it.
        image: String,
        /// The cause.
        why: String,
        /// A suggested next step.
        hint: Option<String>,
    },
    /// A value cannot be serialized.
    #[error("cannot write `{what}` as JSON")]
    Json {
        /// The document, such as `index`.
        what: &'static str,
        /// The cause.
        source: serde_json::Error,
    },
}

impl Error {
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
            Self::NotFile { .. } => Some("choose the path of a file".into()),
            Self::NoProgram(destination) => {
                Some(format!("write `oci-archive:{}`", destination.path.display()))
            }
            Self::Blob { .. } => Some("the source image is damaged: build or fetch it again".into()),
            Self::NoArtifacts(destination) => {
                Some(format!("write it to a layout: `oci:{}.oci`", destination.path.display()))
            }
            Self::SeveralPlatforms { path } => Some(format!("write `oci-archive:{}`", path.display())),
            Self::Unreadable { hint, .. } => hint.clone(),
            Self::Json { .. } => None,
        }
    }
}

/// A problem that did not prevent an image from being written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Warning {
    /// Another image in the layout is incomplete, so unused blobs cannot be determined.
    NotCollected {
        /// The layout.
        directory: PathBuf,
        /// The digest of the document that cannot be read.
        digest: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotCollected { directory, digest } => write!(
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
pub fn publish(
    root: &Root,
    staging: &Staging,
    names: &[Reference],
    destination: &Destination,
) -> Result<Vec<Warning>, Error> {
    destination.check()?;
    destination.check_root(root)?;
    let names = names::at(destination, names)?;
    match destination.kind {
        Kind::Layout => layout::publish(root, staging, &names, &destination.path),
        Kind::OciArchive | Kind::DockerArchive => {
            archive::publish(root, staging, &names, destination)?;
            Ok(Vec::new())
        }
    }
}

/// Writes `artifact` to the layout at `destination`, replacing one of the same type and subject.
///
/// # Errors
/// Fails if `destination` is not a layout, or if a file cannot be written.
pub fn attach(artifact: &Artifact, destination: &Destination) -> Result<Vec<Warning>, Error> {
    match destination.kind {
        Kind::Layout => {
            destination.check()?;
            layout::attach(artifact, &destination.path)
        }
        Kind::OciArchive | Kind::DockerArchive => Err(Error::NoArtifacts(destination.clone())),
    }
}

#[cfg(test)]
mod tests;
