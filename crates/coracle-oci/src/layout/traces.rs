//! Records what was written to a destination, to detect later whether it is still there without
//! reading layers.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::destination::target;
use super::{Destination, Error, Kind, index, layout, names, read};
use crate::image::{Artifact, Root};
use coracle_core::reference::Reference;

/// The files and index entries of published images. A file is unchanged if its stat data are; other
/// entries of an index may change.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Traces {
    pub files: Vec<PathBuf>,
    pub entries: Vec<Entries>,
}

/// The entries of an image in the index of a layout or archive.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entries {
    kind: Kind,
    path: PathBuf,
    entries: Vec<Value>,
}

impl Traces {
    /// Adds the files and entries of `root`, which was just published to `destination` under these
    /// names.
    ///
    /// # Errors
    /// Fails if the destination cannot be resolved.
    pub fn add(
        &mut self,
        root: &Root,
        given: &[Reference],
        destination: &Destination,
    ) -> Result<(), Error> {
        let path = target(&destination.path)?;
        match destination.kind {
            Kind::Layout => self.files.extend(layout::blobs_of(root, &path)),
            Kind::OciArchive | Kind::DockerArchive => self.files.push(path.clone()),
        }
        let entries = index::entries(root.descriptor(), &names::at(destination, given)?)?;
        self.entries.push(Entries { kind: destination.kind, path, entries });
        Ok(())
    }

    /// Adds the files and the entry of `artifact` in the layout at `destination`.
    ///
    /// # Errors
    /// Fails if the destination cannot be resolved.
    pub fn add_artifact(
        &mut self,
        artifact: &Artifact,
        destination: &Destination,
    ) -> Result<(), Error> {
        let path = target(&destination.path)?;
        self.files.extend(layout::blobs_of_artifact(artifact, &path));
        let entries = vec![index::artifact_entry(artifact)?];
        self.entries.push(Entries { kind: destination.kind, path, entries });
        Ok(())
    }
}

impl Entries {
    /// Returns whether the index still contains all entries. Another build may have replaced them,
    /// even before this one recorded them.
    pub fn are_there(&self) -> bool {
        let Self { kind, path, entries } = self;
        let place = Destination { kind: *kind, path: path.clone(), tag: None };
        read::entries(&place).is_some_and(|there| entries.iter().all(|entry| there.contains(entry)))
    }
}
