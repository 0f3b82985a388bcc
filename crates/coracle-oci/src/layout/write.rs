//! Writes images and artifacts to a layout or an archive.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use super::archive::{ArchiveWriteError, BlobOpener, ImageArchive, docker_manifest};
use super::disk_location::{DiskFormat, DiskLocation, resolve_path};
use super::error::{LayoutError, LayoutWarning};
use super::image_names::{ImageName, ImageNames, names_with_tag};
use super::layout_files::has_verified_blob;
use super::locked_layout::{self, SameTypeArtifacts};
use super::staging::Staging;
use crate::image::{Artifact, ImageGraph, ImageSet};
use coracle_core::fs::{self, Context, Durability};
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
    names: ImageNames<'_>,
    destination: &DiskLocation,
) -> Result<Vec<LayoutWarning>, LayoutError> {
    destination.check_writable()?;
    destination.check_supports_image(root)?;
    let names = names_with_tag(names, destination.tag.as_deref())?;
    match destination.format {
        DiskFormat::Layout => locked_layout::add_image(root, staging, &names, &destination.path),
        DiskFormat::OciArchive | DiskFormat::DockerArchive => {
            write_image_archive(root, staging, &names, destination)?;
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
    durability: Durability,
) -> Result<Vec<LayoutWarning>, LayoutError> {
    put_artifacts(std::slice::from_ref(artifact), SameTypeArtifacts::Replace, destination, durability)
}

/// Adds `artifacts` to the layout at `destination`. Others of the same type and subject are kept.
///
/// # Errors
/// Fails if `destination` is not a layout, or if a file cannot be written.
pub fn add_artifacts(
    artifacts: &[Artifact],
    destination: &DiskLocation,
    durability: Durability,
) -> Result<Vec<LayoutWarning>, LayoutError> {
    put_artifacts(artifacts, SameTypeArtifacts::Keep, destination, durability)
}

fn put_artifacts(
    artifacts: &[Artifact],
    others: SameTypeArtifacts,
    destination: &DiskLocation,
    durability: Durability,
) -> Result<Vec<LayoutWarning>, LayoutError> {
    match destination.format {
        DiskFormat::Layout => {
            destination.check_writable()?;
            let staging = Staging::new(destination, durability)?;
            locked_layout::add_artifacts(artifacts, others, &staging, &destination.path)
        }
        // skopeo and podman refuse an archive with several entries unless a tag is given.
        DiskFormat::OciArchive | DiskFormat::DockerArchive => {
            Err(LayoutError::ArtifactsUnsupported(destination.clone()))
        }
    }
}

/// Writes the image of `graph` to `destination`, under these names or the destination's tag, together
/// with referrers of it.
///
/// `open` reads a blob. Blobs that a layout has already are not read. The previous content is kept
/// on failure.
///
/// # Errors
/// Fails as [`DiskLocation::check_writable`] does; if a file cannot be written; if the format does
/// not support several platforms or referrers; or if a blob cannot be read or does not match its
/// descriptor.
pub fn write_graph(
    graph: &ImageGraph,
    referrers: &[ImageGraph],
    names: &[ImageReference],
    destination: &DiskLocation,
    durability: Durability,
    open: &BlobOpener<'_>,
) -> Result<Vec<LayoutWarning>, LayoutError> {
    destination.check_writable()?;
    if destination.format != DiskFormat::Layout {
        if !referrers.is_empty() {
            return Err(LayoutError::ArtifactsUnsupported(destination.clone()));
        }
        write_graph_archive(graph, names, destination, durability, open)?;
        return Ok(Vec::new());
    }
    let directory = resolve_path(&destination.path)?;
    let names: Vec<ImageName> = names_with_tag(names.into(), destination.tag.as_deref())?;
    let staging = Staging::new(destination, durability)?;
    let blobs = std::iter::once(graph).chain(referrers).flat_map(|graph| graph.blobs.values());
    for named in blobs.filter(|named| !has_verified_blob(&directory, named)) {
        let refused = |source: io::Error| LayoutError::CopyBlob { digest: named.digest, source };
        staging.put_blob(named, &mut open(named).map_err(refused)?)?.map_err(refused)?;
    }
    locked_layout::add_graph(graph, &staging, referrers, &names, &destination.path)
}

/// Writes `root` to the file at `destination`, replacing an existing file.
fn write_image_archive(
    root: &ImageSet,
    blobs: &Staging,
    names: &[ImageName],
    destination: &DiskLocation,
) -> Result<(), LayoutError> {
    let archive = ImageArchive::from_image_set(root, names, destination.format.into())?;
    replace_file(destination, blobs.durability(), |path| {
        let file = File::create_new(path).context("create", path)?;
        let mut out = BufWriter::new(file);
        let written = archive.write_members(&mut out, &mut |named, out: &mut BufWriter<File>| {
            let refused = |error| ArchiveWriteError::Blob(named.digest, error);
            let mut from = File::open(blobs.blob_path(named.digest)).map_err(refused)?;
            // Bypasses the buffer, so that the kernel can copy or share the bytes itself.
            out.flush()
                .and_then(|()| io::copy(&mut from, out.get_mut()))
                .map_err(ArchiveWriteError::Output)?;
            Ok(())
        });
        written.map_err(|error| error.into_layout_error(path))
    })
}

/// Writes the image of `graph` to the file at `destination`, replacing an existing file.
fn write_graph_archive(
    graph: &ImageGraph,
    names: &[ImageReference],
    destination: &DiskLocation,
    durability: Durability,
    open: &BlobOpener<'_>,
) -> Result<(), LayoutError> {
    if destination.format == DiskFormat::DockerArchive && docker_manifest(graph, &[]).is_none() {
        return Err(match graph.runnable_manifests().len() {
            0 => LayoutError::NotRunnable(destination.clone()),
            _ => LayoutError::PlatformsUnsupported { path: destination.path.clone() },
        });
    }
    let names = names_with_tag(names.into(), destination.tag.as_deref())?;
    let archive = ImageArchive::from_named_graph(graph, &names, destination.format.into())?;
    replace_file(destination, durability, |path| {
        let file = File::create_new(path).context("create", path)?;
        archive.write(&mut BufWriter::new(file), open).map_err(|error| error.into_layout_error(path))
    })
}

/// Runs `write` with a temporary path next to `destination`, then renames the file.
fn replace_file(
    destination: &DiskLocation,
    durability: Durability,
    write: impl FnOnce(&Path) -> Result<(), LayoutError>,
) -> Result<(), LayoutError> {
    let staging = Staging::new(destination, durability)?;
    let (temporary, path) = (staging.temporary_path(), resolve_path(&destination.path)?);
    write(&temporary)?;
    durability.sync_file(&temporary)?;
    std::fs::rename(&temporary, &path).context("write", &path)?;
    Ok(durability.sync_directory(path.parent().unwrap_or(&path))?)
}

impl ArchiveWriteError {
    /// Converts to an error about the output file `path`.
    fn into_layout_error(self, path: &Path) -> LayoutError {
        match self {
            Self::Blob(digest, source) => LayoutError::CopyBlob { digest, source },
            Self::Output(error) => fs::Error::new("write", path, error).into(),
        }
    }
}
