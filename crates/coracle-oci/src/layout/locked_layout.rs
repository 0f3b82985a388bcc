//! Adds images and artifacts to image layouts: blobs first, `index.json` last. The layout is locked
//! only while it is changed. Source: image-spec, `image-layout.md`.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::atomic_file;
use super::error::{LayoutError, LayoutWarning};
use super::garbage_collection;
use super::image_names::ImageName;
use super::index_json;
use super::layout_files::{
    INDEX_JSON, OCI_LAYOUT, blob_file_name, blobs_dir, oci_layout_json, read_index_or_empty, to_json_bytes,
};
use super::locked_directory::{CreatedParents, LockedDirectory, MAX_LOCK_ATTEMPTS};
use super::staging::Staging;
use crate::image::{Artifact, Descriptor, ImageGraph, ImageSet};
use coracle_core::fs::{self, Context};

/// Adds `root` to the layout at `directory`.
pub(super) fn add_image(
    root: &ImageSet,
    staging: &Staging,
    names: &[ImageName],
    directory: &Path,
) -> Result<Vec<LayoutWarning>, LayoutError> {
    with_locked_layout(directory, |layout| layout.add_image(root, staging, names))
}

/// Adds an existing image. Its blobs are in `staging`, except those that the layout had already.
pub(super) fn add_graph(
    graph: &ImageGraph,
    staging: &Staging,
    names: &[ImageName],
    directory: &Path,
) -> Result<Vec<LayoutWarning>, LayoutError> {
    with_locked_layout(directory, |layout| layout.add_graph(graph, staging, names))
}

/// Adds `artifact` to the layout at `directory`.
pub(super) fn add_artifact(artifact: &Artifact, directory: &Path) -> Result<Vec<LayoutWarning>, LayoutError> {
    with_locked_layout(directory, |layout| layout.add_artifact(artifact))
}

/// Locks the layout at `directory` and runs `write`. Creates the layout if it does not exist, and
/// removes it again if `write` fails.
fn with_locked_layout(
    directory: &Path,
    write: impl FnOnce(&LockedLayout<'_>) -> Result<Vec<LayoutWarning>, LayoutError>,
) -> Result<Vec<LayoutWarning>, LayoutError> {
    let directory = &fs::absolute_path(directory)?;
    let _parents = CreatedParents::create(directory)?;
    let layout = LockedLayout::create_and_lock(directory)?;
    let written = write(&layout);
    if written.is_err() && layout.is_new && !directory.join(INDEX_JSON).exists() {
        // Errors are ignored, because an earlier error is reported instead.
        let _ = std::fs::remove_dir_all(directory);
    }
    written
}

/// A layout that is locked against other builds until this is dropped.
struct LockedLayout<'a> {
    directory: &'a Path,
    is_new: bool,
    _lock: Option<File>,
}

