//! Reads artifacts about an image, which is their subject.

use serde_json::Value;

use super::blob_source::BlobSource;
use super::disk_blobs::DiskBlobs;
use super::read_failure::{ReadFailure, parse_json};
use super::select_entry;
use crate::image::Descriptor;
use crate::layout::disk_location::DiskLocation;
use crate::layout::error::LayoutError;
use crate::registry::{Referrer, RepositoryClient};
use coracle_core::digest::Digest;

/// The maximum size of an artifact's content, in bytes.
const MAX_ARTIFACT_CONTENT: u64 = 64 << 20;

/// Returns the content of the artifact of type `kind` about the first of `subjects` that has such
/// an artifact; `None` if no subject has an artifact. Of several artifacts of a subject, the last
/// one in the index is returned, which is the newest.
///
/// # Errors
/// Fails if there is no layout or archive at `location`, or if a document does not match its
/// digest.
pub fn read_artifact(
    location: &DiskLocation,
    kind: &str,
    subjects: &[Digest],
) -> Result<Option<Vec<u8>>, LayoutError> {
    let bytes = BlobSource::Disk(DiskBlobs::open(location).map_err(LayoutError::File)?);
    read_artifact_content_for_any(&bytes, kind, subjects)
        .map_err(|why| why.into_layout_error(&location.to_string()))
}

/// Does the same as [`read_artifact`] for the referrers at a registry.
///
/// # Errors
/// Fails if a request fails, or if a document does not match its digest.
pub fn read_remote_artifact(
    remote: RepositoryClient,
    kind: &str,
    subjects: &[Digest],
) -> Result<Option<Vec<u8>>, LayoutError> {
    let location = remote.repository().to_string();
    read_artifact_content_for_any(&BlobSource::Registry(remote), kind, subjects)
        .map_err(|why| why.into_layout_error(&location))
}

pub(super) fn read_artifact_content_for_any(
    bytes: &BlobSource,
    kind: &str,
    subjects: &[Digest],
) -> Result<Option<Vec<u8>>, ReadFailure> {
    for subject in subjects {
        if let Some(content) = read_artifact_content_for(bytes, kind, subject)? {
            return Ok(Some(content));
        }
    }
    Ok(None)
}

fn read_artifact_content_for(
    bytes: &BlobSource,
    kind: &str,
    subject: &Digest,
) -> Result<Option<Vec<u8>>, ReadFailure> {
    for Referrer { digest, media_type, .. } in bytes.referrers(subject, Some(kind))?.iter().rev() {
        let manifest = parse_json(&digest.to_string(), &bytes.read_manifest(digest, media_type)?.bytes)?;
        // Registries are not trusted: the artifact could be about another image.
        if manifest.get("subject").map(select_entry::parse_digest).transpose()? == Some(*subject) {
            let layer = only_layer(&manifest, digest)?;
            return bytes.read_small_blob(&layer, MAX_ARTIFACT_CONTENT).map(Some);
        }
    }
    Ok(None)
}

/// Returns the descriptor of the only layer of an artifact.
fn only_layer(manifest: &Value, digest: &Digest) -> Result<Descriptor, String> {
    match manifest.get("layers").and_then(Value::as_array).map(Vec::as_slice) {
        Some([layer]) => Descriptor::parse(layer),
        _ => Err(format!("the artifact `{digest}` does not have exactly one layer")),
    }
}
