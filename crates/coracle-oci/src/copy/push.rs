//! Pushes an image: first its blobs, in parallel, then its manifests bottom-up, and its tag last.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Error, Named, Observer};
use crate::image::{Descriptor, Document, Graph};
use crate::registry::{Access, Client, Content, Pushed, Remote, Repository, Target, Upload};

/// What a push sent, and what it did not need to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sent {
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
pub fn push(
    graph: &Graph,
    open: &(dyn Fn(&Descriptor) -> io::Result<Box<dyn Read>> + Sync),
    to: &Named,
    from: &dyn Fn(&Descriptor) -> Option<Repository>,
    client: &Client,
    observer: &Observer<'_>,
) -> Result<Sent, Error> {
    let Some(root) = graph.root() else { return Ok(Sent::default()) };
    if let Some(wanted) = to.digest.filter(|wanted| *wanted != root.digest) {
        return Err(Error::OtherDigest { to: to.to_string(), wanted, found: root.digest });
    }
    let repository = Repository::from(&to.reference);
    let blobs: Vec<&Descriptor> = graph.blobs.values().collect();
    let is_other = |from: &Repository| from.registry() == repository.registry() && *from != repository;
    let mount_sources: Vec<Option<Repository>> =
        blobs.iter().map(|blob| from(blob).filter(is_other)).collect();
    let mounts: BTreeSet<&str> = mount_sources.iter().flatten().map(Repository::name).collect();
    let mounts = mounts.into_iter().map(str::to_owned).collect();
    let remote = client.open(&repository, &Access::Push { mounts });
    let target = to.name().map_or(Target::Digest(root.digest), |name| Target::Tag(name.tag()));
    if remote.head(target)?.is_some_and(|head| head.digest == root.digest) {
        // An interrupted copy may have pushed the manifest without adding it to the referrers.
        if let Some(subject) = root.subject()
            && !remote.referrers(&subject)?.iter().any(|listed| listed.digest == root.digest)
        {
            remote.add_referrer(&root.media_type, &root.bytes)?;
        }
        return Ok(Sent { is_unchanged: true, ..Sent::default() });
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
                Ok(Box::new(Stoppable { reader: open(blob)?, stop: stop.clone() }))
            }
        })
        .collect();
    let uploads: Vec<Upload<'_>> = blobs
        .iter()
        .zip(&opens)
        .zip(&mount_sources)
        .map(|((blob, open), from)| Upload {
            digest: blob.digest,
            size: blob.size,
            content: Content::Stream(open),
            from: from.as_ref().map(Repository::name),
            progress: Some(&progress),
        })
        .collect();
    let mut sent = Sent::default();
    let pushed = remote.push_blobs(&uploads);
    if stop.load(Ordering::Relaxed) || observer(0).is_break() {
        return Err(Error::Interrupted);
    }
    for (pushed, blob) in pushed?.into_iter().zip(&blobs) {
        match pushed {
            Pushed::Present => sent.present += 1,
            Pushed::Mounted => sent.mounted += 1,
            Pushed::Sent => {
                sent.blobs += 1;
                sent.bytes += blob.size;
            }
        }
    }
    put(&remote, &graph.documents, target)?;
    Ok(sent)
}

/// Pushes manifests in order, children first. The last one is pushed to `target`. Their blobs must
/// have been pushed before.
pub(super) fn put(remote: &Remote, documents: &[Document], target: Target<'_>) -> Result<(), Error> {
    let Some((root, below)) = documents.split_last() else { return Ok(()) };
    for document in below {
        put_one(remote, Target::Digest(document.digest), document)?;
    }
    put_one(remote, target, root)
}

/// Pushes a manifest. If it has a subject, it is added to the referrers of the subject.
fn put_one(remote: &Remote, target: Target<'_>, document: &Document) -> Result<(), Error> {
    let Document { media_type, digest, bytes } = document;
    if document.has_subject() {
        remote.add_referrer(media_type, bytes)?;
    }
    if !document.has_subject() || target != Target::Digest(*digest) {
        remote.put_manifest(target, media_type, bytes)?;
    }
    Ok(())
}

/// A reader that fails once `stop` is set.
pub(super) struct Stoppable {
    pub(super) reader: Box<dyn Read>,
    pub(super) stop: Arc<AtomicBool>,
}

impl Read for Stoppable {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(io::Error::other("interrupted"));
        }
        self.reader.read(buffer)
    }
}
