//! Images from one place to another, byte for byte: to and from registries, and into layouts.
//!
//! Nothing is sent that is there, and a name stands for an image only when all of it is there. Bytes go from where they
//! are to where they should be in pieces. It does not know how an image was made.

mod error;
mod place;
mod push;
mod routes;

use std::io::Read;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

pub use error::Error;
pub use place::{Named, ParsePlaceError, ParseTargetError, Place};
pub use push::{Sent, push};
pub use routes::{Outbox, Routes};

use crate::digest::Digest;
use crate::image::{Descriptor, Document, Graph};
use crate::registry::{Access, Client, Remote, Target};
use crate::store::{self, Destination, Stored};

/// Hears of bytes that have gone out or come in, and says whether to go on.
pub type Observer<'a> = dyn Fn(u64) -> ControlFlow<()> + Sync + 'a;

/// What a copy has led to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Copied {
    /// The digest of the manifest, or of the index.
    pub digest: Digest,
    /// What a registry was sent; nothing for a copy to a layout.
    pub sent: Option<Sent>,
    /// What is not quite right, though the image is where it should be.
    pub warnings: Vec<store::Warning>,
}

/// Where the bytes of an image are.
enum Origin {
    Local(Stored),
    Remote(Remote),
}

/// Copies the image at `from` to `to`, with its images of all platforms.
///
/// # Errors
/// When it can't be read, is not what its digests say, or can't be written. Nothing is named at `to` before all is there.
pub fn copy(from: &Place, to: &Place, client: &Client, observer: &Observer<'_>) -> Result<Copied, Error> {
    let (origin, graph) = read(from, client)?;
    let digest = graph.root().map(|root| root.digest).ok_or_else(|| Error::Nothing(from.clone()))?;
    match to {
        Place::Remote(named) => {
            let mounted = match from {
                Place::Remote(from) => Some(&from.reference),
                Place::Local(_) => None,
            };
            let open = |blob: &Descriptor| origin.blob(blob);
            let sent = push(&graph, &open, named, mounted, client, observer)?;
            Ok(Copied { digest, sent: Some(sent), warnings: Vec::new() })
        }
        Place::Local(destination) => {
            let warnings = receive(&graph, &origin, from, destination, observer)?;
            Ok(Copied { digest, sent: None, warnings })
        }
    }
}

/// Opens `from` and reads all of its documents.
fn read(from: &Place, client: &Client) -> Result<(Origin, Graph), Error> {
    match from {
        Place::Local(place) => {
            let stored = store::open(place)?;
            let graph = stored.graph()?;
            Ok((Origin::Local(stored), graph))
        }
        Place::Remote(named) => {
            let remote = client.open(&(&named.reference).into(), &Access::Pull);
            let fetch = |target: Target<'_>| -> Result<Document, Error> {
                let manifest = remote.manifest(target)?.ok_or_else(|| match target {
                    Target::Digest(digest) if named.digest != Some(digest) => {
                        Error::Missing { digest, repository: remote.repository().to_string() }
                    }
                    _ => Error::Nothing(from.clone()),
                })?;
                Ok(Document {
                    media_type: manifest.media_type,
                    digest: manifest.digest,
                    bytes: manifest.bytes,
                })
            };
            let root = fetch(named.target())?;
            let graph = Graph::read(root, &mut |below| fetch(Target::Digest(below.digest)))?;
            Ok((Origin::Remote(remote), graph))
        }
    }
}

/// Writes the image to a layout; without a tag of its own it keeps the name that it had.
fn receive(
    graph: &Graph,
    origin: &Origin,
    from: &Place,
    to: &Destination,
    observer: &Observer<'_>,
) -> Result<Vec<store::Warning>, Error> {
    let names = match (from, origin) {
        (Place::Remote(named), _) => named.name().into_iter().cloned().collect(),
        (_, Origin::Local(stored)) => stored.names.iter().filter_map(|name| name.parse().ok()).collect(),
        (_, Origin::Remote(_)) => Vec::new(),
    };
    let stop = AtomicBool::new(false);
    let open = |blob: &Descriptor| -> std::io::Result<Box<dyn Read + '_>> {
        let reader = origin.blob(blob)?;
        Ok(Box::new(Observed { reader, observer, stop: &stop }))
    };
    let received = store::receive(graph, &names, to, &open);
    if stop.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(received?) }
}

impl Origin {
    fn blob(&self, blob: &Descriptor) -> std::io::Result<Box<dyn Read>> {
        match self {
            Self::Local(stored) => stored.blob(blob),
            Self::Remote(remote) => {
                let reader = remote.pull_blob(&blob.digest, blob.size).map_err(std::io::Error::other)?;
                Ok(Box::new(reader))
            }
        }
    }
}

/// Tells of what is read, and stops where the observer does not want to go on.
struct Observed<'a> {
    reader: Box<dyn Read>,
    observer: &'a Observer<'a>,
    stop: &'a AtomicBool,
}

impl Read for Observed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.reader.read(buffer)?;
        match (self.observer)(read as u64) {
            ControlFlow::Continue(()) => Ok(read),
            ControlFlow::Break(()) => {
                self.stop.store(true, Ordering::Relaxed);
                Err(std::io::Error::other("interrupted"))
            }
        }
    }
}
