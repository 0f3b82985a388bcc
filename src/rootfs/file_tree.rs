//! The file tree of an image: the entry at each path.

use std::collections::{BTreeMap, BTreeSet};

use coracle_core::digest::Digest;
use coracle_core::entry::{Entry, EntryNode, LayerKind};
use coracle_core::file_system::{self, FileSystem, FsFile};
use coracle_core::fs::{self, FileId, Stat};
use coracle_core::path::ImagePath;

/// The planned file tree of an image: entries by path. The parent of each entry is a directory
/// entry.
#[derive(Clone, Default, Debug)]
pub struct Rootfs {
    pub(super) entries: BTreeMap<ImagePath, Entry>,
    pub(super) programs: Vec<ImagePath>,
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
        let kinds: BTreeSet<LayerKind> = own.map(|entry| entry.layer_kind).collect();
        if kinds.is_empty() { self.entries.values().map(|entry| entry.layer_kind).collect() } else { kinds }
    }

    /// Returns the entries of the layer of `layer_kind`, and the directories above them, so that the
    /// layer is complete by itself. Directories of a kind without a layer are in the first layer.
    pub fn layer_entries(&self, layer_kind: LayerKind) -> Vec<(&ImagePath, &Entry)> {
        let kinds = self.layer_kinds();
        let home = |entry: &Entry| {
            if kinds.contains(&entry.layer_kind) { Some(entry.layer_kind) } else { kinds.first().copied() }
        };
        let own: Vec<&ImagePath> =
            self.iter().filter(|(_, entry)| home(entry) == Some(layer_kind)).map(|(path, _)| path).collect();
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

    /// Returns whether there is an entry at `path`; links are not followed.
    pub(super) fn contains(&self, path: &ImagePath) -> bool {
        self.entries.contains_key(path)
    }

    /// Returns the file at `path`; hard links are followed, symbolic links are not.
    pub(super) fn file_at(&self, path: &ImagePath) -> Option<FsFile> {
        let entry = self.entries.get(path)?;
        match &entry.node {
            EntryNode::HardLink(target) => self.file_at(target),
            EntryNode::File(content) => {
                // The number only has to be the same for the same path.
                let inode = Digest::compute(path.as_bytes()).leading_u64();
                let stat = Stat::synthetic(FileId { device: 0, inode }, content.size(), entry.mode);
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
        Ok(file_system::child_names(&self.entries, path))
    }
}
