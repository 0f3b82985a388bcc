//! Images that come from elsewhere, byte for byte, into a layout or an archive.

use std::io::{self, Read as _};

use super::archive::{self, Open};
use super::destination::target;
use super::names::{self, Name};
use super::{Destination, Error, Kind, Staging, Warning, layout};
use crate::digest::Digest;
use crate::fs::Context;
use crate::image::{Descriptor, Graph};
use crate::layer::output::Output;
use crate::reference::Reference;

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
        fetch(named, open, &staging)?;
    }
    layout::receive(graph, &staging, &names, &destination.path)
}

/// Reads one blob into `staging`, held to its digest and its size.
fn fetch(named: &Descriptor, open: &Open<'_>, staging: &Staging) -> Result<(), Error> {
    let refused = |source: io::Error| Error::Blob { digest: named.digest, source };
    let mut reader = open(named).map_err(refused)?.take(named.size.saturating_add(1));
    let path = staging.path(named.digest);
    let mut output = Output::create(&path)?;
    output.copy(&mut reader)?.map_err(refused)?;
    let (found, size): (Digest, u64) = output.finish();
    if (found, size) != (named.digest, named.size) {
        std::fs::remove_file(&path).context("remove", &path)?;
        let why = format!("{size} bytes of `{found}` came instead of {}", named.size);
        return Err(refused(io::Error::other(why)));
    }
    Ok(())
}
