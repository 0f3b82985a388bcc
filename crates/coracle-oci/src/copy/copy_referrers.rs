//! Copies and pushes the referrers of an image: signatures, SBOMs, contracts.

use std::collections::BTreeSet;

use super::error::CopyError;
use super::image_location::ImageLocation;
use super::push_image::{ImagePush, PushSummary, push_image};
use super::registry_image_name::RegistryImageName;
use crate::image::{Artifact, Blob, Descriptor, ImageGraph, RawManifest};
use crate::layout::{self, ImageSource, LayoutWarning};
use crate::registry::{Access, BlobContent, BlobUpload, MAX_REFERRERS, Referrer, RegistryClient};
use coracle_core::digest::Digest;
use coracle_core::fs::Durability;
use coracle_core::progress::Progress;

/// The maximum size of the manifests of all referrers that are copied, in bytes. A typical one has a
/// thousand.
const MAX_MANIFEST_BYTES: usize = 64 << 20;

/// The referrers of an image, of its platform images, and of these referrers.
#[derive(Default)]
pub(super) struct CollectedReferrers {
    pub(super) descriptors: Vec<Referrer>,
    /// The manifests and blobs of each referrer.
    pub(super) graphs: Vec<ImageGraph>,
}

impl CollectedReferrers {
    /// Lists the referrers of the image of `graph`, and reads their manifests. Each comes after its
    /// subject.
    ///
    /// # Errors
    /// Fails if a referrer can't be read, or there are too many.
    pub(super) fn read(
        source: &ImageSource,
        graph: &ImageGraph,
        from: &ImageLocation,
    ) -> Result<Self, CopyError> {
        let reading = |error| CopyError::from_read_error(from, error);
        let mut pending: Vec<Digest> = graph.documents.iter().map(|document| document.digest).collect();
        let (mut seen, mut bytes, mut found) = (BTreeSet::new(), 0, Self::default());
        while let Some(subject) = pending.pop() {
            for referrer in source.referrers(&subject).map_err(reading)? {
                if !seen.insert(referrer.digest) {
                    continue;
                }
                let graph = source.read_referrer_graph(&referrer).map_err(reading)?;
                bytes += graph.documents.iter().map(|document| document.bytes.len()).sum::<usize>();
                if seen.len() > MAX_REFERRERS || bytes > MAX_MANIFEST_BYTES {
                    return Err(CopyError::TooManyReferrers { from: from.clone() });
                }
                pending.push(referrer.digest);
                found.descriptors.push(referrer);
                found.graphs.push(graph);
            }
        }
        Ok(found)
    }
}

/// Pushes referrers to the repository of `to`. Their subjects need not exist yet, so they can be pushed
/// before the image is tagged.
pub(super) fn push_referrers(
    referrers: &CollectedReferrers,
    source: &ImageSource,
    from: &ImageLocation,
    to: &RegistryImageName,
    client: &RegistryClient,
    progress: &dyn Progress,
) -> Result<(), CopyError> {
    let open = |blob: &Descriptor| source.open_blob(blob);
    for (referrer, graph) in referrers.descriptors.iter().zip(&referrers.graphs) {
        let digest = Some(referrer.digest);
        let to = RegistryImageName { digest, is_untagged: true, reference: to.reference.clone() };
        let push = ImagePush { graph, open: &open, to: &to, mount_source: &|_| from.repository() };
        push_image(&push, client, progress)?;
    }
    Ok(())
}

/// Pushes `artifact` to the repository of `to`, as [`push_artifacts`] does.
///
/// # Errors
/// Fails if a request fails.
pub fn push_artifact(
    artifact: &Artifact,
    to: &RegistryImageName,
    client: &RegistryClient,
) -> Result<PushSummary, CopyError> {
    push_artifacts(std::slice::from_ref(artifact), to, client)
}

/// Pushes `artifacts` to the repository of `to` as referrers of their subjects. The subjects need not
/// exist yet, so the artifacts can be pushed before the image is tagged.
///
/// # Errors
/// Fails if a request fails.
pub fn push_artifacts(
    artifacts: &[Artifact],
    to: &RegistryImageName,
    client: &RegistryClient,
) -> Result<PushSummary, CopyError> {
    let remote = client.repository_client(&(&to.reference).into(), &Access::push());
    let mut seen = BTreeSet::new();
    let uploads: Vec<BlobUpload<'_>> = artifacts
        .iter()
        .flat_map(Artifact::content_blobs)
        .filter(|blob| seen.insert(blob.descriptor().digest))
        .map(blob_upload)
        .collect();
    let mut sent = PushSummary::default();
    for (outcome, upload) in remote.push_blobs(&uploads)?.into_iter().zip(&uploads) {
        sent.count_blob(outcome, upload.size);
    }
    let manifests: Vec<RawManifest> =
        artifacts.iter().map(|artifact| RawManifest::from(artifact.manifest())).collect();
    remote.add_referrers(&manifests)?;
    Ok(sent)
}

/// Adds `artifacts` to the referrers of their subjects at `to`: pushes them to its repository, or writes
/// them to its layout.
///
/// # Errors
/// Fails if a request fails, a file cannot be written, or `to` is an archive or an engine.
pub fn attach_artifacts(
    artifacts: &[Artifact],
    to: &ImageLocation,
    client: &RegistryClient,
    durability: Durability,
) -> Result<Vec<LayoutWarning>, CopyError> {
    match to {
        ImageLocation::Registry(name) => {
            push_artifacts(artifacts, name, client)?;
            Ok(Vec::new())
        }
        ImageLocation::OnDisk(location) => Ok(layout::add_artifacts(artifacts, location, durability)?),
        ImageLocation::Engine(_) => Err(CopyError::ReferrersInEngine(to.clone())),
    }
}

fn blob_upload(blob: &Blob) -> BlobUpload<'_> {
    let (descriptor, content) = (blob.descriptor(), BlobContent::Bytes(blob.bytes()));
    BlobUpload { digest: descriptor.digest, size: descriptor.size, content, mount_from: None, progress: &() }
}
