//! What is said of an image beside it: the artifacts that have it as their subject.

use serde_json::Value;

use super::blobs::Blobs;
use super::bytes::Bytes;
use super::{Error, Why, json, select};
use coracle_core::digest::Digest;
use crate::image::Descriptor;
use crate::registry::{Referrer, Remote};
use crate::layout::Destination;

/// More than the templates and the schema of any program.
const MAX_CONTENT: u64 = 64 << 20;

/// The content of the artifact of this kind about the first of `subjects` that has one, at `place`; nothing where there is
/// none. Of several about one, that which stands last in the index is the newest.
///
/// # Errors
/// When there is no layout or archive, or a document is not what its digest says.
pub fn artifact(place: &Destination, kind: &str, subjects: &[Digest]) -> Result<Option<Vec<u8>>, Error> {
    let bytes = Bytes::Disk(Blobs::open(place).map_err(Error::File)?);
    content(&bytes, kind, subjects).map_err(|why| why.about(&place.to_string()))
}

/// The same among the referrers at a registry.
///
/// # Errors
/// When the registry can't be asked, or a document is not what its digest says.
pub fn remote_artifact(remote: Remote, kind: &str, subjects: &[Digest]) -> Result<Option<Vec<u8>>, Error> {
    let place = remote.repository().to_string();
    content(&Bytes::Registry(remote), kind, subjects).map_err(|why| why.about(&place))
}

pub(super) fn content(bytes: &Bytes, kind: &str, subjects: &[Digest]) -> Result<Option<Vec<u8>>, Why> {
    for subject in subjects {
        if let Some(content) = content_about(bytes, kind, subject)? {
            return Ok(Some(content));
        }
    }
    Ok(None)
}

fn content_about(bytes: &Bytes, kind: &str, subject: &Digest) -> Result<Option<Vec<u8>>, Why> {
    for Referrer { digest, media_type, .. } in bytes.referrers(subject, Some(kind))?.iter().rev() {
        let manifest = json(&digest.to_string(), &bytes.manifest(digest, media_type)?.bytes)?;
        // A registry's word is not enough: what it says of another image would be taken for this one's.
        if manifest.get("subject").map(select::digest).transpose()? == Some(*subject) {
            let layer = layer(&manifest, digest)?;
            return bytes.document(&layer, MAX_CONTENT).map(Some);
        }
    }
    Ok(None)
}

/// The one layer of an artifact.
fn layer(manifest: &Value, digest: &Digest) -> Result<Descriptor, String> {
    match manifest.get("layers").and_then(Value::as_array).map(Vec::as_slice) {
        Some([layer]) => Descriptor::read(layer),
        _ => Err(format!("`{digest}` has not one layer, as an artifact of its kind has")),
    }
}
