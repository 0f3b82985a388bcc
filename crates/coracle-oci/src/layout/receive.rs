//! Images that come from elsewhere, byte for byte, into a layout or an archive.

use std::io;

use super::archive::{self, Open};
use super::destination::target;
use super::names::{self, Name};
use super::{Destination, Error, Kind, Staging, Warning, layout};
use crate::image::Graph;
use coracle_core::reference::Reference;

/// Writes the image of `graph` to the layout or the archive at `destination`, under these names or the destination's tag;
/// `open` reads a blob, and what a layout has already is not read. When it fails, what stood there before still does.
///
/// # Errors
/// Those of [`Destination::check`]; when it can't be written, has no room for several platforms, and when a blob can't be
/// read or is not what its digest says.
pub fn receive(
    graph: &Graph,
    names: &[Reference],
    destination: &Destination,
    open: &Open<'_>,
) -> Result<Vec<Warning>, Error> {
    destination.check()?;
    if destination.kind != Kind::Layout {
        archive::receive(graph, names, destination, open)?;
        return Ok(Vec::new());
    }
    let directory = target(&destination.path)?;
    let names: Vec<Name> = names::at(destination, names)?;
    let staging = Staging::new(destination)?;
    for named in graph.blobs.values().filter(|named| !layout::has_blob(&directory, named)) {
        let refused = |source: io::Error| Error::Blob { digest: named.digest, source };
        staging.take(named, &mut open(named).map_err(refused)?)?.map_err(refused)?;
    }
    layout::receive(graph, &staging, &names, &destination.path)
}
