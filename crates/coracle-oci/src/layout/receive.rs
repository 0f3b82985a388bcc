//! Copies an existing image into a layout or an archive, byte for byte.

use std::io;

use super::archive::{self, Open};
use super::destination::target;
use super::names::{self, Name};
use super::{Destination, Error, Kind, Staging, Warning, layout};
use crate::image::Graph;
use coracle_core::reference::Reference;

/// Writes the image of `graph` to `destination`, under these names or the destination's tag.
///
/// `open` reads a blob. Blobs that a layout has already are not read. The previous content is kept
/// on failure.
///
/// # Errors
/// Fails as [`Destination::check`] does; if a file cannot be written; if the format does not
/// support several platforms; or if a blob cannot be read or does not match its descriptor.
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
