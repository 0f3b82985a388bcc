//! What is said of an image beside it: the artifacts of a layout or archive that have it as their subject.

use serde_json::Value;

use super::blobs::Blobs;
use super::{Error, MAX_DOCUMENT, json, select, unreadable};
use crate::digest::Digest;
use crate::store::Destination;

/// More than the templates and the schema of any program.
const MAX_CONTENT: u64 = 64 << 20;

/// The content of the artifact of this kind about the image `subject`, at `place`; nothing where there is none. Of
/// several, the one that stands last in the index is the newest.
///
/// # Errors
/// When there is no layout or archive, or a document is not what its digest says.
pub fn artifact(place: &Destination, kind: &str, subject: &Digest) -> Result<Option<Vec<u8>>, Error> {
    let refused = |why: String| unreadable(place, why);
    let blobs = Blobs::open(place).map_err(Error::File)?;
    let Some(index) = blobs.bytes("index.json", MAX_DOCUMENT).map_err(refused)? else { return Ok(None) };
    let index = json("index.json", &index).map_err(refused)?;
    let entries = index.get("manifests").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let is_meant = |entry: &&Value| entry.get("artifactType").and_then(Value::as_str) == Some(kind);
    for entry in entries.iter().rev().filter(is_meant) {
        if let Some(content) = content(&blobs, entry, subject).map_err(refused)? {
            return Ok(Some(content));
        }
    }
    Ok(None)
}

/// The one layer of an artifact, when it is about `subject`.
fn content(blobs: &Blobs, entry: &Value, subject: &Digest) -> Result<Option<Vec<u8>>, String> {
    let digest = select::digest(entry)?;
    let manifest = json(&digest.to_string(), &blobs.document(&digest, MAX_DOCUMENT)?)?;
    let is_about = manifest.get("subject").map(select::digest).transpose()? == Some(*subject);
    match manifest.get("layers").and_then(Value::as_array).map(Vec::as_slice) {
        Some([layer]) if is_about => blobs.document(&select::digest(layer)?, MAX_CONTENT).map(Some),
        Some(_) if is_about => Err(format!("`{digest}` has not one layer, as an artifact of its kind has")),
        _ => Ok(None),
    }
}
