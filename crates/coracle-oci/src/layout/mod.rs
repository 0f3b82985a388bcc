//! Where images are kept: image layouts and archives; and images that are there already, in those or at a registry.
//!
//! Nothing is visible under a name before it is complete, and what stands beside it stays. It does not know how an
//! image was made, and prints nothing: what is not quite right comes back as [`Warning`]s.

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

/// What every name begins with that is not to stay.
const PREFIX: &str = ".coracle-";

/// How often a lock is tried again whose file was removed meanwhile; only a file system that gives a file a new identity
/// each time it is looked at comes this far.
const ATTEMPTS: usize = 1000;

/// Why an image could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] fs::Error),
    /// A registry that an image is read from failed or refused.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// A layer could not be packed.
    #[error(transparent)]
    Layer(#[from] layer::Error),
    /// A name can't carry the destination's tag.
    #[error(transparent)]
    Reference(#[from] ParseReferenceError),
    /// A layout is wanted where something else is.
    #[error("cannot write a layout to `{}`: {why}", .path.display())]
    NotLayout {
        /// The destination.
        path: PathBuf,
        /// What it is.
        why: String,
    },
    /// An archive is wanted where something else is.
    #[error("cannot write an archive to `{}`: {why}", .path.display())]
    NotFile {
        /// The destination.
        path: PathBuf,
        /// What it is.
        why: String,
    },
    /// Docker's description is one of programs; signatures and charts are none.
    #[error(
        "cannot write `{0}`: there is no image of a file system, and the format has no words for anything else"
    )]
    NoProgram(Destination),
    /// A blob can't be had.
    #[error("cannot copy the blob `{digest}`")]
    Blob {
        /// Its digest.
        digest: coracle_core::digest::Digest,
        /// Why.
        source: std::io::Error,
    },
    /// An archive is one image, and written in one go.
    #[error("`{0}` can't hold an artifact")]
    NoArtifacts(Destination),
    /// `manifest.json` has no word for platforms.
    #[error("cannot write `docker-archive:{}`: the format has no room for several platforms", .path.display())]
    SeveralPlatforms {
        /// The destination.
        path: PathBuf,
    },
    /// An image can't be read.
    #[error("cannot read `{image}`: {why}")]
    Unreadable {
        /// Where it is, as it was written.
        image: String,
        /// What is wrong there.
        why: String,
        /// The next step.
        hint: Option<String>,
    },
    /// Values that JSON does not know.
    #[error("cannot write `{what}` as JSON")]
    Json {
        /// Which document.
        what: &'static str,
        /// Which value.
        source: serde_json::Error,
    },
}

impl Error {
    /// The next step, where there is a usual one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::File(error) => error.hint(),
            Self::Registry(error) => error.hint(),
            Self::Layer(error) => error.hint(),
            Self::Reference(error) => Some(error.hint()),
            Self::NotLayout { .. } => {
                Some("choose an image layout, an empty directory, or a path where nothing is yet".into())
            }
            Self::NotFile { .. } => Some("choose the path of a file".into()),
            Self::NoProgram(destination) => {
                Some(format!("write `oci-archive:{}`", destination.path.display()))
            }
            Self::Blob { .. } => {
                Some("the image is damaged where it comes from: build or fetch it again".into())
            }
            Self::NoArtifacts(destination) => {
                Some(format!("write it to a layout: `oci:{}.oci`", destination.path.display()))
            }
            Self::SeveralPlatforms { path } => Some(format!("write `oci-archive:{}`", path.display())),
            Self::Unreadable { hint, .. } => hint.clone(),
            Self::Json { .. } => None,
        }
    }
}

/// What is not quite right, though the image is where it should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Warning {
    /// A layout is incomplete already, so nobody can tell what is not needed any more.
    NotCollected {
        /// The layout.
        directory: PathBuf,
        /// The document that can't be read.
        digest: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotCollected { directory, digest } => write!(
                f,
                "`{}` refers to `{digest}`, which cannot be read there; no unused blob was removed",
                directory.display()
            ),
        }
    }
}

/// Writes `root`, whose layers wait in `staging`, to `destination` under these names.
///
/// The same staging serves several destinations. When it fails, what stood there before still does.
///
/// # Errors
/// Those of [`Destination::check`], and when something can't be written.
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

/// Writes `artifact` to the layout at `destination`, in place of one of its kind about the same image.
///
/// # Errors
/// When `destination` is no layout, and when something can't be written.
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
