//! What an image leaves at a destination: enough to tell later that it is still there, without reading its layers.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::destination::target;
use super::{Destination, Error, Kind, index, layout, names};
use crate::image::{Artifact, Root};
use crate::reference::Reference;

/// The files of an image, whose stat data tell whether they changed, and its entries in an index, beside which others
/// may come and go.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Traces {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) entries: Vec<Entries>,
}

/// Entries of one layout.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Entries {
    layout: PathBuf,
    entries: Vec<Value>,
}

impl Traces {
    /// Adds those of `root` under these names at `destination`, where it was published just now.
    ///
    /// # Errors
    /// When the destination can't be found any more.
    pub(crate) fn add(
        &mut self,
        root: &Root,
        given: &[Reference],
        destination: &Destination,
    ) -> Result<(), Error> {
        let path = target(&destination.path)?;
        match destination.kind {
            Kind::Layout => {
                let names = names::at(destination, given)?;
                let entries = index::entries(root.descriptor(), &names)?;
                self.files.extend(layout::blobs_of(root, &path));
                self.entries.push(Entries { layout: path, entries });
            }
            Kind::OciArchive | Kind::DockerArchive => self.files.push(path),
        }
        Ok(())
    }

    /// Adds those of `artifact` in the layout at `destination`.
    ///
    /// # Errors
    /// When the destination can't be found any more.
    pub(crate) fn add_artifact(
        &mut self,
        artifact: &Artifact,
        destination: &Destination,
    ) -> Result<(), Error> {
        let path = target(&destination.path)?;
        self.files.extend(layout::blobs_of_artifact(artifact, &path));
        self.entries.push(Entries { layout: path, entries: vec![index::artifact_entry(artifact)?] });
        Ok(())
    }
}

impl Entries {
    /// Whether the layout still has them.
    pub(crate) fn are_there(&self) -> bool {
        layout::has(&self.layout, &self.entries)
    }
}