impl<'a> LockedLayout<'a> {
    /// Creates the layout if it does not exist, and waits for its lock.
    fn create_and_lock(directory: &'a Path) -> Result<Self, LayoutError> {
        let mut is_new = false;
        for _ in 0..MAX_LOCK_ATTEMPTS {
            match std::fs::create_dir(directory) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => {
                    result.context("create", directory)?;
                    is_new = true;
                }
            }
            match Self::wait_for_lock(directory, is_new) {
                // A failed build removed the directory that it had created.
                Ok(None) => is_new = false,
                Ok(Some(layout)) => return Ok(layout),
                Err(error) => {
                    if is_new {
                        let _ = std::fs::remove_dir(directory);
                    }
                    return Err(error);
                }
            }
        }
        Err(fs::Error::new("lock", directory, io::Error::other("other processes keep replacing it")).into())
    }

    /// Waits for the lock; `None` if the locked file is no longer in the layout.
    fn wait_for_lock(directory: &'a Path, is_new: bool) -> Result<Option<Self>, LayoutError> {
        let path = directory.join(OCI_LAYOUT);
        if !path.exists() && !create_oci_layout(directory, &path)? {
            return Ok(None);
        }
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.context("open", &path)?,
        };
        match file.lock() {
            // Without locks, concurrent builds may lose an index entry, but never a blob of one.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                return Ok(Some(Self { directory, is_new, _lock: None }));
            }
            result => result.context("lock", &path)?,
        }
        let there = fs::is_file_at(&file, &path)?;
        Ok(there.then_some(Self { directory, is_new, _lock: Some(file) }))
    }

    fn add_image(
        &self,
        root: &ImageSet,
        staging: &Staging,
        names: &[ImageName],
    ) -> Result<Vec<LayoutWarning>, LayoutError> {
        let mut index = read_index_or_empty(self.directory)?;
        let blobs = self.create_blobs_dir()?;
        root.layer_descriptors().try_for_each(|named| self.place_blob(&named, staging))?;
        for blob in root.documents() {
            atomic_file::write_file(&blobs.join(blob_file_name(blob)), blob.bytes())?;
        }
        index_json::put_image(&mut index, root.descriptor(), names)?;
        self.write_index(&index)
    }

    fn add_graph(
        &self,
        graph: &ImageGraph,
        staging: &Staging,
        names: &[ImageName],
    ) -> Result<Vec<LayoutWarning>, LayoutError> {
        let mut index = read_index_or_empty(self.directory)?;
        let blobs = self.create_blobs_dir()?;
        graph.blobs.values().try_for_each(|named| self.place_blob(named, staging))?;
        for document in &graph.documents {
            atomic_file::write_file(&blobs.join(document.digest.hex()), &document.bytes)?;
        }
        let root = graph.root().ok_or(LayoutError::Internal("an image to write has no manifest"))?;
        let entries = names.iter().map(|name| index_json::document_entry(root, name)).collect();
        index_json::replace_entries(&mut index, entries, names);
        self.write_index(&index)
    }

    /// Moves a blob from the staging directory into the layout, unless the layout has it already.
    fn place_blob(&self, named: &Descriptor, staging: &Staging) -> Result<(), LayoutError> {
        let (staged, path) =
            (staging.blob_path(named.digest), self.create_blobs_dir()?.join(named.digest.hex()));
        if staged.exists() {
            return Ok(atomic_file::link_file(&staged, &path)?);
        }
        if path.exists() {
            return Ok(());
        }
        // The layout had the blob, and another build has removed it since.
        let source = io::Error::other(format!(
            "another build removed it ({} bytes) in the meantime: try again",
            named.size
        ));
        Err(LayoutError::CopyBlob { digest: named.digest, source })
    }

    fn add_artifact(&self, artifact: &Artifact) -> Result<Vec<LayoutWarning>, LayoutError> {
        let mut index = read_index_or_empty(self.directory)?;
        let blobs = self.create_blobs_dir()?;
        for blob in artifact.blobs() {
            atomic_file::write_file(&blobs.join(blob_file_name(blob)), blob.bytes())?;
        }
        index_json::put_artifact(&mut index, artifact)?;
        self.write_index(&index)
    }

    /// Returns the directory of the blobs. Creates it if it does not exist.
    fn create_blobs_dir(&self) -> Result<PathBuf, LayoutError> {
        let blobs = blobs_dir(self.directory);
        std::fs::create_dir_all(&blobs).context("create", &blobs)?;
        Ok(blobs)
    }

    /// Writes `index.json`, and removes blobs that it no longer refers to.
    fn write_index(&self, index: &Value) -> Result<Vec<LayoutWarning>, LayoutError> {
        atomic_file::write_file(&self.directory.join(INDEX_JSON), &to_json_bytes("index", index)?)?;
        Ok(garbage_collection::remove_unreachable_blobs(self.directory, index))
    }
}

/// Atomically creates `oci-layout`, never overwriting one. Returns false if the directory is gone.
fn create_oci_layout(directory: &Path, path: &Path) -> Result<bool, LayoutError> {
    let temporary = match LockedDirectory::new(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        temporary => temporary?,
    };
    let new = temporary.path().join(OCI_LAYOUT);
    std::fs::write(&new, to_json_bytes("oci-layout", &oci_layout_json())?).context("write", &new)?;
    match tempfile::TempPath::try_from_path(&new).context("write", &new)?.persist_noclobber(path) {
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(true),
        result => result
            .map(|()| true)
            .map_err(|error| error.error)
            .context("create", path)
            .map_err(LayoutError::File),
    }
}
