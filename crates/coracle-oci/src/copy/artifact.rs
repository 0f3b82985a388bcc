//! Pushes an artifact as a referrer of an image.

use super::{Error, PushSummary, RegistryImageName};
use crate::image::{Artifact, Blob};
use crate::registry::{Access, BlobContent, BlobUpload, ManifestReference, PushOutcome, RegistryClient};
use coracle_core::digest::Digest;

/// Pushes `artifact` to the repository of `to` as a referrer of its subject. The subject need not
/// exist yet, so the artifact can be pushed before the image is tagged.
///
/// # Errors
/// Fails if a request fails.
pub fn push_artifact(
    artifact: &Artifact,
    to: &RegistryImageName,
    client: &RegistryClient,
) -> Result<PushSummary, Error> {
    let remote = client.repository_client(&(&to.reference).into(), &Access::push());
    let [config, content, manifest] = artifact.blobs();
    let descriptor = manifest.descriptor();
    let mut sent = PushSummary::default();
    let uploads = [config, content].map(blob_upload);
    for (pushed, upload) in remote.push_blobs(&uploads)?.into_iter().zip(&uploads) {
        match pushed {
            PushOutcome::Present => sent.present += 1,
            PushOutcome::Mounted => sent.mounted += 1,
            PushOutcome::Sent => {
                sent.blobs += 1;
                sent.bytes += upload.size;
            }
        }
    }
    remote.add_referrer(&descriptor.media_type, manifest.bytes())?;
    Ok(sent)
}

/// Whether the repository of `to` has the manifest `digest`; one request.
///
/// # Errors
/// Fails if the request fails.
pub fn has_manifest(to: &RegistryImageName, digest: Digest, client: &RegistryClient) -> Result<bool, Error> {
    let remote = client.repository_client(&(&to.reference).into(), &Access::Pull);
    Ok(remote.head_manifest(ManifestReference::Digest(digest))?.is_some())
}

fn blob_upload(blob: &Blob) -> BlobUpload<'_> {
    let (descriptor, content) = (blob.descriptor(), BlobContent::Bytes(blob.bytes()));
    BlobUpload { digest: descriptor.digest, size: descriptor.size, content, mount_from: None, progress: None }
}
