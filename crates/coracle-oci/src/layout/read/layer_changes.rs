//! The changes that one layer makes to the paths of an image. A layer is read as a stream, header
//! by header. Source: image-spec, `layer.md`.

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::read_failure::invalid_data;
use super::tar_header_reader::{TarHeader, TarHeaderReader, TarMemberKind, UnseekableReader};
use coracle_core::path::ImagePath;

/// The maximum number of paths of an image. A large distribution has some hundred thousand.
pub(super) const MAX_PATHS: usize = 2_000_000;
/// The maximum size of all paths and link targets together, in bytes.
pub(super) const MAX_PATH_BYTES: usize = 256 << 20;
/// The maximum size of a path or a link target, in bytes: Linux's `PATH_MAX`, without the NUL.
const MAX_PATH_SIZE: usize = 4095;
/// The maximum uncompressed size of all layers of an image together, in bytes.
pub(super) const MAX_UNPACKED_SIZE: u64 = 16 << 30;

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// An entry of an image's file system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImageEntry {
    /// The type and content.
    pub node: ImageEntryKind,
    /// Permission bits, at most `0o7777`.
    pub mode: u32,
    /// UID and GID.
    pub owner: (u32, u32),
    /// The index of the layer that it comes from; 0 is the lowest.
    pub layer: usize,
}

/// The type of an entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ImageEntryKind {
    /// A directory.
    Directory,
    /// A file. Hard links to it are separate entries.
    File(LayerExtent),
    /// A symbolic link and its target.
    Link(Vec<u8>),
    /// A device, FIFO or other special file.
    Special,
}

/// The location of a file's content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LayerExtent {
    /// The index of the layer; 0 is the lowest.
    pub layer: usize,
    /// The offset in the uncompressed tar.
    pub position: u64,
    /// The size in bytes.
    pub size: u64,
}

impl ImageEntry {
    /// Returns whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.node == ImageEntryKind::Directory
    }
}

/// The changes of one layer.
#[derive(Default)]
pub(crate) struct LayerChanges {
    pub(super) paths: BTreeMap<ImagePath, ImageEntry>,
    pub(super) whiteouts: Vec<ImagePath>,
    pub(super) opaque_directories: Vec<ImagePath>,
    /// Hard links to files of lower layers: path and target.
    pub(super) hard_links: Vec<(ImagePath, ImagePath)>,
    layer_index: usize,
    path_bytes: usize,
    /// The size of the tar, in bytes.
    pub(super) unpacked_size: u64,
}

impl LayerChanges {
    /// Reads the tar of the layer with this index, of less than `limit` bytes.
    pub(super) fn from_tar(reader: impl Read, layer_index: usize, limit: u64) -> io::Result<Self> {
        let mut layer = Self::empty(layer_index);
        let mut headers = TarHeaderReader::new(UnseekableReader(reader.take(limit)));
        while let Some(header) = headers.next_header()? {
            layer.add_member(&header)?;
        }
        let mut rest = headers.into_inner();
        io::copy(&mut rest, &mut io::sink())?;
        layer.unpacked_size = limit.saturating_sub(rest.0.limit());
        if rest.0.limit() == 0 {
            Err(invalid_data("the image unpacks to more than 16 GiB"))
        } else {
            Ok(layer)
        }
    }

    /// Returns the changes of an empty layer with this index.
    pub(super) fn empty(layer_index: usize) -> Self {
        Self { layer_index, ..Self::default() }
    }

    /// Adds what one member changes.
    pub(super) fn add_member(&mut self, header: &TarHeader) -> io::Result<()> {
        if header.name.len().max(header.link.len()) > MAX_PATH_SIZE {
            return Err(invalid_data("a path or a link target in it is longer than Linux allows"));
        }
        let names = path_components(&header.name)?;
        let Some((last, above)) = names.split_last() else { return Ok(()) };
        self.path_bytes += header.name.len() + header.link.len();
        let marks = self.whiteouts.len() + self.opaque_directories.len() + self.hard_links.len();
        if self.paths.len() + marks >= MAX_PATHS || self.path_bytes > MAX_PATH_BYTES {
            return Err(invalid_data("it has too many paths for an image"));
        }
        if *last == OPAQUE {
            self.opaque_directories.push(image_path(above)?);
        } else if let Some(name) = last.strip_prefix(WHITEOUT) {
            let mut names = above.to_vec();
            names.push(name);
            self.whiteouts.push(image_path(&names)?);
        } else if header.kind == TarMemberKind::HardLink {
            let (path, target) = (image_path(&names)?, image_path(&path_components(&header.link)?)?);
            match self.paths.get(&target).cloned() {
                Some(entry) => drop(self.paths.insert(path, entry)),
                None => self.hard_links.push((path, target)),
            }
        } else {
            self.paths.insert(image_path(&names)?, self.file_entry(header));
        }
        Ok(())
    }

    fn file_entry(&self, header: &TarHeader) -> ImageEntry {
        let node = match header.kind {
            TarMemberKind::Directory => ImageEntryKind::Directory,
            TarMemberKind::Symlink => ImageEntryKind::Link(header.link.clone()),
            TarMemberKind::File => ImageEntryKind::File(LayerExtent {
                layer: self.layer_index,
                position: header.position,
                size: header.size,
            }),
            _ => ImageEntryKind::Special,
        };
        ImageEntry { node, mode: header.mode, owner: header.owner, layer: self.layer_index }
    }
}

/// Returns the path of a member, as it is in the tar: a whiteout has the path of its mark.
pub(super) fn member_path(header: &TarHeader) -> io::Result<ImagePath> {
    image_path(&path_components(&header.name)?)
}

/// Splits a path of a tar into its components.
///
/// # Errors
/// Fails if one of them is `..`.
fn path_components(path: &[u8]) -> io::Result<Vec<&[u8]>> {
    let names: Vec<&[u8]> =
        path.split(|byte| *byte == b'/').filter(|name| !name.is_empty() && *name != b".").collect();
    if names.contains(&b"..".as_slice()) {
        return Err(invalid_data("a path in it leads out of the image"));
    }
    Ok(names)
}

fn image_path(names: &[&[u8]]) -> io::Result<ImagePath> {
    let owned: Vec<Vec<u8>> = names.iter().map(|name| name.to_vec()).collect();
    join_components(&owned).ok_or_else(|| invalid_data("a path in it is invalid"))
}

pub(super) fn join_components(names: &[Vec<u8>]) -> Option<ImagePath> {
    let mut bytes = Vec::new();
    for name in names {
        bytes.push(b'/');
        bytes.extend(name);
    }
    if bytes.is_empty() { Some(ImagePath::root()) } else { ImagePath::parse(&bytes).ok() }
}
