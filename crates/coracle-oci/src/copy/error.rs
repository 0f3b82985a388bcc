//! Errors of copies.

use super::image_location::ImageLocation;
use crate::engine;
use crate::image::{self, GraphError};
use crate::layout;
use crate::registry::{MAX_REFERRERS, RegistryError};
use coracle_core::digest::Digest;
use coracle_core::fs;
use coracle_core::hint::Hint;

/// Why an image could not be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// A layout or archive can't be read or written.
    #[error(transparent)]
    Store(layout::LayoutError),
    /// A request to a registry failed.
    #[error(transparent)]
    Registry(RegistryError),
    /// An image at a registry can't be read.
    #[error(transparent)]
    UnreadableRemote(layout::LayoutError),
    /// An engine failed.
    #[error(transparent)]
    Engine(engine::EngineError),
    /// The temporary archive of an engine's image can't be created.
    #[error(transparent)]
    File(#[from] fs::Error),
    /// An image in an engine can't be read in place, only copied.
    #[error("`{0}` can't be read directly: images in an engine can only be copied")]
    UnreadableEngine(ImageLocation),
    /// A manifest is invalid.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// An index can't be created.
    #[error(transparent)]
    Index(#[from] image::ImageError),
    /// Two images of an index have the same platform.
    #[error("cannot create the index: two images have the platform `{platform}`: {} and {}", .images[0], .images[1])]
    SamePlatform {
        /// The platform.
        platform: String,
        /// The locations and digests of the images.
        images: [String; 2],
    },
    /// An index can't be written to an engine.
    #[error("`{0}` can't hold an index: an engine stores the image of its own platform only")]
    IndexInEngine(ImageLocation),
    /// An engine stores no referrers.
    #[error("`{0}` can't hold referrers: an engine stores images only")]
    ReferrersInEngine(ImageLocation),
    /// An image has more referrers than are copied.
    #[error("`{from}` has more than {MAX_REFERRERS} referrers, with those of its platform images")]
    TooManyReferrers {
        /// The location of the image.
        from: ImageLocation,
    },
    /// A broken invariant of this program.
    #[error("internal error: {0}; please report it")]
    Internal(&'static str),
    /// The copy was cancelled.
    #[error("interrupted; no tag was written")]
    Cancelled,
    /// The image does not exist.
    #[error("there is no image at `{0}`")]
    NoSuchImage(ImageLocation),
    /// The destination includes a digest, but the image has another digest.
    #[error("the destination `{to}` includes the digest `{wanted}`, but the image has `{found}`")]
    DigestMismatch {
        /// The destination.
        to: String,
        /// The digest in the destination.
        wanted: Digest,
        /// The digest of the image.
        found: Digest,
    },
}

impl From<layout::LayoutError> for CopyError {
    fn from(error: layout::LayoutError) -> Self {
        match error {
            layout::LayoutError::Cancelled => Self::Cancelled,
            error => Self::Store(error),
        }
    }
}

impl From<RegistryError> for CopyError {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Cancelled => Self::Cancelled,
            error => Self::Registry(error),
        }
    }
}

impl From<engine::EngineError> for CopyError {
    fn from(error: engine::EngineError) -> Self {
        match error {
            engine::EngineError::Cancelled => Self::Cancelled,
            error => Self::Engine(error),
        }
    }
}

impl CopyError {
    /// Wraps an error of reading the image at `location`.
    pub(crate) fn from_read_error(location: &ImageLocation, error: layout::LayoutError) -> Self {
        match location {
            ImageLocation::OnDisk(_) | ImageLocation::Engine(_) => Self::Store(error),
            ImageLocation::Registry(_) => Self::UnreadableRemote(error),
        }
    }

    /// Returns whether a registry or the network caused the error.
    pub fn is_network(&self) -> bool {
        match self {
            Self::Registry(error) => !error.is_local_failure(),
            Self::UnreadableRemote(layout::LayoutError::Registry(error)) => !error.is_local_failure(),
            Self::UnreadableRemote(_) | Self::NoSuchImage(ImageLocation::Registry(_)) => true,
            Self::Store(layout::LayoutError::CopyBlob { source, .. })
            | Self::Engine(engine::EngineError::Store(layout::LayoutError::CopyBlob { source, .. })) => {
                RegistryError::cause_of(source).is_some()
            }
            Self::Internal(_)
            | Self::Cancelled
            | Self::Store(_)
            | Self::Engine(_)
            | Self::File(_)
            | Self::UnreadableEngine(_)
            | Self::IndexInEngine(_)
            | Self::ReferrersInEngine(_)
            | Self::TooManyReferrers { .. }
            | Self::NoSuchImage(ImageLocation::OnDisk(_) | ImageLocation::Engine(_))
            | Self::Graph(_)
            | Self::Index(_)
            | Self::SamePlatform { .. }
            | Self::DigestMismatch { .. } => false,
        }
    }
}

impl Hint for CopyError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Store(layout::LayoutError::CopyBlob { source, .. })
                if RegistryError::cause_of(source).is_some() =>
            {
                RegistryError::cause_of(source).and_then(RegistryError::hint)
            }
            Self::Store(error) => error.hint(),
            Self::Registry(error) => error.hint(),
            Self::Engine(engine::EngineError::Store(layout::LayoutError::CopyBlob { source, .. }))
                if RegistryError::cause_of(source).is_some() =>
            {
                RegistryError::cause_of(source).and_then(RegistryError::hint)
            }
            Self::Engine(error) => error.hint(),
            Self::File(error) => error.hint(),
            Self::IndexInEngine(_) => Some("write the index to a layout: `oci:DIR`".into()),
            Self::ReferrersInEngine(_) => Some("copy them to a registry or a layout".into()),
            Self::TooManyReferrers { .. } => {
                Some("delete those that are no longer needed, or copy single ones by digest".into())
            }
            Self::UnreadableEngine(location) => {
                Some(format!("copy it first: `coracle copy {location} oci:DIR`"))
            }
            Self::Internal(_) | Self::Cancelled | Self::Graph(_) => None,
            Self::Index(error) => error.hint(),
            Self::SamePlatform { .. } => Some("remove one of the two images from the command".into()),
            Self::UnreadableRemote(layout::LayoutError::UnreadableImage { hint: None, .. }) => {
                Some("it is not an image, or is damaged: push it again with another tag".into())
            }
            Self::UnreadableRemote(error) => error.hint(),
            Self::NoSuchImage(_) => {
                Some("check the name and the tag; without a tag, `latest` is used".into())
            }
            Self::DigestMismatch { .. } => {
                Some("remove the digest from the destination, or copy the image with that digest".into())
            }
        }
    }
}
