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
    INDEX_JSON, OCI_LAYOUT, blob_file_name, blobs_dir, check_blobs_dir, is_without_content, oci_layout_json,
    read_index_or_empty, to_json_bytes,
};
use super::locked_directory::{CreatedParents, LockedDirectory, MAX_LOCK_ATTEMPTS};
use super::staging::Staging;
use super::stale_artifacts::{self, remove_stale_artifacts};
use crate::image::{Artifact, Descriptor, ImageGraph, ImageSet};
use coracle_core::fs::{self, Context, FinalLink};

/// Adds `root` to the layout at `directory`.
pub(super) fn add_image(
    root: &ImageSet,
    staging: &Staging,
    names: &[ImageName],
    directory: &Path,
) -> Result<Vec<LayoutWarning>, LayoutError> {
    with_locked_layout(directory, staging, |layout| layout.add_image(root, names))
}

/// Adds an existing image and referrers. Their blobs are in `staging`, except those that the layout
/// had already.
pub(super) fn add_graph(
    graph: &ImageGraph,
    staging: &Staging,
    referrers: &[ImageGraph],
    names: &[ImageName],
    directory: &Path,
) -> Result<Vec<LayoutWarning>, LayoutError> {
    with_locked_layout(directory, staging, |layout| layout.add_graph(graph, referrers, names))
}

/// Adds artifacts to the layout at `directory`; `others` says what happens to others of the same type
/// and subject.
pub(super) fn add_artifacts(
    artifacts: &[Artifact],
    others: SameTypeArtifacts,
    staging: &Staging,
    directory: &Path,
) -> Result<Vec<LayoutWarning>, LayoutError> {
    with_locked_layout(directory, staging, |layout| layout.add_artifacts(artifacts, others))
}

/// What happens to the artifacts in a layout that have the type and the subject of a new one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SameTypeArtifacts {
    /// They are kept: an image can have several signatures.
    Keep,
    /// They are removed: an image has one contract.
    Replace,
}

/// Locks the layout at `directory` and runs `write`. Creates the layout if it does not exist, and
/// removes it again if `write` fails.
fn with_locked_layout(
    directory: &Path,
    staging: &Staging,
    write: impl FnOnce(&LockedLayout<'_>) -> Result<Vec<LayoutWarning>, LayoutError>,
) -> Result<Vec<LayoutWarning>, LayoutError> {
    let directory = &fs::absolute_path(directory)?;
    let parents = CreatedParents::create(directory)?;
    let layout = LockedLayout::create_and_lock(directory, staging)?;
    let written = write(&layout).and_then(|warnings| {
        parents.sync(staging.durability())?;
        Ok(warnings)
    });
    if written.is_err() && layout.is_new && !directory.join(INDEX_JSON).exists() {
        // Errors are ignored, because an earlier error is reported instead.
        let _ = std::fs::remove_dir_all(directory);
    }
    written
}

/// A layout that is locked against other builds until this is dropped.
struct LockedLayout<'a> {
    directory: &'a Path,
    /// The directory of unfinished files.
    staging: &'a Staging,
    is_new: bool,
    _lock: Option<File>,
}

