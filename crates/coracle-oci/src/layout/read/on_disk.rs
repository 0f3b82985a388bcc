//! Finds and reads images on disk by their location.

use serde_json::Value;

use super::disk_blobs::DiskBlobs;
use super::image_source::ImageSource;
use super::parsed_image::ParsedImage;
use super::select_entry;
use crate::image::MAX_DOCUMENT_SIZE;
use crate::layout::disk_location::{DiskLocation, ParseDiskLocationError};
use crate::layout::error::LayoutError;
use crate::layout::index_json::{is_image_entry, names_with_tag};
use coracle_core::hint::Hint as _;
use coracle_core::reference::ImageReference;

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
            hint: error.hint(),
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
pub(in crate::layout) fn index_entries(location: &DiskLocation) -> Option<Vec<Value>> {
    let index = DiskBlobs::open(location).ok()?.read_file("index.json", MAX_DOCUMENT_SIZE).ok()??;
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
    let tag = names_with_tag(names, location.tag.as_deref())?.into_iter().next().and_then(|name| name.tag);
    let is_wanted = |entry: &Value| is_image_entry(entry) && select_entry::entry_tag(entry) == tag.as_deref();
    let Some(entry) = index_entries(location).into_iter().flatten().rfind(is_wanted) else { return Ok(None) };
    let location = DiskLocation { tag, ..location.clone() };
    ImageSource::from_index_entry(&location, &entry).map(Some)
}
