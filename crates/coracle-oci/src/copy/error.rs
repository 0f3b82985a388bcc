//! Why an image is not where it should be.

use super::Place;
use coracle_core::digest::Digest;
use crate::image::{self, GraphError};
use crate::engine;
use coracle_core::fs;
use crate::registry;
use crate::layout;

/// Why an image could not be copied.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It can't be read from disk, or written to it.
    #[error(transparent)]
    Store(#[from] layout::Error),
    /// A registry failed or refused.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// What is at a registry can't be read.
    #[error(transparent)]
    Remote(layout::Error),
    /// An engine can't be reached, or refused.
    #[error(transparent)]
    Engine(engine::Error),
    /// An archive for what an engine gives can't be made.
    #[error(transparent)]
    File(#[from] fs::Error),
    /// An image at an engine has to be taken from there before it can be read.
    #[error("`{0}` can be copied, and not be read where it is")]
    NotHere(Place),
    /// An image that is to be joined with others is none.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// An index can't be made.
    #[error(transparent)]
    Index(#[from] image::Error),
    /// Whoever pulls an index gets one image, which has to be known.
    #[error("two images are for `{platform}`: {} and {}", .images[0], .images[1])]
    SamePlatform {
        /// For which.
        platform: String,
        /// Where they are.
        images: [String; 2],
    },
    /// An engine has the image of its platform alone.
    #[error("`{0}` can't hold an index: an engine takes the image of its own platform")]
    NoIndex(Place),
    /// The observer did not want to go on.
    #[error("interrupted; nothing was named")]
    Interrupted,
    /// There is no such image.
    #[error("there is no image at `{0}`")]
    Nothing(Place),
    /// A name with a digest stands for one image alone.
    #[error("`{to}` asks for `{wanted}`, and the image is `{found}`")]
    OtherDigest {
        /// Where it was to go.
        to: String,
        /// The digest in that name.
        wanted: Digest,
        /// The image's own.
        found: Digest,
    },
}

impl From<engine::Error> for Error {
    fn from(error: engine::Error) -> Self {
        match error {
            engine::Error::Interrupted => Self::Interrupted,
            error => Self::Engine(error),
        }
    }
}

impl Error {
    /// Why the image at `place` can't be read.
    pub(crate) fn reading(place: &Place, error: layout::Error) -> Self {
        match place {
            Place::Local(_) | Place::Engine(_) => Self::Store(error),
            Place::Remote(_) => Self::Remote(error),
        }
    }

    /// The next step, where there is a usual one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Store(layout::Error::Blob { source, .. }) if inner(source).is_some() => {
                inner(source).and_then(registry::Error::hint)
            }
            Self::Store(error) => error.hint(),
            Self::Registry(error) => error.hint(),
            Self::Engine(engine::Error::Store(layout::Error::Blob { source, .. }))
                if inner(source).is_some() =>
            {
                inner(source).and_then(registry::Error::hint)
            }
            Self::Engine(error) => error.hint(),
            Self::File(error) => error.hint(),
            Self::NoIndex(_) => Some("join the images in a layout: `oci:DIR`".into()),
            Self::NotHere(place) => Some(format!("copy it first: `coracle copy {place} oci:DIR`")),
            Self::Interrupted | Self::Graph(_) => None,
            Self::Index(error) => error.hint(),
            Self::SamePlatform { .. } => Some("leave one of them out".into()),
            Self::Remote(layout::Error::Unreadable { hint: None, .. }) => {
                Some("what is there is no image, or is damaged: push it again under another tag".into())
            }
            Self::Remote(error) => error.hint(),
            Self::Nothing(_) => Some("check name and tag; a tag that nothing says is `latest`".into()),
            Self::OtherDigest { .. } => Some("leave the digest out, or copy the image that it names".into()),
        }
    }

    /// Whether a registry or the network failed.
    pub fn is_network(&self) -> bool {
        match self {
            Self::Registry(error) => !error.is_local(),
            Self::Remote(layout::Error::Registry(error)) => !error.is_local(),
            Self::Remote(_) | Self::Nothing(Place::Remote(_)) => true,
            Self::Store(layout::Error::Blob { source, .. })
            | Self::Engine(engine::Error::Store(layout::Error::Blob { source, .. })) => {
                inner(source).is_some()
            }
            Self::Interrupted
            | Self::Store(_)
            | Self::Engine(_)
            | Self::File(_)
            | Self::NotHere(_)
            | Self::NoIndex(_)
            | Self::Nothing(Place::Local(_) | Place::Engine(_))
            | Self::Graph(_)
            | Self::Index(_)
            | Self::SamePlatform { .. }
            | Self::OtherDigest { .. } => false,
        }
    }
}

/// What a registry did, where a blob was read from one.
fn inner(error: &std::io::Error) -> Option<&registry::Error> {
    error.get_ref()?.downcast_ref()
}
