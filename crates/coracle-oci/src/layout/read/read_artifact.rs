//! Reads artifacts about an image, which is their subject.

use serde_json::Value;

use super::blob_source::BlobSource;
use super::disk_blobs::DiskBlobs;
use super::image_source::ImageSource;
use super::read_failure::ReadFailure;
use crate::image::{Artifact, Descriptor, media_type};
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
    for referrer in bytes.referrers(subject)?.iter().rev().filter(|referrer| may_be(referrer, kind)) {
        let Some(manifest) = bytes.read_referrer(referrer, subject)? else { continue };
        if artifact_type(&manifest) == Some(kind) {
            let layer = only_layer(&manifest, &referrer.digest)?;
            return bytes.read_small_blob(&layer, MAX_ARTIFACT_CONTENT).map(Some);
        }
    }
    Ok(None)
}

impl ImageSource {
    /// Reads each artifact of type `kind` about `subject` that has a single layer, the newest last. `read`
    /// gets the digest of its manifest and the content of the layer, or why it cannot be read.
    ///
    /// # Errors
    /// Fails if the artifacts cannot be listed.
    pub fn read_artifacts(
        &self,
        kind: &str,
        subject: &Digest,
        read: &mut dyn FnMut(Digest, Result<Vec<u8>, LayoutError>),
    ) -> Result<(), LayoutError> {
        for referrer in self.referrers(subject)?.into_iter().filter(|referrer| may_be(referrer, kind)) {
            match self.read_artifact_content(&referrer, kind, subject) {
                Ok(None) => {}
                Ok(Some(content)) => read(referrer.digest, Ok(content)),
                Err(why) => read(referrer.digest, Err(why.into_layout_error(&self.location))),
            }
        }
        Ok(())
    }

    /// Reads the content of `referrer`. `None` if it is not an artifact of type `kind` about `subject`.
    ///
    /// # Errors
    /// Fails if it cannot be read, or does not have a single layer.
    pub fn read_artifact(
        &self,
        referrer: &Referrer,
        kind: &str,
        subject: &Digest,
    ) -> Result<Option<Vec<u8>>, LayoutError> {
        if !may_be(referrer, kind) {
            return Ok(None);
        }
        self.read_artifact_content(referrer, kind, subject)
            .map_err(|why| why.into_layout_error(&self.location))
    }

    fn read_artifact_content(
        &self,
        referrer: &Referrer,
        kind: &str,
        subject: &Digest,
    ) -> Result<Option<Vec<u8>>, ReadFailure> {
        let manifest = self.bytes.read_referrer(referrer, subject)?;
        let Some(manifest) = manifest.filter(|manifest| artifact_type(manifest) == Some(kind)) else {
            return Ok(None);
        };
        let layer = only_layer(&manifest, &referrer.digest)?;
        self.bytes.read_small_blob(&layer, MAX_ARTIFACT_CONTENT).map(Some)
    }
}

/// Reads the only artifact about `subject` in the archive or layout at `location`, with its blobs.
///
/// # Errors
/// Fails if there is none or more than one, or if a blob is missing or does not match its digest.
pub fn read_only_artifact(location: &DiskLocation, subject: &Digest) -> Result<Artifact, LayoutError> {
    let refused = |why: ReadFailure| why.into_layout_error(&location.to_string());
    let bytes = BlobSource::Disk(DiskBlobs::open(location).map_err(LayoutError::File)?);
    let found = bytes.referrers(subject).map_err(refused)?;
    let [referrer] = found.as_slice() else {
        let why = format!("it has {} artifacts about `{subject}` instead of one", found.len());
        return Err(refused(why.into()));
    };
    let manifest = bytes.read_manifest(&referrer.digest, &referrer.media_type).map_err(refused)?;
    Artifact::from_parts(manifest.bytes, |named| {
        let read = bytes.read_small_blob(named, MAX_ARTIFACT_CONTENT);
        read.map_err(|why| why.into_layout_error(&location.to_string()).to_string())
    })
    .map_err(|error| refused(error.to_string().into()))
}

/// Returns whether a referrer may have the artifact type `kind`. Some registries list the media type of
/// the config of every artifact instead of its type.
fn may_be(referrer: &Referrer, kind: &str) -> bool {
    referrer.artifact_type.as_deref().is_none_or(|found| found == kind || found == media_type::EMPTY)
}

/// Returns the artifact type of a manifest, or else the media type of its config.
fn artifact_type(manifest: &Value) -> Option<&str> {
    let own = manifest.get("artifactType").and_then(Value::as_str);
    own.or_else(|| manifest.pointer("/config/mediaType")?.as_str())
}

/// Returns the descriptor of the only layer of an artifact.
fn only_layer(manifest: &Value, digest: &Digest) -> Result<Descriptor, String> {
    match manifest.get("layers").and_then(Value::as_array).map(Vec::as_slice) {
        Some([layer]) => Descriptor::parse(layer),
        _ => Err(format!("the artifact `{digest}` does not have exactly one layer")),
    }
}
