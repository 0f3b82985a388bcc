//! Reads existing images from any tool: an [`Origin`] is an image in a layout, in an archive or at
//! a registry, and gives access to its manifests and blobs; a [`Stored`] also has configs, labels
//! and the paths in layers.
//!
//! Every document is limited in size and verified by its digest. An archive is not unpacked.
//! Source: image-spec, `image-layout.md`, `image-index.md`, `manifest.md`; Moby,
//! `image/spec/v1.2.md` for archives that only have a `manifest.json`.

mod artifact;
mod blob_source;
mod disk_blobs;
mod image_files;
mod image_source;
mod open_layer;
mod parsed_image;
mod select_entry;
mod tar_headers;

use std::io;

use serde_json::Value;

use super::{DiskFormat, DiskLocation, LayoutError, ParseDiskLocationError, image_names};
use crate::image::GraphError;
use crate::registry;
use coracle_core::fs;
use coracle_core::reference::ImageReference;
use disk_blobs::DiskBlobs;

pub use artifact::{read_artifact, read_remote_artifact};
pub use image_files::{FileEntry, FileExtent, FileNode, ImageFiles};
pub use image_source::ImageSource;
pub use parsed_image::{ParsedImage, ParsedLayer, ParsedPlatform};

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
pub fn parse_location(text: &str) -> Result<DiskLocation, LayoutError> {
    let refused = |why: &str, hint: String| LayoutError::UnreadableImage {
        image: text.to_owned(),
        why: why.to_owned(),
        hint: Some(hint),
    };
    let forms = "write `docker://NAME[:TAG]`, `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]` or `docker-archive:FILE[:TAG]`";
    text.parse().map_err(|error| match error {
        ParseDiskLocationError::NoTransport(path) if std::path::Path::new(&path).is_dir() => {
            refused("it has no transport such as `oci:`", format!("write `oci:{path}` for an image layout"))
        }
        ParseDiskLocationError::NoTransport(path) if std::path::Path::new(&path).is_file() => refused(
            "it has no transport such as `oci:`",
            format!("write `oci-archive:{path}` for an archive"),
        ),
        ParseDiskLocationError::NoTransport(_) => refused("it has no transport such as `oci:`", forms.into()),
        ParseDiskLocationError::UnknownTransport { .. } => {
            refused("images cannot be read with this transport", forms.into())
        }
        error => LayoutError::UnreadableImage {
            image: text.to_owned(),
            why: error.to_string(),
            hint: Some(error.hint()),
        },
    })
}

/// Reads the documents of the image at `location`, not its layers.
///
/// # Errors
/// Fails if there is no image, if there are several and `location` has no tag, or if a document
/// does not match its digest.
pub fn read_image(location: &DiskLocation) -> Result<ParsedImage, LayoutError> {
    ImageSource::find_on_disk(location)?.parse()
}

/// Returns the entries of `index.json` at `location`; `None` if it does not exist or cannot be
/// read.
pub(super) fn index_entries(location: &DiskLocation) -> Option<Vec<Value>> {
    let index = DiskBlobs::open(location).ok()?.read_file("index.json", MAX_DOCUMENT).ok()??;
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
pub fn find_replaced_image(
    location: &DiskLocation,
    names: &[ImageReference],
) -> Result<Option<ImageSource>, LayoutError> {
    let tag = image_names::names_at_location(location, names)?.into_iter().next().and_then(|name| name.tag);
    let is_meant = |entry: &Value| {
        select_entry::is_image_entry(entry) && select_entry::entry_tag(entry) == tag.as_deref()
    };
    let Some(entry) = index_entries(location).into_iter().flatten().rfind(is_meant) else { return Ok(None) };
    let location = DiskLocation { tag, ..location.clone() };
    ImageSource::from_index_entry(&location, &entry).map(Some)
}

fn describe_missing_image(location: &DiskLocation) -> String {
    match location.format {
        DiskFormat::Layout => "it has no `index.json`, so it is not an image layout".into(),
        _ => "it has neither `index.json` nor `manifest.json`, so it is not an image archive".into(),
    }
}

fn unreadable_image(location: &str, why: String) -> LayoutError {
    LayoutError::UnreadableImage { image: location.to_owned(), why, hint: None }
}

/// Why a part of an image cannot be read.
#[derive(Debug)]
enum ReadFailure {
    Message(String),
    File(fs::Error),
    Registry(registry::Error),
}

impl ReadFailure {
    /// Converts to an error about the image at `location`.
    fn into_layout_error(self, location: &str) -> LayoutError {
        match self {
            Self::Message(why) => unreadable_image(location, why),
            Self::File(error) => LayoutError::File(error),
            Self::Registry(error) => LayoutError::Registry(error),
        }
    }

    /// Converts to an I/O error.
    fn into_io(self) -> io::Error {
        match self {
            Self::Message(why) => io::Error::other(why),
            Self::File(error) => io::Error::other(error),
            Self::Registry(error) => io::Error::other(error),
        }
    }

    /// Adds the name of the affected part of the image.
    fn in_part(self, part: &str) -> Self {
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

impl From<registry::Error> for ReadFailure {
    fn from(error: registry::Error) -> Self {
        Self::Registry(error)
    }
}

impl From<io::Error> for ReadFailure {
    /// Unwraps errors of a registry or a file.
    fn from(error: io::Error) -> Self {
        let error = match error.downcast::<registry::Error>() {
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

fn parse_json(name: &str, bytes: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("`{name}` is not JSON: {error}"))
}
