//! Reads artifacts about an image: those that have it as their subject.

use serde_json::Value;

use super::blobs::Blobs;
use super::bytes::Bytes;
use super::{Error, Why, json, select};
use coracle_core::digest::Digest;
use crate::image::Descriptor;
use crate::registry::{Referrer, Remote};
use crate::layout::Destination;

/// The maximum size of an artifact's content, in bytes.
const MAX_CONTENT: u64 = 64 << 20;

/// Returns the content of the artifact of type `kind` about the first of `subjects` that has one;
/// `None` if there is none. The last of several in the index is the newest.
///
/// # Errors
/// Fails if there is no layout or archive at `location`, or if a document does not match its
/// digest.
pub fn artifact(location: &Destination, kind: &str, subjects: &[Digest]) -> Result<Option<Vec<u8>>, Error> {
    let bytes = Bytes::Disk(Blobs::open(location).map_err(Error::File)?);
    content(&bytes, kind, subjects).map_err(|why| why.about(&location.to_string()))
}

/// Does the same as [`artifact`] for the referrers at a registry.
///
/// # Errors
/// Fails if a request fails, or if a document does not match its digest.
pub fn remote_artifact(remote: Remote, kind: &str, subjects: &[Digest]) -> Result<Option<Vec<u8>>, Error> {
    let location = remote.repository().to_string();
    content(&Bytes::Registry(remote), kind, subjects).map_err(|why| why.about(&location))
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
        // Registries are not trusted: the artifact could be about another image.
        if manifest.get("subject").map(select::digest).transpose()? == Some(*subject) {
            let layer = layer(&manifest, digest)?;
            return bytes.document(&layer, MAX_CONTENT).map(Some);
        }
    }
    Ok(None)
}

/// Returns the descriptor of the only layer of an artifact.
fn layer(manifest: &Value, digest: &Digest) -> Result<Descriptor, String> {
    match manifest.get("layers").and_then(Value::as_array).map(Vec::as_slice) {
        Some([layer]) => Descriptor::read(layer),
        _ => Err(format!("the artifact `{digest}` does not have exactly one layer")),
    }
}
