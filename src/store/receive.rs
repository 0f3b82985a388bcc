//! Images that come from elsewhere, byte for byte, into a layout.

use std::io::{self, Read};

use super::destination::target;
use super::names::{self, Name};
use super::{Destination, Error, Kind, Staging, Warning, layout};
use crate::image::{Descriptor, Graph};
use crate::reference::Reference;

/// Writes the image of `graph` to the layout at `destination`, under these names or the destination's tag; `open` reads
/// a blob, and what the layout has already is not read. When it fails, what stood there before still does.
///
/// # Errors
/// When `destination` is no layout or can't be written, and when a blob can't be read or is not what its digest says.
pub fn receive<'a>(
    graph: &Graph,
    names: &[Reference],
    destination: &Destination,
    open: &(dyn Fn(&Descriptor) -> io::Result<Box<dyn Read + 'a>> + 'a),
) -> Result<Vec<Warning>, Error> {
    if destination.kind != Kind::Layout {
        return Err(Error::OnlyLayouts(destination.clone()));
    }
    destination.check()?;
    let directory = target(&destination.path)?;
    let names: Vec<Name> = names::at(destination, names)?;
    let staging = Staging::new(destination)?;
    for named in graph.blobs.values().filter(|named| !layout::has_blob(&directory, named)) {
        let refused = |source: io::Error| Error::Blob { digest: named.digest, source };
        staging.take(named, &mut open(named).map_err(refused)?)?.map_err(refused)?;
    }
    layout::receive(graph, &staging, &names, &destination.path)
}
