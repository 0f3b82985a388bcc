//! Images that are there already, whoever wrote them and wherever they are: an [`Origin`] is found in a layout, in an
//! archive or at a registry, and leads to its manifests and blobs; a [`Stored`] has configs, labels, and the paths in
//! layers.
//!
//! Every document is bounded in size and held to its digest; an archive is read without being unpacked. Source:
//! image-spec, `image-layout.md`, `image-index.md`, `manifest.md`; Moby, `image/spec/v1.2.md` for archives that only
//! have a `manifest.json`.

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

/// More than any registry takes for a manifest (4 MiB); configs are smaller still.
const MAX_DOCUMENT: u64 = 16 << 20;
/// Images of an index; there are some twenty platforms.
const MAX_IMAGES: usize = 256;
/// Layers of an image; overlayfs takes 128.
const MAX_LAYERS: usize = 1024;

/// Reads where an image is: `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]` or `docker-archive:FILE[:TAG]`.
///
/// # Errors
/// When `text` says none of them.
pub fn place(text: &str) -> Result<Destination, Error> {
    let refused = |why: &str, hint: String| Error::Unreadable {
        image: text.to_owned(),
        why: why.to_owned(),
        hint: Some(hint),
    };
    let forms = "write `docker://NAME[:TAG]`, `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]` or `docker-archive:FILE[:TAG]`";
    text.parse().map_err(|error| match error {
        ParseDestinationError::NoTransport(path) if std::path::Path::new(&path).is_dir() => {
            refused("it does not say what is there", format!("write `oci:{path}` for an image layout"))
        }
        ParseDestinationError::NoTransport(path) if std::path::Path::new(&path).is_file() => {
            refused("it does not say what is there", format!("write `oci-archive:{path}` for an archive"))
        }
        ParseDestinationError::NoTransport(_) => refused("it does not say where it is", forms.into()),
        ParseDestinationError::Transport { .. } => refused("images can't be read from there", forms.into()),
        error => {
            Error::Unreadable { image: text.to_owned(), why: error.to_string(), hint: Some(error.hint()) }
        }
    })
}

/// Reads the image at `place`: its documents, not its layers.
///
/// # Errors
/// When there is none, there are several and no tag says which, or a document is not what its digest says.
pub fn open(place: &Destination) -> Result<Stored, Error> {
    Origin::on_disk(place)?.read()
}

/// The entries of the index at `place`; nothing where there is none, or it can't be read.
pub(super) fn entries(place: &Destination) -> Option<Vec<Value>> {
    let index = Blobs::open(place).ok()?.bytes("index.json", MAX_DOCUMENT).ok()??;
    match serde_json::from_slice::<Value>(&index).ok()?.get_mut("manifests")?.take() {
        Value::Array(entries) => Some(entries),
        _ => None,
    }
}

/// Finds the image that one called `names` replaces at `place`; nothing where there is none yet, or no manifest of it.
///
/// # Errors
/// When what is there can't be read.
pub fn replaced(place: &Destination, names: &[Reference]) -> Result<Option<Origin>, Error> {
    let tag = names::at(place, names)?.into_iter().next().and_then(|name| name.tag);
    let is_meant = |entry: &Value| select::is_image(entry) && select::tag(entry) == tag.as_deref();
    let Some(entry) = entries(place).into_iter().flatten().rfind(is_meant) else { return Ok(None) };
    let place = Destination { tag, ..place.clone() };
    Origin::in_index(&place, &entry).map(Some)
}

fn nothing_there(place: &Destination) -> String {
    match place.kind {
        Kind::Layout => "there is no `index.json`, so it is no image layout".into(),
        _ => "it has neither `index.json` nor `manifest.json`, so it is no archive of an image".into(),
    }
}

fn unreadable(place: &str, why: String) -> Error {
    Error::Unreadable { image: place.to_owned(), why, hint: None }
}

/// Why something of an image can't be had.
#[derive(Debug)]
enum Why {
    Said(String),
    File(fs::Error),
    Registry(registry::Error),
}

impl Why {
    /// As an error about the image at `place`.
    fn about(self, place: &str) -> Error {
        match self {
            Self::Said(why) => unreadable(place, why),
            Self::File(error) => Error::File(error),
            Self::Registry(error) => Error::Registry(error),
        }
    }

    /// As an error of reading.
    fn into_io(self) -> io::Error {
        match self {
            Self::Said(why) => io::Error::other(why),
            Self::File(error) => io::Error::other(error),
            Self::Registry(error) => io::Error::other(error),
        }
    }

    /// The same, about a part of the image.
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
    /// What a registry or a file is to blame for stays that.
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
    serde_json::from_slice(bytes).map_err(|error| format!("`{name}` is no JSON: {error}"))
}
