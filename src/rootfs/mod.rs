//! The file tree of an image: the entry at each path, its owner, and the reason for it.
//!
//! Does not depend on tar or the OCI format. ARCHITECTURE.md, "Rules of the image", has the rules
//! for owners, modes and paths.

mod accounts;
mod builder;
mod copy_includes;
mod error;
mod included_elf;
mod loader_search_files;
mod mapped_objects;
mod placement;
mod plan;
mod planner;
mod subtract_base;
#[cfg(test)]
mod tests;
mod verify;

use std::collections::{BTreeMap, BTreeSet};

pub use coracle_core::entry::{Entry, EntryNode, EntryReason, LayerKind, Owner};
pub use error::{Conflict, IncludeProblem, PrivatePath, RootfsError};
pub use plan::{PlanRequest, PlannedProgram, PlannedRootfs, ResolvedInclude, plan_rootfs};
pub use subtract_base::{BaseFileSystem, BaseFiles};

use coracle_core::digest::Digest;
use coracle_core::file_system::{self, FileSystem, FsFile};
use coracle_core::fs::{self, FileId, Stat};
use coracle_core::path::ImagePath;

/// The planned file tree of an image: entries by path. The parent of each entry is a directory
/// entry.
#[derive(Clone, Default, Debug)]
pub struct Rootfs {
    entries: BTreeMap<ImagePath, Entry>,
    programs: Vec<ImagePath>,
}

impl Rootfs {
    /// Iterates over all entries; a directory comes before its contents.
    pub fn iter(&self) -> impl Iterator<Item = (&ImagePath, &Entry)> {
        self.entries.iter()
    }

    /// Returns the path of each program, in the recipe's order.
    pub fn programs(&self) -> &[ImagePath] {
        &self.programs
    }

    /// Returns the layer kinds that have entries other than directories, in the order of their
    /// layers.
    pub fn layer_kinds(&self) -> BTreeSet<LayerKind> {
        let own = self.entries.values().filter(|entry| !matches!(entry.node, EntryNode::Directory));
        let strata: BTreeSet<LayerKind> = own.map(|entry| entry.layer_kind).collect();
        if strata.is_empty() { self.entries.values().map(|entry| entry.layer_kind).collect() } else { strata }
    }

    /// Returns the entries of the layer of `stratum`, and the directories above them, so that the
    /// layer is complete by itself. Directories of a kind without a layer are in the first layer.
    pub fn layer_entries(&self, stratum: LayerKind) -> Vec<(&ImagePath, &Entry)> {
        let strata = self.layer_kinds();
        let home = |entry: &Entry| {
            if strata.contains(&entry.layer_kind) { Some(entry.layer_kind) } else { strata.first().copied() }
        };
        let own: Vec<&ImagePath> =
            self.iter().filter(|(_, entry)| home(entry) == Some(stratum)).map(|(path, _)| path).collect();
        let above = own.iter().flat_map(|path| path.ancestors());
        let paths: BTreeSet<ImagePath> = above.chain(own.iter().copied().cloned()).collect();
        self.iter().filter(|(path, _)| paths.contains(path)).collect()
    }

    /// Returns the number of regular files, without hard links.
    pub fn file_count(&self) -> usize {
        self.entries.values().filter(|entry| matches!(entry.node, EntryNode::File(_))).count()
    }

    /// Returns the size of all files in bytes, without hard links.
    pub fn total_size(&self) -> u64 {
        let sizes = self.entries.values().filter_map(|entry| match &entry.node {
            EntryNode::File(content) => Some(content.size()),
            _ => None,
        });
        sizes.sum()
    }

    /// Whether there is an entry at `path`; links are not followed.
    fn contains(&self, path: &ImagePath) -> bool {
        self.entries.contains_key(path)
    }

    /// Returns the file at `path`; hard links are followed, symbolic links are not.
    fn file_at(&self, path: &ImagePath) -> Option<FsFile> {
        let entry = self.entries.get(path)?;
        match &entry.node {
            EntryNode::HardLink(target) => self.file_at(target),
            EntryNode::File(content) => {
                // The number only has to be the same for the same path.
                let inode = Digest::compute(path.as_bytes()).leading_u64();
                let stat = Stat {
                    file_id: FileId { device: 0, inode },
                    size: content.size(),
                    mode: entry.mode,
                    hard_links: 1,
                    mtime_and_ctime: [(0, 0); 2],
                };
                Some(FsFile { stat, content: content.clone() })
            }
            _ => None,
        }
    }
}

/// Lets the resolver run inside the planned image.
impl FileSystem for Rootfs {
    fn node(&self, path: &ImagePath) -> fs::Result<Option<file_system::FsNode>> {
        let Some(entry) = self.entries.get(path) else { return Ok(None) };
        Ok(match &entry.node {
            EntryNode::Directory => Some(file_system::FsNode::Directory),
            EntryNode::Symlink(target) => Some(file_system::FsNode::Link(target.clone())),
            EntryNode::File(_) | EntryNode::HardLink(_) => self.file_at(path).map(file_system::FsNode::File),
        })
    }

    fn list(&self, path: &ImagePath) -> fs::Result<Vec<Vec<u8>>> {
        let inside = self.entries.keys().filter(|entry| entry.parent().as_ref() == Some(path));
        Ok(inside.filter_map(|entry| Some(entry.file_name()?.to_vec())).collect())
    }
}
