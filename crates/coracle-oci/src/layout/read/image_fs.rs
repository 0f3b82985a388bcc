//! File system view of an image: the merged layers, with contents in the layers' tars.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use super::image_files::ImageFiles;
use super::layer_changes::{ImageEntry, ImageEntryKind, LayerChanges, LayerExtent};
use coracle_core::content::{Content, SplicePart};
use coracle_core::digest::{DiffId, HashingReader};
use coracle_core::entry::Owner;
use coracle_core::file_system::{FileSystem, FsFile, FsNode};
use coracle_core::fs::{self, Context, FileId, PathMetadata, Stat};
use coracle_core::path::{ImagePath, RawPath};

/// A device number that no host file system has.
const IMAGE_DEVICE: u64 = u64::MAX;
/// The number of lower bits of an inode number, which are the offset in the layer's tar. The upper
/// bits are the layer's index.
const LAYER_SHIFT: u32 = 44;

/// The file system of an image. The tar files must not be moved or changed while it is used.
#[derive(Debug, Default)]
pub struct ImageFs {
    files: ImageFiles,
    /// The tar of each layer, the lowest layer first; `None` for a layer without stored contents.
    tars: Vec<Option<StoredTar>>,
}

/// The file with the contents of a layer's tar, at their offsets.
#[derive(Clone, Debug)]
pub(super) struct StoredTar {
    pub(super) path: PathBuf,
    pub(super) stat: Stat,
    /// The offsets of the contents that are stored, sorted; `None` if all of them are.
    pub(super) stored: Option<Vec<u64>>,
}

impl ImageFs {
    /// Returns all paths of the image.
    pub fn files(&self) -> &ImageFiles {
        &self.files
    }

    /// Applies a layer whose contents are in the tar at `tar`, or are not stored.
    pub(super) fn apply_changes(
        &mut self,
        layer: LayerChanges,
        tar: Option<StoredTar>,
    ) -> Result<(), String> {
        self.tars.push(tar);
        self.files.apply_layer(layer)
    }

    /// Counts a layer whose members are not read.
    pub(super) fn skip_layer(&mut self) {
        self.tars.push(None);
        self.files.skip_layer();
    }

    /// Applies the layer in the tar at `path`. Returns false if its diff ID is not `diff_id`.
    ///
    /// # Errors
    /// The inner error if the file is not a tar, the outer one if it cannot be read.
    pub(crate) fn apply_layer(&mut self, path: &Path, diff_id: &DiffId) -> fs::Result<io::Result<bool>> {
        let Some(PathMetadata::File(stat)) = fs::symlink_metadata(path)? else {
            return Err(fs::Error::new("read", path, io::ErrorKind::NotFound.into()));
        };
        let mut tar = HashingReader::new(File::open(path).context("open", path)?);
        let layer = self.files.read_layer(BufReader::with_capacity(READ_BUFFER_SIZE, &mut tar));
        // Checked before the layer is applied and before its parse error is returned.
        if tar.finish() != diff_id.digest() {
            return Ok(Ok(false));
        }
        let applied = layer.and_then(|layer| self.files.apply_layer(layer).map_err(io::Error::other));
        self.tars.push(Some(StoredTar { path: path.to_owned(), stat, stored: None }));
        Ok(applied.map(|()| true))
    }

    /// The number of bytes that further layers may have.
    pub(crate) fn unpacked_size_left(&self) -> u64 {
        self.files.unpacked_size_left()
    }

    fn fs_file(&self, entry: &ImageEntry, extent: &LayerExtent) -> Option<FsFile> {
        let StoredTar { path, stat, stored } = self.tars.get(extent.layer)?.as_ref()?;
        if stored.as_ref().is_some_and(|stored| stored.binary_search(&extent.position).is_err()) {
            return None;
        }
        let part = SplicePart::Existing { start: extent.position, size: extent.size };
        let content = Content::from_host_file(path.clone(), *stat).splice(vec![part]);
        let inode = (extent.layer as u64) << LAYER_SHIFT | extent.position;
        let stat = Stat::synthetic(FileId { device: IMAGE_DEVICE, inode }, extent.size, entry.mode);
        Some(FsFile { stat, content })
    }
}

/// Buffer size for reading and hashing a tar, in bytes.
const READ_BUFFER_SIZE: usize = 256 << 10;

impl FileSystem for ImageFs {
    fn node(&self, path: &ImagePath) -> fs::Result<Option<FsNode>> {
        if path.file_name().is_none() {
            return Ok(Some(FsNode::Directory));
        }
        Ok(self.files.get(path).and_then(|entry| match &entry.node {
            ImageEntryKind::Directory => Some(FsNode::Directory),
            ImageEntryKind::Link(target) => Some(FsNode::Link(RawPath::new(target.as_slice()))),
            ImageEntryKind::File(extent) => self.fs_file(entry, extent).map(FsNode::File),
            ImageEntryKind::Special => Some(FsNode::Special("device")),
        }))
    }

    fn list(&self, path: &ImagePath) -> fs::Result<Vec<Vec<u8>>> {
        Ok(self.files.child_names(path))
    }
}

impl ImageFs {
    /// Mode and owner of the directory at `path`; `None` if there is none.
    pub fn directory(&self, path: &ImagePath) -> Option<(u32, Owner)> {
        let entry = self.files.get(path).filter(|entry| entry.is_directory())?;
        let (uid, gid) = entry.owner;
        Some((entry.mode, Owner { uid, gid }))
    }
}
