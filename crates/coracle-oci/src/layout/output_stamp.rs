//! Records what was written to a destination, to detect later whether it is still there without
//! reading layers.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::disk_location::{DiskFormat, DiskLocation, resolve_path};
use super::error::LayoutError;
use super::image_names::{ImageNames, names_with_tag};
use super::{index_json, layout_files, read};
use crate::image::{Artifact, ImageSet};

/// The files and index entries of published images. A file is unchanged if its stat data are; other
/// entries of an index may change.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OutputStamp {
    /// The files.
    pub files: Vec<PathBuf>,
    /// The entries in indexes.
    pub index_stamps: Vec<IndexStamp>,
}

/// The entries of an image in the index of a layout or archive.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct IndexStamp {
    kind: DiskFormat,
    path: PathBuf,
    entries: Vec<Value>,
}

impl OutputStamp {
    /// Adds the files and entries of `root`, which was just published to `destination` under these
    /// names.
    ///
    /// # Errors
    /// Fails if the destination cannot be resolved.
    pub fn add_image(
        &mut self,
        root: &ImageSet,
        names: ImageNames<'_>,
        destination: &DiskLocation,
    ) -> Result<(), LayoutError> {
        let path = resolve_path(&destination.path)?;
        match destination.format {
            DiskFormat::Layout => self.files.extend(layout_files::image_blob_paths(root, &path)),
            DiskFormat::OciArchive | DiskFormat::DockerArchive => self.files.push(path.clone()),
        }
        let entries = index_json::image_entries(
            root.descriptor(),
            &names_with_tag(names, destination.tag.as_deref())?,
        )?;
        self.index_stamps.push(IndexStamp { kind: destination.format, path, entries });
        Ok(())
    }

    /// Adds the files and the entry of `artifact` in the layout at `destination`.
    ///
    /// # Errors
    /// Fails if the destination cannot be resolved.
    pub fn add_artifact(
        &mut self,
        artifact: &Artifact,
        destination: &DiskLocation,
    ) -> Result<(), LayoutError> {
        let path = resolve_path(&destination.path)?;
        self.files.extend(layout_files::artifact_blob_paths(artifact, &path));
        let entries = vec![index_json::artifact_entry(artifact)?];
        self.index_stamps.push(IndexStamp { kind: destination.format, path, entries });
        Ok(())
    }
}

impl IndexStamp {
    /// Returns whether the index still contains all entries. Another build may have replaced
    /// entries, even before this build recorded them.
    pub fn are_index_entries_current(&self) -> bool {
        let Self { kind, path, entries } = self;
        let location = DiskLocation { format: *kind, path: path.clone(), tag: None };
        read::index_entries(&location).is_some_and(|there| entries.iter().all(|entry| there.contains(entry)))
    }
}
