//! The file tree of an image: the entry at each path, its owner, and the reason for it.
//!
//! Does not depend on tar or the OCI format. ARCHITECTURE.md, "Rules of the image", has the rules
//! for owners, modes and paths.

mod accounts;
mod base;
mod builder;
mod error;
mod fixed_point;
mod include;
mod included;
mod mapped;
mod placement;
mod plan;
mod planner;
mod pointers;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use base::{Base, Below};
pub use coracle_core::entry::{Entry, Node, Owner, Reason, Stratum};
pub use error::{Conflict, Error, IncludeProblem, PrivatePath};
pub use coracle_core::system_directories::is_system;
pub use plan::{Include, Planned, Program, Request, plan};

use coracle_core::digest::Digest;
use coracle_core::fs::{self, Identity, Stat};
use coracle_core::path::ImagePath;
use coracle_core::file_system::{self, Tree, TreeFile};

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
    pub fn strata(&self) -> BTreeSet<Stratum> {
        let own = self.entries.values().filter(|entry| !matches!(entry.node, Node::Directory));
        let strata: BTreeSet<Stratum> = own.map(|entry| entry.stratum).collect();
        if strata.is_empty() { self.entries.values().map(|entry| entry.stratum).collect() } else { strata }
    }

    /// Returns the entries of the layer of `stratum`, and the directories above them, so that the
    /// layer is complete by itself. Directories of a kind without a layer are in the first layer.
    pub fn layer(&self, stratum: Stratum) -> Vec<(&ImagePath, &Entry)> {
        let strata = self.strata();
        let home = |entry: &Entry| {
            if strata.contains(&entry.stratum) { Some(entry.stratum) } else { strata.first().copied() }
        };
        let own: Vec<&ImagePath> =
            self.iter().filter(|(_, entry)| home(entry) == Some(stratum)).map(|(path, _)| path).collect();
        let above = own.iter().flat_map(|path| path.ancestors());
        let paths: BTreeSet<ImagePath> = above.chain(own.iter().copied().cloned()).collect();
        self.iter().filter(|(path, _)| paths.contains(path)).collect()
    }

    /// Returns the number of regular files, without hard links.
    pub fn files(&self) -> usize {
        self.entries.values().filter(|entry| matches!(entry.node, Node::File(_))).count()
    }

    /// Returns the size of all files in bytes, without hard links.
    pub fn size(&self) -> u64 {
        let sizes = self.entries.values().filter_map(|entry| match &entry.node {
            Node::File(content) => Some(content.size()),
            _ => None,
        });
        sizes.sum()
    }

    /// Whether there is an entry at `path`; links are not followed.
    fn has(&self, path: &ImagePath) -> bool {
        self.entries.contains_key(path)
    }

    /// Returns the file at `path`; hard links are followed, symbolic links are not.
    fn file(&self, path: &ImagePath) -> Option<TreeFile> {
        let entry = self.entries.get(path)?;
        match &entry.node {
            Node::HardLink(target) => self.file(target),
            Node::File(content) => {
                // The number only has to be the same for the same path.
                let inode = Digest::of(path.as_bytes()).number();
                let stat = Stat {
                    identity: Identity { device: 0, inode },
                    size: content.size(),
                    mode: entry.mode,
                    links: 1,
                    times: [(0, 0); 2],
                };
                Some(TreeFile { stat, content: content.clone() })
            }
            _ => None,
        }
    }
}

/// Lets the resolver run inside the planned image.
impl Tree for Rootfs {
    fn node(&self, path: &ImagePath) -> fs::Result<Option<file_system::Node>> {
        let Some(entry) = self.entries.get(path) else { return Ok(None) };
        Ok(match &entry.node {
            Node::Directory => Some(file_system::Node::Directory),
            Node::Link(target) => Some(file_system::Node::Link(target.clone())),
            Node::File(_) | Node::HardLink(_) => self.file(path).map(file_system::Node::File),
        })
    }

    fn list(&self, path: &ImagePath) -> fs::Result<Vec<Vec<u8>>> {
        let inside = self.entries.keys().filter(|entry| entry.parent().as_ref() == Some(path));
        Ok(inside.filter_map(|entry| Some(entry.name()?.to_vec())).collect())
    }
}
