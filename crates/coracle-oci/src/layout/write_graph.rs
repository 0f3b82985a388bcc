//! Copies an existing image into a layout or an archive, byte for byte.

use std::io;

use super::archive::{self, BlobOpener};
use super::disk_location::resolve_path;
use super::image_names::{self, ImageName};
use super::{DiskFormat, DiskLocation, LayoutError, LayoutWarning, Staging, directory};
use crate::image::ImageGraph;
use coracle_core::reference::ImageReference;

/// Writes the image of `graph` to `destination`, under these names or the destination's tag.
///
/// `open` reads a blob. Blobs that a layout has already are not read. The previous content is kept
/// on failure.
///
/// # Errors
/// Fails as [`Destination::check`] does; if a file cannot be written; if the format does not
/// support several platforms; or if a blob cannot be read or does not match its descriptor.
pub fn write_graph(
    graph: &ImageGraph,
    names: &[ImageReference],
    destination: &DiskLocation,
    open: &BlobOpener<'_>,
) -> Result<Vec<LayoutWarning>, LayoutError> {
    destination.check_writable()?;
    if destination.format != DiskFormat::Layout {
        archive::write_graph(graph, names, destination, open)?;
        return Ok(Vec::new());
    }
    let directory = resolve_path(&destination.path)?;
    let names: Vec<ImageName> = image_names::names_at_location(destination, names)?;
    let staging = Staging::new(destination)?;
    for named in graph.blobs.values().filter(|named| !directory::has_verified_blob(&directory, named)) {
        let refused = |source: io::Error| LayoutError::CopyBlob { digest: named.digest, source };
        staging.put_blob(named, &mut open(named).map_err(refused)?)?.map_err(refused)?;
    }
    directory::write_graph(graph, &staging, &names, &destination.path)
}
