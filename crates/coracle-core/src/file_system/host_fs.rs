//! A directory of the host as a root directory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::view::{FileSystem, FsFile, FsNode};
use crate::content::Content;
use crate::fs::{self, PathMetadata, Stat};
use crate::input_tracker::InputTracker;
use crate::path::{ImagePath, RawPath};

/// A host directory as a root. Metadata of each path, and each list, is read once and cached.
#[derive(Debug)]
pub struct HostFs {
    root: PathBuf,
    nodes: Mutex<BTreeMap<ImagePath, Option<FsNode>>>,
    untracked_nodes: Mutex<BTreeMap<ImagePath, Option<FsNode>>>,
    untracked_lists: Mutex<BTreeMap<ImagePath, Vec<Vec<u8>>>>,
    lists: Mutex<BTreeMap<ImagePath, Listing>>,
}

/// The names in a directory, and its metadata before they were read: an entry that is added meanwhile
/// shows as a change.
#[derive(Debug)]
struct Listing {
    stat: Stat,
    names: Vec<Vec<u8>>,
}

impl HostFs {
    /// Creates a view of the host directory `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            nodes: Mutex::default(),
            untracked_nodes: Mutex::default(),
            untracked_lists: Mutex::default(),
            lists: Mutex::default(),
        }
    }

    /// Returns the host path of `path`.
    pub fn host_path(&self, path: &ImagePath) -> PathBuf {
        self.root.join(fs::path_from_bytes(path.relative_bytes()))
    }

    /// Adds all paths that were read or listed here to `tracker`, with their metadata at that time.
    pub fn record_inputs(&self, tracker: &mut InputTracker) {
        for (path, node) in lock(&self.nodes).iter() {
            tracker.record_metadata(self.host_path(path), &node_to_metadata(node.as_ref()));
        }
        for (path, listing) in lock(&self.lists).iter() {
            tracker.record_listing(self.host_path(path), listing.stat);
        }
    }

    /// Lists a directory if it is not known yet, and returns what `read` takes from it.
    fn with_listing<T>(&self, path: &ImagePath, read: impl FnOnce(&Listing) -> T) -> fs::Result<T> {
        if let Some(listing) = lock(&self.lists).get(path) {
            return Ok(read(listing));
        }
        let host = self.host_path(path);
        let listing = Listing { stat: fs::stat(&host)?, names: fs::list_directory(&host)? };
        let result = read(&listing);
        lock(&self.lists).insert(path.clone(), listing);
        Ok(result)
    }

    fn read_node(&self, path: &ImagePath) -> fs::Result<Option<FsNode>> {
        let host = self.host_path(path);
        Ok(fs::symlink_metadata(&host)?.map(|found| match found {
            PathMetadata::Directory => FsNode::Directory,
            PathMetadata::Link(target) => FsNode::Link(RawPath::new(target)),
            PathMetadata::Special(kind) => FsNode::Special(kind),
            PathMetadata::File(stat) => {
                FsNode::File(FsFile { stat, content: Content::from_host_file(host, stat) })
            }
        }))
    }
}

impl FileSystem for HostFs {
    fn node(&self, path: &ImagePath) -> fs::Result<Option<FsNode>> {
        if let Some(node) = lock(&self.nodes).get(path) {
            return Ok(node.clone());
        }
        let node = self.read_node(path)?;
        lock(&self.nodes).insert(path.clone(), node.clone());
        Ok(node)
    }

    fn list(&self, path: &ImagePath) -> fs::Result<Vec<Vec<u8>>> {
        self.with_listing(path, |listing| listing.names.clone())
    }

    fn directory_mode(&self, path: &ImagePath) -> fs::Result<u32> {
        self.with_listing(path, |listing| listing.stat.mode)
    }

    fn node_untracked(&self, path: &ImagePath) -> fs::Result<Option<FsNode>> {
        for nodes in [&self.nodes, &self.untracked_nodes] {
            if let Some(node) = lock(nodes).get(path) {
                return Ok(node.clone());
            }
        }
        let node = self.read_node(path)?;
        lock(&self.untracked_nodes).insert(path.clone(), node.clone());
        Ok(node)
    }

    fn list_untracked(&self, path: &ImagePath) -> fs::Result<Vec<Vec<u8>>> {
        if let Some(names) = lock(&self.untracked_lists).get(path) {
            return Ok(names.clone());
        }
        let names = fs::list_directory(&self.host_path(path))?;
        lock(&self.untracked_lists).insert(path.clone(), names.clone());
        Ok(names)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Converts a node to the form that an [`InputTracker`] records.
fn node_to_metadata(node: Option<&FsNode>) -> Option<PathMetadata> {
    node.map(|node| match node {
        FsNode::Directory => PathMetadata::Directory,
        FsNode::Link(target) => PathMetadata::Link(target.as_bytes().to_vec()),
        FsNode::File(file) => PathMetadata::File(file.stat),
        FsNode::Special(kind) => PathMetadata::Special(kind),
    })
}
