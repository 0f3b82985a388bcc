//! Copies images unchanged between registries, image layouts, archives and local engines.
//!
//! Existing blobs are not sent again, and a tag is written only after all content. Blobs are
//! streamed. The module does not depend on how images are built.

mod attach;
mod error;
mod join;
mod place;
mod push;
mod referrers;
mod routes;

use std::io::Read;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

pub use attach::{attach, has};
pub use error::Error;
pub use join::{Joined, JoinedImage, join};
pub use place::{Named, ParsePlaceError, ParseTargetError, Place};
pub use push::{Sent, push};
pub use referrers::copy_referrers;
pub use routes::{Outbox, Routes};

use coracle_core::digest::Digest;
use crate::engine::{self, Loaded};
use crate::image::{Descriptor, Graph};
use coracle_core::reference::Reference;
use crate::registry::{Access, Client};
use crate::layout::{self, Destination, Kind, Open, Origin, Staging, Stored};

/// Called with the number of bytes transferred since the last call. `Break` cancels the operation.
pub type Observer<'a> = dyn Fn(u64) -> ControlFlow<()> + Sync + 'a;

/// The result of a copy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Copied {
    /// The digest of the manifest or index.
    pub digest: Digest,
    /// What was sent to a registry. `None` for other destinations.
    pub sent: Option<Sent>,
    /// What was loaded into an engine. `None` for other destinations.
    pub loaded: Option<Loaded>,
    /// Problems that did not prevent the copy.
    pub warnings: Vec<layout::Warning>,
}

/// Opens the image at `place`: reads its manifest or index. The rest is read on demand.
///
/// # Errors
/// Fails if there is no image, it can't be read, or it is in an engine.
pub fn find(place: &Place, client: &Client) -> Result<Origin, Error> {
    match place {
        Place::Local(destination) => Ok(Origin::on_disk(destination)?),
        Place::Remote(named) => {
            let remote = client.open(&(&named.reference).into(), &Access::Pull);
            let name = named.full_name();
            let found = Origin::at_registry(remote, named.target(), place.to_string(), name);
            found.map_err(Error::Remote)?.ok_or_else(|| Error::Nothing(place.clone()))
        }
        Place::Engine(_) => Err(Error::NotHere(place.clone())),
    }
}

/// Reads the image at `place`: all manifests and configs, without layers.
///
/// # Errors
/// Fails if there is no image, or a document is missing, invalid or does not match its digest.
pub fn open(place: &Place, client: &Client) -> Result<Stored, Error> {
    find(place, client)?.read().map_err(|error| Error::reading(place, error))
}

/// The registry client and the engine configuration of a copy.
#[derive(Clone, Copy, Debug)]
pub struct Ways<'a> {
    /// The registry client.
    pub client: &'a Client,
    /// The configuration of engines.
    pub engines: &'a engine::Settings,
}

/// Resolves an image name to the digest of its manifest or index, usually with one HEAD request.
///
/// # Errors
/// Fails if there is no such image or the request fails.
pub fn digest(named: &Named, client: &Client) -> Result<Digest, Error> {
    let remote = client.open(&(&named.reference).into(), &Access::Pull);
    let head = remote.head(named.target())?;
    head.map(|head| head.digest).ok_or_else(|| Error::Nothing(Place::Remote(named.clone())))
}

/// Copies the image at `from` to `to`, for all platforms. An engine gets the image of its platform.
///
/// # Errors
/// Fails if the image can't be read, does not match its digests, or can't be written. The name at
/// `to` is unchanged then.
pub fn copy(from: &Place, to: &Place, ways: Ways<'_>, observer: &Observer<'_>) -> Result<Copied, Error> {
    match from {
        Place::Engine(named) => {
            // Engines stream archives, but reading an archive needs a file that can be seeked.
            let staging = Staging::within(&ways.engines.temporary)?;
            let path = staging.unnamed();
            engine::save(named, &path, ways.engines, observer)?;
            let archive = Place::Local(Destination { kind: Kind::OciArchive, path, tag: None });
            copy_found(find(&archive, ways.client)?, from, to, ways, observer)
        }
        _ => copy_found(find(from, ways.client)?, from, to, ways, observer),
    }
}

fn copy_found(
    origin: Origin,
    from: &Place,
    to: &Place,
    ways: Ways<'_>,
    observer: &Observer<'_>,
) -> Result<Copied, Error> {
    let graph = origin.graph().map_err(|error| Error::reading(from, error))?;
    let digest = graph.root().map(|root| root.digest).ok_or_else(|| Error::Nothing(from.clone()))?;
    let copied = Copied { digest, sent: None, loaded: None, warnings: Vec::new() };
    match to {
        Place::Remote(named) => {
            let open = |blob: &Descriptor| origin.blob(blob);
            let sent = push(&graph, &open, named, &|_| from.repository(), ways.client, observer)?;
            Ok(Copied { sent: Some(sent), ..copied })
        }
        Place::Local(destination) => {
            let names: Vec<Reference> = match from {
                Place::Remote(named) => named.name().into_iter().cloned().collect(),
                Place::Engine(named) => vec![named.name.clone()],
                Place::Local(_) => origin.names.iter().filter_map(|name| name.parse().ok()).collect(),
            };
            let warnings = receive(&graph, &|blob| origin.blob(blob), &names, destination, observer)?;
            Ok(Copied { warnings, ..copied })
        }
        Place::Engine(named) => {
            let loaded = load(&graph, &|blob| origin.blob(blob), named, ways.engines, observer)?;
            Ok(Copied { digest: loaded.digest, loaded: Some(loaded), ..copied })
        }
    }
}

/// Loads the image of `graph` into an engine; `open` opens a blob.
///
/// # Errors
/// Fails like [`engine::load`].
pub fn load(
    graph: &Graph,
    open: &dyn Fn(&Descriptor) -> std::io::Result<Box<dyn Read>>,
    to: &engine::Named,
    engines: &engine::Settings,
    observer: &Observer<'_>,
) -> Result<Loaded, Error> {
    watched(open, observer, |open| engine::load(graph, open, to, engines, observer).map_err(Error::from))
}

/// Writes the image to a layout or archive, with the tag of the destination or else `names`.
fn receive(
    graph: &Graph,
    open: &dyn Fn(&Descriptor) -> std::io::Result<Box<dyn Read>>,
    names: &[Reference],
    to: &Destination,
    observer: &Observer<'_>,
) -> Result<Vec<layout::Warning>, Error> {
    watched(open, observer, |open| layout::receive(graph, names, to, open).map_err(Error::from))
}

/// Runs `take` with an `open` that reports the bytes of blobs to the observer and can be cancelled.
fn watched<T>(
    open: &dyn Fn(&Descriptor) -> std::io::Result<Box<dyn Read>>,
    observer: &Observer<'_>,
    take: impl FnOnce(&Open<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let stop = AtomicBool::new(false);
    let open = |blob: &Descriptor| -> std::io::Result<Box<dyn Read + '_>> {
        let reader = open(blob)?;
        Ok(Box::new(Observed { reader, observer, stop: &stop }))
    };
    let taken = take(&open);
    if stop.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { taken }
}

/// A reader that reports its bytes to the observer, and fails once the observer cancels.
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
