//! Pushes an image: first its blobs, in parallel, then its manifests bottom-up, and its tag last.

use std::collections::BTreeSet;
use std::io::{self, Read};

use super::error::CopyError;
use super::registry_image_name::RegistryImageName;
use crate::image::{Descriptor, ImageGraph, RawManifest};
use crate::registry::{
    Access, BlobContent, BlobUpload, ManifestReference, PushOutcome, RegistryClient, Repository,
    RepositoryClient,
};
use coracle_core::progress::Progress;

/// The numbers of blobs that a push sent, and that it did not need to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PushSummary {
    /// The number of blobs sent.
    pub blobs: usize,
    /// The size of the blobs sent, in bytes.
    pub bytes: u64,
    /// The number of blobs that existed.
    pub present: usize,
    /// The number of blobs mounted from another repository.
    pub mounted: usize,
    /// `true` if the tag pointed to this image already, so that nothing was sent.
    pub is_unchanged: bool,
}

impl PushSummary {
    /// Counts a pushed blob of `size` bytes.
    pub(super) fn count_blob(&mut self, outcome: PushOutcome, size: u64) {
        match outcome {
            PushOutcome::Present => self.present += 1,
            PushOutcome::Mounted => self.mounted += 1,
            PushOutcome::Sent => {
                self.blobs += 1;
                self.bytes += size;
            }
        }
    }
}

/// An image to push.
#[derive(Clone, Copy)]
pub struct ImagePush<'a> {
    /// The manifests and blobs of the image.
    pub graph: &'a ImageGraph,
    /// Opens a blob.
    pub open: &'a (dyn Fn(&Descriptor) -> io::Result<Box<dyn Read>> + Sync),
    /// The name to push to.
    pub to: &'a RegistryImageName,
    /// Returns the repository that a blob comes from. At the same registry the blob is mounted from
    /// there.
    pub mount_source: &'a dyn Fn(&Descriptor) -> Option<Repository>,
}

/// Pushes an image. An image that exists already costs one request.
///
/// # Errors
/// Fails if a blob can't be read or a request fails.
pub fn push_image(
    push: &ImagePush<'_>,
    client: &RegistryClient,
    progress: &dyn Progress,
) -> Result<PushSummary, CopyError> {
    let ImagePush { graph, open, to, mount_source } = *push;
    let root = graph.root().ok_or(CopyError::Internal("an image to push has no manifest"))?;
    if let Some(wanted) = to.digest.filter(|wanted| *wanted != root.digest) {
        return Err(CopyError::DigestMismatch { to: to.to_string(), wanted, found: root.digest });
    }
    let repository = Repository::from(&to.reference);
    let blobs: Vec<&Descriptor> = graph.blobs.values().collect();
    let is_other = |from: &Repository| from.registry() == repository.registry() && *from != repository;
    let mount_sources: Vec<Option<Repository>> =
        blobs.iter().map(|blob| mount_source(blob).filter(is_other)).collect();
    let mounts: BTreeSet<&str> = mount_sources.iter().flatten().map(Repository::name).collect();
    let mounts = mounts.into_iter().map(str::to_owned).collect();
    let remote = client.repository_client(&repository, &Access::Push { mounts });
    let target =
        to.name().map_or(ManifestReference::Digest(root.digest), |name| ManifestReference::Tag(name.tag()));
    if remote.head_existing_manifest(target)?.is_some_and(|head| head.digest == root.digest) {
        // An interrupted copy may have pushed the manifest without adding it to the referrers.
        if let Some(subject) = root.subject_digest()
            && !remote.referrers(&subject)?.iter().any(|listed| listed.digest == root.digest)
        {
            remote.add_referrer(&root.media_type, &root.bytes)?;
        }
        return Ok(PushSummary { is_unchanged: true, ..PushSummary::default() });
    }
    let openers: Vec<_> = blobs.iter().map(|blob| move || open(blob)).collect();
    let uploads: Vec<BlobUpload<'_>> = blobs
        .iter()
        .zip(&openers)
        .zip(&mount_sources)
        .map(|((blob, open), from)| BlobUpload {
            digest: blob.digest,
            size: blob.size,
            content: BlobContent::Stream(open),
            mount_from: from.as_ref().map(Repository::name),
            progress,
        })
        .collect();
    let mut sent = PushSummary::default();
    let pushed = remote.push_blobs(&uploads);
    if progress.is_cancelled() {
        return Err(CopyError::Cancelled);
    }
    for (outcome, blob) in pushed?.into_iter().zip(&blobs) {
        sent.count_blob(outcome, blob.size);
    }
    push_documents(&remote, &graph.documents, target)?;
    Ok(sent)
}

/// Pushes manifests in order, children first. The last one is pushed to `target`. Their blobs must
/// have been pushed before.
pub(super) fn push_documents(
    remote: &RepositoryClient,
    documents: &[RawManifest],
    target: ManifestReference<'_>,
) -> Result<(), CopyError> {
    let (root, below) =
        documents.split_last().ok_or(CopyError::Internal("an image to push has no manifest"))?;
    for document in below {
        push_document(remote, ManifestReference::Digest(document.digest), document)?;
    }
    push_document(remote, target, root)
}

/// Pushes a manifest. If it has a subject, it is added to the referrers of the subject.
fn push_document(
    remote: &RepositoryClient,
    target: ManifestReference<'_>,
    document: &RawManifest,
) -> Result<(), CopyError> {
    let RawManifest { media_type, digest, bytes } = document;
    if document.has_subject() {
        remote.add_referrer(media_type, bytes)?;
    }
    if !document.has_subject() || target != ManifestReference::Digest(*digest) {
        remote.put_manifest(target, media_type, bytes)?;
    }
    Ok(())
}
