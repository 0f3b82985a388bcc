//! Pushes an image: first its blobs, in parallel, then its manifests bottom-up, and its tag last.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{CopyProgress, Error, RegistryImageName};
use crate::image::{Descriptor, ImageGraph, RawManifest};
use crate::registry::{
    Access, BlobContent, BlobUpload, ManifestReference, PushOutcome, RegistryClient, Repository,
    RepositoryClient,
};

/// What a push sent, and what it did not need to send.
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
    /// Whether the tag pointed to this image already, so that nothing was sent.
    pub is_unchanged: bool,
}

/// Pushes the image of `graph` to `to`. `from` returns the repository that a blob comes from; at
/// the same registry it is mounted from there. An image that exists already costs one request.
///
/// # Errors
/// Fails if a blob can't be read or a request fails.
pub fn push_image(
    graph: &ImageGraph,
    open: &(dyn Fn(&Descriptor) -> io::Result<Box<dyn Read>> + Sync),
    to: &RegistryImageName,
    from: &dyn Fn(&Descriptor) -> Option<Repository>,
    client: &RegistryClient,
    observer: &CopyProgress<'_>,
) -> Result<PushSummary, Error> {
    let Some(root) = graph.root() else { return Ok(PushSummary::default()) };
    if let Some(wanted) = to.digest.filter(|wanted| *wanted != root.digest) {
        return Err(Error::DigestMismatch { to: to.to_string(), wanted, found: root.digest });
    }
    let repository = Repository::from(&to.reference);
    let blobs: Vec<&Descriptor> = graph.blobs.values().collect();
    let is_other = |from: &Repository| from.registry() == repository.registry() && *from != repository;
    let mount_sources: Vec<Option<Repository>> =
        blobs.iter().map(|blob| from(blob).filter(is_other)).collect();
    let mounts: BTreeSet<&str> = mount_sources.iter().flatten().map(Repository::name).collect();
    let mounts = mounts.into_iter().map(str::to_owned).collect();
    let remote = client.repository_client(&repository, &Access::Push { mounts });
    let target =
        to.name().map_or(ManifestReference::Digest(root.digest), |name| ManifestReference::Tag(name.tag()));
    if remote.head_manifest(target)?.is_some_and(|head| head.digest == root.digest) {
        // An interrupted copy may have pushed the manifest without adding it to the referrers.
        if let Some(subject) = root.subject_digest()
            && !remote.referrers(&subject)?.iter().any(|listed| listed.digest == root.digest)
        {
            remote.add_referrer(&root.media_type, &root.bytes)?;
        }
        return Ok(PushSummary { is_unchanged: true, ..PushSummary::default() });
    }
    let stop = Arc::new(AtomicBool::new(false));
    let progress = |bytes| {
        if observer(bytes).is_break() {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let opens: Vec<_> = blobs
        .iter()
        .map(|blob| {
            let (stop, progress) = (&stop, &progress);
            move || -> io::Result<Box<dyn Read>> {
                // Small blobs may be sent without another progress call: check for cancellation
                // here.
                progress(0);
                Ok(Box::new(StoppableReader { reader: open(blob)?, stop: stop.clone() }))
            }
        })
        .collect();
    let uploads: Vec<BlobUpload<'_>> = blobs
        .iter()
        .zip(&opens)
        .zip(&mount_sources)
        .map(|((blob, open), from)| BlobUpload {
            digest: blob.digest,
            size: blob.size,
            content: BlobContent::Stream(open),
            mount_from: from.as_ref().map(Repository::name),
            progress: Some(&progress),
        })
        .collect();
    let mut sent = PushSummary::default();
    let pushed = remote.push_blobs(&uploads);
    if stop.load(Ordering::Relaxed) || observer(0).is_break() {
        return Err(Error::Interrupted);
    }
    for (pushed, blob) in pushed?.into_iter().zip(&blobs) {
        match pushed {
            PushOutcome::Present => sent.present += 1,
            PushOutcome::Mounted => sent.mounted += 1,
            PushOutcome::Sent => {
                sent.blobs += 1;
                sent.bytes += blob.size;
            }
        }
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
) -> Result<(), Error> {
    let Some((root, below)) = documents.split_last() else { return Ok(()) };
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
) -> Result<(), Error> {
    let RawManifest { media_type, digest, bytes } = document;
    if document.has_subject() {
        remote.add_referrer(media_type, bytes)?;
    }
    if !document.has_subject() || target != ManifestReference::Digest(*digest) {
        remote.put_manifest(target, media_type, bytes)?;
    }
    Ok(())
}

/// A reader that fails once `stop` is set.
pub(super) struct StoppableReader {
    pub(super) reader: Box<dyn Read>,
    pub(super) stop: Arc<AtomicBool>,
}

impl Read for StoppableReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(io::Error::other("interrupted"));
        }
        self.reader.read(buffer)
    }
}
