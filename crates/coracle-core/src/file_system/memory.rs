//! A file system view written as text: one node a line. For tests and examples.

#![expect(clippy::unwrap_used, reason = "the text is written by the caller; a wrong path is a mistake in it")]

use std::collections::BTreeMap;

use super::{FileSystem, FsFile, FsNode};
use crate::content::Content;
use crate::fs::{self, FileId, Stat};
use crate::path::{ImagePath, RawPath};

/// Nodes by path. In the text, a line is `/dir/`, `/link -> target` or `/file = content`; parents are added.
#[derive(Default, Debug)]
pub struct MemoryTree(BTreeMap<ImagePath, FsNode>);

impl MemoryTree {
    /// Parses `text`.
    ///
    /// # Panics
    /// If a path is not absolute.
    pub fn new(text: &str) -> Self {
        let mut tree = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some((path, target)) = line.split_once(" -> ") {
                tree.add(path, FsNode::Link(RawPath::new(target)));
            } else if let Some((path, content)) = line.split_once(" = ") {
                tree.add_file(path, content.as_bytes());
            } else {
                tree.add(line, FsNode::Directory);
            }
        }
        tree
    }

    /// Adds `node` at `path`, and the directories above it.
    ///
    /// # Panics
    /// If `path` is not absolute.
    pub fn add(&mut self, path: &str, node: FsNode) {
        let path: ImagePath = path.parse().unwrap();
        for above in path.ancestors() {
            self.0.entry(above).or_insert(FsNode::Directory);
        }
        self.0.insert(path, node);
    }

    /// Adds a file, with an inode of its own.
    ///
    /// # Panics
    /// If `path` is not absolute.
    pub fn add_file(&mut self, path: &str, content: &[u8]) {
        let inode = self.0.len() as u64 + 1;
        self.add_inode(path, content, inode);
    }

    /// Adds a file with the given inode: two paths with the same one are hard links.
    ///
    /// # Panics
    /// If `path` is not absolute.
    pub fn add_inode(&mut self, path: &str, content: &[u8], inode: u64) {
        let stat = Stat {
            file_id: FileId { device: 0, inode },
            size: content.len() as u64,
            mode: 0o755,
            hard_links: 1,
            mtime_and_ctime: [(0, 0); 2],
        };
        self.add(path, FsNode::File(FsFile { stat, content: Content::from_bytes(content) }));
    }
}

impl FileSystem for MemoryTree {
    fn node(&self, path: &ImagePath) -> fs::Result<Option<FsNode>> {
        Ok(self.0.get(path).cloned())
    }

    fn list(&self, path: &ImagePath) -> fs::Result<Vec<Vec<u8>>> {
        let inside = self.0.keys().filter(|entry| entry.parent().as_ref() == Some(path));
        Ok(inside.filter_map(|entry| Some(entry.file_name()?.to_vec())).collect())
    }
}
