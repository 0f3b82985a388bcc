//! Writes images and artifacts to a layout or an archive.

use std::io;

use super::archive::{self, BlobOpener};
use super::directory;
use super::disk_location::{DiskFormat, DiskLocation};
use super::error::{LayoutError, LayoutWarning};
use super::host_path::resolve_path;
use super::index_json::{ImageName, names_with_tag};
use super::staging::Staging;
use crate::image::{Artifact, ImageGraph, ImageSet};
use coracle_core::reference::ImageReference;

/// Writes `root`, whose layers are in `staging`, to `destination` under these names.
///
/// A staging directory can be used for several destinations. The previous content is kept on
/// failure.
///
/// # Errors
/// Fails as [`DiskLocation::check_writable`] does, or if a file cannot be written.
pub fn write_image(
    root: &ImageSet,
    staging: &Staging,
    names: &[ImageReference],
    destination: &DiskLocation,
) -> Result<Vec<LayoutWarning>, LayoutError> {
    destination.check_writable()?;
    destination.check_supports(root)?;
    let names = names_with_tag(names, destination.tag.as_deref())?;
    match destination.format {
        DiskFormat::Layout => directory::write_image(root, staging, &names, &destination.path),
        DiskFormat::OciArchive | DiskFormat::DockerArchive => {
            archive::write_image(root, staging, &names, destination)?;
            Ok(Vec::new())
        }
    }
}

/// Writes `artifact` to the layout at `destination`, replacing one of the same type and subject.
///
/// # Errors
/// Fails if `destination` is not a layout, or if a file cannot be written.
pub fn write_artifact(
    artifact: &Artifact,
    destination: &DiskLocation,
) -> Result<Vec<LayoutWarning>, LayoutError> {
    match destination.format {
        DiskFormat::Layout => {
            destination.check_writable()?;
            directory::write_artifact(artifact, &destination.path)
        }
        DiskFormat::OciArchive | DiskFormat::DockerArchive => {
            Err(LayoutError::ArtifactsUnsupported(destination.clone()))
        }
    }
}

/// Writes the image of `graph` to `destination`, under these names or the destination's tag.
///
/// `open` reads a blob. Blobs that a layout has already are not read. The previous content is kept
/// on failure.
///
/// # Errors
/// Fails as [`DiskLocation::check_writable`] does; if a file cannot be written; if the format does
/// not support several platforms; or if a blob cannot be read or does not match its descriptor.
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
    let names: Vec<ImageName> = names_with_tag(names, destination.tag.as_deref())?;
    let staging = Staging::new(destination)?;
    for named in graph.blobs.values().filter(|named| !directory::has_verified_blob(&directory, named)) {
        let refused = |source: io::Error| LayoutError::CopyBlob { digest: named.digest, source };
        staging.put_blob(named, &mut open(named).map_err(refused)?)?.map_err(refused)?;
    }
    directory::write_graph(graph, &staging, &names, &destination.path)
}
