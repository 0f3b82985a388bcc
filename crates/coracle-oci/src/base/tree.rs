//! File system view of a base image: the merged layers, with contents in the layers' tars.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use coracle_core::content::{Content, Part};
use coracle_core::digest::{DiffId, Hashing};
use coracle_core::fs::{self, Context, Found, Identity, Stat};
use coracle_core::path::{ImagePath, Spelled};
use coracle_core::entry::Owner;
use crate::layout::{Extent, FileEntry, FileNode, Files};
use coracle_core::file_system::{Node, Tree, TreeFile};

/// A device number that no host file system has.
const DEVICE: u64 = u64::MAX;
/// The upper bits of an inode number are the layer's index, the lower ones the offset in its tar.
const LAYER_SHIFT: u32 = 44;

/// The file system of a base image. The tar files must not be moved or changed while it is used.
#[derive(Debug, Default)]
pub struct BaseTree {
    files: Files,
    /// Path and metadata of each layer's tar, the lowest layer first.
    tars: Vec<(PathBuf, Stat)>,
}

impl BaseTree {
    /// Applies the layer in the tar at `path`. Returns false if its diff ID is not `diff_id`.
    ///
    /// # Errors
    /// The inner error if the file is not a tar, the outer one if it cannot be read.
    pub(super) fn add(&mut self, path: &Path, diff_id: &DiffId) -> fs::Result<io::Result<bool>> {
        let Some(Found::File(stat)) = fs::look(path)? else {
            return Err(fs::Error::new("read", path, io::ErrorKind::NotFound.into()));
        };
        let mut tar = Hashing::new(File::open(path).context("open", path)?);
        let layer = self.files.read_tar(BufReader::with_capacity(READ_AT_ONCE, &mut tar));
        // Checked before the layer is applied and before its parse error is returned.
        if tar.finish() != diff_id.digest() {
            return Ok(Ok(false));
        }
        let put = layer.and_then(|layer| self.files.put(layer).map_err(io::Error::other));
        self.tars.push((path.to_owned(), stat));
        Ok(put.map(|()| true))
    }

    fn file(&self, entry: &FileEntry, extent: &Extent) -> Option<TreeFile> {
        let (path, stat) = self.tars.get(extent.layer)?;
        let kept = Part::Kept { start: extent.position, size: extent.size };
        let content = Content::host_file(path.clone(), *stat).spliced(vec![kept]);
        let inode = (extent.layer as u64) << LAYER_SHIFT | extent.position;
        let identity = Identity { device: DEVICE, inode };
        let stat = Stat { identity, size: extent.size, mode: entry.mode, links: 1, times: [(0, 0); 2] };
        Some(TreeFile { stat, content })
    }
}

/// Buffer size for reading and hashing a tar, in bytes.
const READ_AT_ONCE: usize = 256 << 10;

impl Tree for BaseTree {
    fn node(&self, path: &ImagePath) -> fs::Result<Option<Node>> {
        if path.name().is_none() {
            return Ok(Some(Node::Directory));
        }
        Ok(self.files.get(path).and_then(|entry| match &entry.node {
            FileNode::Directory => Some(Node::Directory),
            FileNode::Link(target) => Some(Node::Link(Spelled::new(target.as_slice()))),
            FileNode::File(extent) => self.file(entry, extent).map(Node::File),
            FileNode::Special => Some(Node::Special("device")),
        }))
    }

    fn list(&self, path: &ImagePath) -> fs::Result<Vec<Vec<u8>>> {
        let inside = self.files.within(path).filter(|(found, _)| found.parent().as_ref() == Some(path));
        Ok(inside.filter_map(|(found, _)| Some(found.name()?.to_vec())).collect())
    }
}

impl BaseTree {
    /// Mode and owner of the directory at `path`; `None` if there is none.
    pub fn directory(&self, path: &ImagePath) -> Option<(u32, Owner)> {
        let entry = self.files.get(path).filter(|entry| entry.is_directory())?;
        let (uid, gid) = entry.owner;
        Some((entry.mode, Owner { uid, gid }))
    }
}
