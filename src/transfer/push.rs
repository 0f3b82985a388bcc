//! An image to a registry: its blobs, several at once, then its documents from the bottom up, its name last.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Error, Named, Observer};
use crate::image::{Descriptor, Document, Graph};
use crate::reference::Reference;
use crate::registry::{Access, Client, Content, Pushed, Remote, Repository, Target, Upload};

/// What went to the registry, and what did not have to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sent {
    /// Blobs that were sent.
    pub blobs: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs that were there.
    pub present: usize,
    /// Blobs that the registry had in the repository where they come from.
    pub mounted: usize,
    /// The name stood for this image already, and nothing was sent at all.
    pub is_unchanged: bool,
}

/// Sends the image of `graph` to `to`. Blobs that the repository of `mounted` has at the same registry are taken from
/// there. An image that stands there already costs one request.
///
/// # Errors
/// When a blob can't be read, and when the registry can't be asked or refuses something.
pub fn push(
    graph: &Graph,
    open: &(dyn Fn(&Descriptor) -> io::Result<Box<dyn Read>> + Sync),
    to: &Named,
    mounted: Option<&Reference>,
    client: &Client,
    observer: &Observer<'_>,
) -> Result<Sent, Error> {
    let Some(root) = graph.root() else { return Ok(Sent::default()) };
    if let Some(wanted) = to.digest.filter(|wanted| *wanted != root.digest) {
        return Err(Error::OtherDigest { to: to.to_string(), wanted, found: root.digest });
    }
    let repository = Repository::from(&to.reference);
    let from = mounted.map(Repository::from);
    let from = from.filter(|from| from.registry() == repository.registry() && *from != repository);
    let mounts = from.iter().map(|from| from.name().to_owned()).collect();
    let remote = client.open(&repository, &Access::Push { mounts });
    let target = to.name().map_or(Target::Digest(root.digest), |name| Target::Tag(name.tag()));
    if remote.head(target)?.is_some_and(|head| head.digest == root.digest) {
        return Ok(Sent { is_unchanged: true, ..Sent::default() });
    }
    let blobs: Vec<&Descriptor> = graph.blobs.values().collect();
    let stop = Arc::new(AtomicBool::new(false));
    let progress = |bytes| {
        if observer(bytes).is_break() {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let opens: Vec<_> = blobs
        .iter()
        .map(|blob| {
            let stop = &stop;
            move || -> io::Result<Box<dyn Read>> {
                Ok(Box::new(Stoppable { reader: open(blob)?, stop: stop.clone() }))
            }
        })
        .collect();
    let uploads: Vec<Upload<'_>> = blobs
        .iter()
        .zip(&opens)
        .map(|(blob, open)| Upload {
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

/// Writes documents whose blobs are there, each behind those that it names; the last stands at `target` then.
pub(super) fn put(remote: &Remote, documents: &[Document], target: Target<'_>) -> Result<(), Error> {
    let Some((root, below)) = documents.split_last() else { return Ok(()) };
    for document in below {
        remote.put_manifest(Target::Digest(document.digest), &document.media_type, &document.bytes)?;
    }
    remote.put_manifest(target, &root.media_type, &root.bytes)?;
    Ok(())
}

/// A blob on its way, until somebody asks to end.
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
