//! Images from one place to another, byte for byte: registries, layouts, archives and local engines.
//!
//! Nothing is sent that is there, and a name stands for an image only when all of it is there. Bytes go from where they
//! are to where they should be in pieces. It does not know how an image was made.

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

/// Hears of bytes that have gone out or come in, and says whether to go on.
pub type Observer<'a> = dyn Fn(u64) -> ControlFlow<()> + Sync + 'a;

/// What a copy has led to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Copied {
    /// The digest of the manifest, or of the index.
    pub digest: Digest,
    /// What a registry was sent.
    pub sent: Option<Sent>,
    /// What an engine took.
    pub loaded: Option<Loaded>,
    /// What is not quite right, though the image is where it should be.
    pub warnings: Vec<layout::Warning>,
}

/// Finds the image at `place`, wherever that is: its manifest or index, and the way to everything behind it.
///
/// # Errors
/// When there is none, or it can't be read.
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

/// Finds the image at `place` and reads its manifests and configs: documents alone, no layer.
///
/// # Errors
/// When there is none, or a document is missing, is none, or is not what its digest says.
pub fn open(place: &Place, client: &Client) -> Result<Stored, Error> {
    find(place, client)?.read().map_err(|error| Error::reading(place, error))
}

/// What copies go through.
#[derive(Clone, Copy, Debug)]
pub struct Ways<'a> {
    /// The client of registries.
    pub client: &'a Client,
    /// What the environment says about engines.
    pub engines: &'a engine::Settings,
}

/// What a name stands for at its registry now; one request, and no bytes of the image.
///
/// # Errors
/// When there is no such image, or the registry can't be asked.
pub fn digest(named: &Named, client: &Client) -> Result<Digest, Error> {
    let remote = client.open(&(&named.reference).into(), &Access::Pull);
    let head = remote.head(named.target())?;
    head.map(|head| head.digest).ok_or_else(|| Error::Nothing(Place::Remote(named.clone())))
}

/// Copies the image at `from` to `to`, with its images of all platforms; an engine gets the one of its own platform.
///
/// # Errors
/// When it can't be read, is not what its digests say, or can't be written. Nothing is named at `to` before all is there.
pub fn copy(from: &Place, to: &Place, ways: Ways<'_>, observer: &Observer<'_>) -> Result<Copied, Error> {
    match from {
        Place::Engine(named) => {
            // Engines give archives, which are read from their end.
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

/// Brings the image of `graph` to an engine; `open` reads a blob.
///
/// # Errors
/// Those of [`engine::load`].
pub fn load(
    graph: &Graph,
    open: &dyn Fn(&Descriptor) -> std::io::Result<Box<dyn Read>>,
    to: &engine::Named,
    engines: &engine::Settings,
    observer: &Observer<'_>,
) -> Result<Loaded, Error> {
    watched(open, observer, |open| engine::load(graph, open, to, engines, observer).map_err(Error::from))
}

/// Writes the image to a layout or an archive, under these names or the destination's tag.
fn receive(
    graph: &Graph,
    open: &dyn Fn(&Descriptor) -> std::io::Result<Box<dyn Read>>,
    names: &[Reference],
    to: &Destination,
    observer: &Observer<'_>,
) -> Result<Vec<layout::Warning>, Error> {
    watched(open, observer, |open| layout::receive(graph, names, to, open).map_err(Error::from))
}

/// Lets `take` have the blobs that `open` opens, of whose bytes the observer hears.
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
