//! Reads existing images from any tool: an [`Origin`] is an image in a layout, in an archive or at
//! a registry, and gives access to its manifests and blobs; a [`Stored`] also has configs, labels
//! and the paths in layers.
//!
//! Every document is limited in size and verified by its digest. An archive is not unpacked.
//! Source: image-spec, `image-layout.md`, `image-index.md`, `manifest.md`; Moby,
//! `image/spec/v1.2.md` for archives that only have a `manifest.json`.

mod artifact;
mod blobs;
mod bytes;
mod files;
mod headers;
mod layers;
mod origin;
mod select;
mod stored;

use std::io;

use serde_json::Value;

use super::{Destination, Error, Kind, ParseDestinationError, names};
use crate::image::GraphError;
use coracle_core::reference::Reference;
use coracle_core::fs;
use crate::registry;
use blobs::Blobs;

pub use artifact::{artifact, remote_artifact};
pub use files::{Entry as FileEntry, Extent, Files, Node as FileNode};
pub use origin::Origin;
pub use stored::{Stored, StoredImage, StoredLayer};

/// The maximum size of a manifest or config, in bytes. Registries accept manifests of at most 4
/// MiB.
const MAX_DOCUMENT: u64 = 16 << 20;
/// The maximum number of images of an index. There are some twenty platforms.
const MAX_IMAGES: usize = 256;
/// The maximum number of layers of an image. overlayfs supports 128.
const MAX_LAYERS: usize = 1024;

/// Parses an image location: `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]` or
/// `docker-archive:FILE[:TAG]`.
///
/// # Errors
/// Fails if `text` has another form, with a hint for images that are read.
pub fn place(text: &str) -> Result<Destination, Error> {
    let refused = |why: &str, hint: String| Error::Unreadable {
        image: text.to_owned(),
        why: why.to_owned(),
        hint: Some(hint),
    };
    let forms = "write `docker://NAME[:TAG]`, `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]` or `docker-archive:FILE[:TAG]`";
    text.parse().map_err(|error| match error {
        ParseDestinationError::NoTransport(path) if std::path::Path::new(&path).is_dir() => {
            refused("it has no transport such as `oci:`", format!("write `oci:{path}` for an image layout"))
        }
        ParseDestinationError::NoTransport(path) if std::path::Path::new(&path).is_file() => refused(
            "it has no transport such as `oci:`",
            format!("write `oci-archive:{path}` for an archive"),
        ),
        ParseDestinationError::NoTransport(_) => refused("it has no transport such as `oci:`", forms.into()),
        ParseDestinationError::Transport { .. } => {
            refused("images cannot be read with this transport", forms.into())
        }
        error => {
            Error::Unreadable { image: text.to_owned(), why: error.to_string(), hint: Some(error.hint()) }
        }
    })
}

/// Reads the documents of the image at `location`, not its layers.
///
/// # Errors
/// Fails if there is no image, if there are several and `location` has no tag, or if a document
/// does not match its digest.
pub fn open(location: &Destination) -> Result<Stored, Error> {
    Origin::on_disk(location)?.read()
}

/// Returns the entries of `index.json` at `location`; `None` if it does not exist or cannot be
/// read.
pub(super) fn entries(location: &Destination) -> Option<Vec<Value>> {
    let index = Blobs::open(location).ok()?.bytes("index.json", MAX_DOCUMENT).ok()??;
    match serde_json::from_slice::<Value>(&index).ok()?.get_mut("manifests")?.take() {
        Value::Array(entries) => Some(entries),
        _ => None,
    }
}

/// Finds the image at `location` that an image with these names would replace; `None` if there is
/// none in an `index.json`.
///
/// # Errors
/// Fails if its manifest cannot be read.
pub fn replaced(location: &Destination, names: &[Reference]) -> Result<Option<Origin>, Error> {
    let tag = names::at(location, names)?.into_iter().next().and_then(|name| name.tag);
    let is_meant = |entry: &Value| select::is_image(entry) && select::tag(entry) == tag.as_deref();
    let Some(entry) = entries(location).into_iter().flatten().rfind(is_meant) else { return Ok(None) };
    let location = Destination { tag, ..location.clone() };
    Origin::in_index(&location, &entry).map(Some)
}

fn nothing_there(location: &Destination) -> String {
    match location.kind {
        Kind::Layout => "it has no `index.json`, so it is not an image layout".into(),
        _ => "it has neither `index.json` nor `manifest.json`, so it is not an image archive".into(),
    }
}

fn unreadable(location: &str, why: String) -> Error {
    Error::Unreadable { image: location.to_owned(), why, hint: None }
}

/// Why a part of an image cannot be read.
#[derive(Debug)]
enum Why {
    Said(String),
    File(fs::Error),
    Registry(registry::Error),
}

impl Why {
    /// Converts to an error about the image at `location`.
    fn about(self, location: &str) -> Error {
        match self {
            Self::Said(why) => unreadable(location, why),
            Self::File(error) => Error::File(error),
            Self::Registry(error) => Error::Registry(error),
        }
    }

    /// Converts to an I/O error.
    fn into_io(self) -> io::Error {
        match self {
            Self::Said(why) => io::Error::other(why),
            Self::File(error) => io::Error::other(error),
            Self::Registry(error) => io::Error::other(error),
        }
    }

    /// Adds the name of the affected part of the image.
    fn within(self, part: &str) -> Self {
        match self {
            Self::Said(why) => Self::Said(format!("{part}: {why}")),
            other => other,
        }
    }
}

impl From<String> for Why {
    fn from(why: String) -> Self {
        Self::Said(why)
    }
}

impl From<GraphError> for Why {
    fn from(error: GraphError) -> Self {
        Self::Said(error.to_string())
    }
}

impl From<registry::Error> for Why {
    fn from(error: registry::Error) -> Self {
        Self::Registry(error)
    }
}

impl From<io::Error> for Why {
    /// Unwraps errors of a registry or a file.
    fn from(error: io::Error) -> Self {
        let error = match error.downcast::<registry::Error>() {
            Ok(error) => return Self::Registry(error),
            Err(error) => error,
        };
        match error.downcast::<fs::Error>() {
            Ok(error) => Self::File(error),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::Said("it is missing".into()),
            Err(error) => Self::Said(error.to_string()),
        }
    }
}

fn json(name: &str, bytes: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("`{name}` is not JSON: {error}"))
}
