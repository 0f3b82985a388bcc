//! What an image leaves at a destination: enough to tell later that it is still there, without reading its layers.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::destination::target;
use super::{Destination, Error, Kind, index, layout, names, read};
use crate::image::{Artifact, Root};
use coracle_core::reference::Reference;

/// The files of an image, whose stat data tell whether they changed, and its entries in an index, beside which others
/// may come and go.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Traces {
    pub files: Vec<PathBuf>,
    pub entries: Vec<Entries>,
}

/// Entries in the index of one layout or archive.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entries {
    kind: Kind,
    path: PathBuf,
    entries: Vec<Value>,
}

impl Traces {
    /// Adds those of `root` under these names at `destination`, where it was published just now.
    ///
    /// # Errors
    /// When the destination can't be found any more.
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

    /// Adds those of `artifact` in the layout at `destination`.
    ///
    /// # Errors
    /// When the destination can't be found any more.
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
    /// Whether its index still has them: another build may have written there, also before this one could look.
    pub fn are_there(&self) -> bool {
        let Self { kind, path, entries } = self;
        let place = Destination { kind: *kind, path: path.clone(), tag: None };
        read::entries(&place).is_some_and(|there| entries.iter().all(|entry| there.contains(entry)))
    }
}
