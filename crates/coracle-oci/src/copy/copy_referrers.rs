//! Copies and pushes the referrers of an image: signatures, SBOMs, contracts.

use std::collections::BTreeSet;

use super::error::CopyError;
use super::image_location::ImageLocation;
use super::open_image::open_source;
use super::push_image::{ImagePush, PushSummary, push_image};
use super::registry_image_name::RegistryImageName;
use crate::image::{Artifact, Blob, Descriptor};
use crate::registry::{Access, BlobContent, BlobUpload, Referrer, RegistryClient};
use coracle_core::digest::Digest;
use coracle_core::progress::Progress;

/// The maximum number of referrers that are copied, including indirect ones.
const MAX_REFERRERS: usize = 1024;

/// Copies the referrers of the image at `from`, of its platform images, and of copied referrers, to
/// the repository of `to`. Returns the copied referrers.
///
/// # Errors
/// Fails if a referrer can't be read or a request fails.
pub fn copy_referrers(
    from: &ImageLocation,
    to: &RegistryImageName,
    client: &RegistryClient,
    progress: &dyn Progress,
) -> Result<Vec<Referrer>, CopyError> {
    let source = open_source(from, client)?;
    let reading = |error| CopyError::from_read_error(from, error);
    let documents = source.read_graph().map_err(reading)?.documents;
    let mut pending: Vec<Digest> = documents.iter().map(|document| document.digest).collect();
    let (mut seen, mut copied) = (BTreeSet::new(), Vec::new());
    let open = |blob: &Descriptor| source.open_blob(blob);
    while let Some(subject) = pending.pop() {
        for referrer in source.referrers(&subject).map_err(reading)? {
            if seen.len() == MAX_REFERRERS || !seen.insert(referrer.digest) {
                continue;
            }
            let graph = source.read_referrer_graph(&referrer).map_err(reading)?;
            let digest = Some(referrer.digest);
            let to = RegistryImageName { digest, is_untagged: true, reference: to.reference.clone() };
            let push =
                ImagePush { graph: &graph, open: &open, to: &to, mount_source: &|_| from.repository() };
            push_image(&push, client, progress)?;
            pending.push(referrer.digest);
            copied.push(referrer);
        }
    }
    Ok(copied)
}

/// Pushes `artifact` to the repository of `to` as a referrer of its subject. The subject need not
/// exist yet, so the artifact can be pushed before the image is tagged.
///
/// # Errors
/// Fails if a request fails.
pub fn push_artifact(
    artifact: &Artifact,
    to: &RegistryImageName,
    client: &RegistryClient,
) -> Result<PushSummary, CopyError> {
    let remote = client.repository_client(&(&to.reference).into(), &Access::push());
    let [config, content, manifest] = artifact.blobs();
    let descriptor = manifest.descriptor();
    let mut sent = PushSummary::default();
    let uploads = [config, content].map(blob_upload);
    for (outcome, upload) in remote.push_blobs(&uploads)?.into_iter().zip(&uploads) {
        sent.count_blob(outcome, upload.size);
    }
    remote.add_referrer(&descriptor.media_type, manifest.bytes())?;
    Ok(sent)
}

fn blob_upload(blob: &Blob) -> BlobUpload<'_> {
    let (descriptor, content) = (blob.descriptor(), BlobContent::Bytes(blob.bytes()));
    BlobUpload { digest: descriptor.digest, size: descriptor.size, content, mount_from: None, progress: &() }
}
