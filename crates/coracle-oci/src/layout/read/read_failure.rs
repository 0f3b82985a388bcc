//! Why a part of an image cannot be read, before the location of the image is known.

use std::io;

use serde_json::Value;

use crate::image::GraphError;
use crate::layout::error::LayoutError;
use crate::registry;
use coracle_core::fs;
use coracle_core::json;

/// Why a part of an image cannot be read.
#[derive(Debug)]
pub(super) enum ReadFailure {
    Message(String),
    File(fs::Error),
    Registry(registry::RegistryError),
}

impl ReadFailure {
    /// Converts to an error about the image at `location`.
    pub(super) fn into_layout_error(self, location: &str) -> LayoutError {
        match self {
            Self::Message(why) => unreadable_image(location, why),
            Self::File(error) => LayoutError::File(error),
            Self::Registry(error) => LayoutError::Registry(error),
        }
    }

    /// Converts to an I/O error.
    pub(super) fn into_io(self) -> io::Error {
        match self {
            Self::Message(why) => io::Error::other(why),
            Self::File(error) => io::Error::other(error),
            Self::Registry(error) => io::Error::other(error),
        }
    }

    /// Adds the name of the affected part of the image.
    pub(super) fn with_part(self, part: &str) -> Self {
        match self {
            Self::Message(why) => Self::Message(format!("{part}: {why}")),
            other => other,
        }
    }
}

impl From<String> for ReadFailure {
    fn from(why: String) -> Self {
        Self::Message(why)
    }
}

impl From<GraphError> for ReadFailure {
    fn from(error: GraphError) -> Self {
        Self::Message(error.to_string())
    }
}

impl From<registry::RegistryError> for ReadFailure {
    fn from(error: registry::RegistryError) -> Self {
        Self::Registry(error)
    }
}

impl From<io::Error> for ReadFailure {
    /// Unwraps errors of a registry or a file.
    fn from(error: io::Error) -> Self {
        let error = match error.downcast::<registry::RegistryError>() {
            Ok(error) => return Self::Registry(error),
            Err(error) => error,
        };
        match error.downcast::<fs::Error>() {
            Ok(error) => Self::File(error),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::Message("it is missing".into()),
            Err(error) => Self::Message(error.to_string()),
        }
    }
}

/// Parses the document `name`.
pub(super) fn parse_json(name: &str, bytes: &[u8]) -> Result<Value, String> {
    json::parse(bytes).map_err(|error| format!("`{name}` is not JSON: {error}"))
}

/// The error for an image at `location` that cannot be read.
pub(super) fn unreadable_image(location: &str, why: String) -> LayoutError {
    LayoutError::UnreadableImage { image: location.to_owned(), why, hint: None }
}

/// An I/O error for content that is invalid.
pub(super) fn invalid_data(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