impl<'a> LockedLayout<'a> {
    /// Creates the layout if it does not exist, and waits for its lock.
    fn create_and_lock(directory: &'a Path, staging: &'a Staging) -> Result<Self, LayoutError> {
        let mut is_new = false;
        for _ in 0..MAX_LOCK_ATTEMPTS {
            match std::fs::create_dir(directory) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => {
                    result.context("create", directory)?;
                    is_new = true;
                }
            }
            match Self::wait_for_lock(directory, staging, is_new) {
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
    fn wait_for_lock(
        directory: &'a Path,
        staging: &'a Staging,
        is_new: bool,
    ) -> Result<Option<Self>, LayoutError> {
        let path = directory.join(OCI_LAYOUT);
        if fs::symlink_metadata(&path)?.is_none() && !create_oci_layout(directory, &path)? {
            return Ok(None);
        }
        let file = match fs::open_regular_file(&path, FinalLink::Refuse) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        match file.lock() {
            // Without locks, concurrent builds may lose an index entry, but never a blob of one.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                return Ok(Some(Self { directory, staging, is_new, _lock: None }));
            }
            result => result.context("lock", &path)?,
        }
        let there = fs::is_file_at(&file, &path)?;
        if !there {
            return Ok(None);
        }
        let layout = Self { directory, staging, is_new, _lock: Some(file) };
        // A crash of the machine can leave a file without content.
        if is_without_content(&path)? {
            let json = to_json_bytes(OCI_LAYOUT, &oci_layout_json())?;
            atomic_file::write_file(staging, &path, &json)?;
            return Ok(None);
        }
        Ok(Some(layout))
    }

    fn add_image(&self, root: &ImageSet, names: &[ImageName]) -> Result<Vec<LayoutWarning>, LayoutError> {
        let (mut index, warning) = read_index_or_empty(self.directory)?;
        let blobs = self.create_blobs_dir()?;
        root.layer_descriptors().try_for_each(|named| self.move_blob_into(&named, &blobs))?;
        for blob in root.documents() {
            atomic_file::write_file(self.staging, &blobs.join(blob_file_name(blob)), blob.bytes())?;
        }
        let before = index.clone();
        index_json::put_image(&mut index, root.descriptor(), names)?;
        remove_stale_artifacts(self.directory, &before, &mut index);
        self.write_index(&index, warning)
    }

    fn add_graph(
        &self,
        graph: &ImageGraph,
        referrers: &[ImageGraph],
        names: &[ImageName],
    ) -> Result<Vec<LayoutWarning>, LayoutError> {
        let (mut index, warning) = read_index_or_empty(self.directory)?;
        let blobs = self.create_blobs_dir()?;
        for ImageGraph { documents, blobs: others } in std::iter::once(graph).chain(referrers) {
            others.values().try_for_each(|named| self.move_blob_into(named, &blobs))?;
            for document in documents {
                let path = blobs.join(document.digest.hex());
                atomic_file::write_file(self.staging, &path, &document.bytes)?;
            }
        }
        let root = graph.root().ok_or(LayoutError::Internal("an image to write has no manifest"))?;
        let entries = names.iter().map(|name| index_json::document_entry(root, name)).collect();
        let before = index.clone();
        index_json::replace_entries(&mut index, entries, names);
        remove_stale_artifacts(self.directory, &before, &mut index);
        for referrer in referrers.iter().filter_map(ImageGraph::root) {
            index_json::add_referrer(&mut index, index_json::referrer_entry(referrer));
        }
        self.write_index(&index, warning)
    }

    /// Moves a blob from the staging directory into `blobs`, unless it is there already.
    fn move_blob_into(&self, named: &Descriptor, blobs: &Path) -> Result<(), LayoutError> {
        let (staged, path) = (self.staging.blob_path(named.digest), blobs.join(named.digest.hex()));
        if staged.exists() {
            return Ok(atomic_file::link_file(self.staging, &staged, &path)?);
        }
        if path.exists() {
            return Ok(self.staging.durability().sync_file(&path)?);
        }
        // The layout had the blob, and another build has removed it since.
        let source = io::Error::other(format!(
            "another build removed it ({} bytes) in the meantime: try again",
            named.size
        ));
        Err(LayoutError::CopyBlob { digest: named.digest, source })
    }

    fn add_artifacts(
        &self,
        artifacts: &[Artifact],
        others: SameTypeArtifacts,
    ) -> Result<Vec<LayoutWarning>, LayoutError> {
        let (mut index, warning) = read_index_or_empty(self.directory)?;
        let blobs = self.create_blobs_dir()?;
        for blob in artifacts.iter().flat_map(Artifact::blobs) {
            atomic_file::write_file(self.staging, &blobs.join(blob_file_name(blob)), blob.bytes())?;
        }
        let subjects = stale_artifacts::subjects(self.directory, &index);
        for artifact in artifacts {
            match others {
                SameTypeArtifacts::Keep => {
                    index_json::add_referrer(&mut index, index_json::artifact_entry(artifact)?);
                }
                SameTypeArtifacts::Replace => index_json::put_artifact(&mut index, artifact, &subjects)?,
            }
        }
        self.write_index(&index, warning)
    }

    /// Returns the directory of the blobs. Creates it if it does not exist.
    fn create_blobs_dir(&self) -> Result<PathBuf, LayoutError> {
        let blobs = blobs_dir(self.directory);
        check_blobs_dir(self.directory)?;
        std::fs::create_dir_all(&blobs).context("create", &blobs)?;
        Ok(blobs)
    }

    /// Writes `index.json`, and removes blobs that it no longer refers to. The blobs and their names
    /// are on the storage device before the index refers to them, and the index is before the old
    /// blobs are removed.
    fn write_index(
        &self,
        index: &Value,
        warning: Option<LayoutWarning>,
    ) -> Result<Vec<LayoutWarning>, LayoutError> {
        let durability = self.staging.durability();
        let blobs = blobs_dir(self.directory);
        for directory in [&*blobs, blobs.parent().unwrap_or(self.directory), self.directory] {
            durability.sync_directory(directory)?;
        }
        let json = to_json_bytes("index", index)?;
        atomic_file::write_file(self.staging, &self.directory.join(INDEX_JSON), &json)?;
        durability.sync_directory(self.directory)?;
        if let Some(parent) = self.directory.parent().filter(|_| self.is_new) {
            durability.sync_directory(parent)?;
        }
        let mut warnings = garbage_collection::remove_unreachable_blobs(self.directory, index);
        warnings.extend(warning);
        Ok(warnings)
    }
}

/// Atomically creates `oci-layout`, never overwriting an existing file. Returns false if the
/// directory is gone.
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
