//! Merges the layers of an image into its paths. Layers are read as a stream, header by header.
//!
//! Source: image-spec, `layer.md`: whiteouts hide entries of lower layers, never of their own.

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::ReadFailure;
use super::disk_blobs::SizedReader;
use super::tar_headers::{TarHeader, TarHeaders, UnseekableReader, invalid_data};
use crate::layer::Codec;
use coracle_core::digest::{Digest, HashingReader};
use coracle_core::path::ImagePath;

/// The maximum number of paths of an image. A large distribution has some hundred thousand.
const MAX_PATHS: usize = 2_000_000;
/// The maximum size of all paths together, in bytes.
const MAX_PATH_BYTES: usize = 256 << 20;
/// The maximum uncompressed size of a layer, in bytes.
const MAX_UNPACKED_LAYER: u64 = 64 << 30;
/// The maximum number of symbolic links that are followed for a path.
const MAX_LINKS: usize = 40;

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// All paths of an image.
#[derive(Clone, Default, Debug)]
pub struct ImageFiles {
    paths: BTreeMap<ImagePath, FileEntry>,
    layer_count: usize,
}

/// An entry of an image's file system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileEntry {
    /// The type and content.
    pub node: FileNode,
    /// Permission bits, at most `0o7777`.
    pub mode: u32,
    /// UID and GID.
    pub owner: (u32, u32),
}

/// The type of an entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FileNode {
    /// A directory.
    Directory,
    /// A file. Hard links to it are separate entries.
    File(FileExtent),
    /// A symbolic link and its target.
    Link(Vec<u8>),
    /// A device, FIFO or other special file.
    Special,
}

/// The entry of a parent directory that no layer contains.
const IMPLIED_DIRECTORY: FileEntry = FileEntry { node: FileNode::Directory, mode: 0o755, owner: (0, 0) };

/// The location of a file's content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileExtent {
    /// The index of the layer; 0 is the lowest.
    pub layer: usize,
    /// The offset in the uncompressed tar.
    pub position: u64,
    /// The size in bytes.
    pub size: u64,
}

impl ImageFiles {
    /// Returns all paths; a directory comes before its entries.
    pub fn iter(&self) -> impl Iterator<Item = (&ImagePath, &FileEntry)> {
        self.paths.iter()
    }

    /// Returns the entry at `path`, without following links.
    pub fn get(&self, path: &ImagePath) -> Option<&FileEntry> {
        self.paths.get(path)
    }

    /// Returns the entries at and below `path`.
    pub fn at_and_below(&self, path: &ImagePath) -> impl Iterator<Item = (&ImagePath, &FileEntry)> {
        let path = path.clone();
        let from = self.paths.range(path.clone()..);
        from.take_while(move |(found, _)| found.is_within(&path))
    }

    /// Resolves the symbolic links in `path`, as a runtime does before it mounts there.
    pub fn resolve_links(&self, path: &ImagePath) -> ImagePath {
        let mut due: Vec<Vec<u8>> = path.components().rev().map(<[u8]>::to_vec).collect();
        let mut at: Vec<Vec<u8>> = Vec::new();
        let mut links = 0;
        while let Some(name) = due.pop() {
            match name.as_slice() {
                b"" | b"." => continue,
                b".." => drop(at.pop()),
                _ => at.push(name),
            }
            if let Some(FileNode::Link(to)) =
                join_components(&at).and_then(|path| self.paths.get(&path)).map(|at| &at.node)
                && links < MAX_LINKS
            {
                links += 1;
                at.pop();
                if to.starts_with(b"/") {
                    at.clear();
                }
                due.extend(to.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec));
            }
        }
        join_components(&at).unwrap_or_else(|| path.clone())
    }

    /// Reads a layer, verifies its size and digest, and applies it on top.
    pub(super) fn apply_blob(
        &mut self,
        source: SizedReader,
        digest: Option<&Digest>,
        codec: Codec,
    ) -> Result<(), ReadFailure> {
        let expected = source.size;
        let mut counted = HashingReader::new(source.reader);
        let layer = LayerChanges::from_tar(codec.decompress(&mut counted)?, self.layer_count)?;
        // Bytes after the end of the tar are part of the blob.
        io::copy(&mut counted, &mut io::sink())?;
        if counted.inner().limit() > 0 {
            let found = expected - counted.inner().limit();
            return Err(ReadFailure::Message(format!("it has {found} bytes, not {expected}")));
        }
        let found = counted.finish();
        if let Some(digest) = digest.filter(|digest| **digest != found) {
            return Err(ReadFailure::Message(format!("the content of `{digest}` has the digest `{found}`")));
        }
        Ok(self.apply_layer(layer)?)
    }

    /// Reads the tar of the next layer without applying it.
    pub(crate) fn read_layer(&self, tar: impl Read) -> io::Result<LayerChanges> {
        LayerChanges::from_tar(tar, self.layer_count)
    }

    /// Applies a layer on top.
    pub(crate) fn apply_layer(&mut self, layer: LayerChanges) -> Result<(), String> {
        self.layer_count += 1;
        for path in &layer.whiteouts {
            self.remove_below(path, true);
        }
        for path in &layer.opaque_directories {
            self.remove_below(path, false);
        }
        for (path, entry) in layer.paths {
            let is_below = self.paths.get(&path).is_some_and(FileEntry::is_directory);
            if is_below && !entry.is_directory() {
                self.remove_below(&path, true);
            }
            // A tar need not contain parent directories.
            let mut above = path.parent();
            while let Some(path) =
                above.filter(|path| path.file_name().is_some() && !self.paths.contains_key(path))
            {
                above = path.parent();
                self.paths.insert(path, IMPLIED_DIRECTORY);
            }
            self.paths.insert(path, entry);
        }
        for (path, target) in layer.hard_links {
            let Some(entry) = self.paths.get(&target).filter(|entry| !entry.is_directory()) else {
                return Err(format!("the hard link `{path}` refers to `{target}`, which is not a file"));
            };
            let entry = entry.clone();
            self.paths.insert(path, entry);
        }
        let names: usize = self.paths.keys().map(|path| path.as_bytes().len()).sum();
        if self.paths.len() > MAX_PATHS || names > MAX_PATH_BYTES {
            return Err("it has too many paths for an image".into());
        }
        Ok(())
    }
}

impl ImageFiles {
    /// Removes all entries below `path`, and with `itself` also the one at `path`.
    fn remove_below(&mut self, path: &ImagePath, itself: bool) {
        let found: Vec<ImagePath> = self.at_and_below(path).map(|(path, _)| path.clone()).collect();
        for found in found.iter().filter(|found| itself || *found != path) {
            self.paths.remove(found);
        }
    }
}

/// The changes of one layer.
#[derive(Default)]
pub(crate) struct LayerChanges {
    paths: BTreeMap<ImagePath, FileEntry>,
    whiteouts: Vec<ImagePath>,
    opaque_directories: Vec<ImagePath>,
    /// Hard links to files of lower layers: path and target.
    hard_links: Vec<(ImagePath, ImagePath)>,
    layer_index: usize,
    path_bytes: usize,
}

impl LayerChanges {
    fn from_tar(reader: impl Read, number: usize) -> io::Result<Self> {
        let mut layer = Self { layer_index: number, ..Self::default() };
        let mut headers = TarHeaders::new(UnseekableReader(reader.take(MAX_UNPACKED_LAYER)));
        while let Some(header) = headers.next()? {
            layer.add_member(&header)?;
        }
        let mut rest = headers.into_inner();
        io::copy(&mut rest, &mut io::sink())?;
        if rest.0.limit() == 0 { Err(invalid_data("it unpacks to more than 64 GiB")) } else { Ok(layer) }
    }

    fn add_member(&mut self, header: &TarHeader) -> io::Result<()> {
        let names = path_components(&header.name)?;
        let Some((last, above)) = names.split_last() else { return Ok(()) };
        self.path_bytes += header.name.len();
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
        } else if header.kind.is_hard_link() {
            let (path, target) = (image_path(&names)?, image_path(&self::path_components(&header.link)?)?);
            match self.paths.get(&target).cloned() {
                Some(entry) => drop(self.paths.insert(path, entry)),
                None => self.hard_links.push((path, target)),
            }
        } else {
            self.paths.insert(image_path(&names)?, self.file_entry(header));
        }
        Ok(())
    }

    fn file_entry(&self, header: &TarHeader) -> FileEntry {
        let node = match header.kind {
            kind if kind.is_dir() => FileNode::Directory,
            kind if kind.is_symlink() => FileNode::Link(header.link.clone()),
            kind if kind.is_file() || kind.is_contiguous() => FileNode::File(FileExtent {
                layer: self.layer_index,
                position: header.position,
                size: header.size,
            }),
            _ => FileNode::Special,
        };
        FileEntry { node, mode: header.mode, owner: header.owner }
    }
}

impl FileEntry {
    /// Returns whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.node == FileNode::Directory
    }
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

fn join_components(names: &[Vec<u8>]) -> Option<ImagePath> {
    let mut bytes = Vec::new();
    for name in names {
        bytes.push(b'/');
        bytes.extend(name);
    }
    if bytes.is_empty() { Some(ImagePath::root()) } else { ImagePath::parse(&bytes).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the tar of a layer of `NAME` (a file), `NAME/` (a directory) and `NAME>TARGET` (a
    /// link).
    fn layer(entries: &[&str]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for entry in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(0);
            match entry.split_once('>') {
                Some((name, target)) => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    builder.append_link(&mut header, name, target).unwrap();
                }
                None => {
                    let kind = if entry.ends_with('/') {
                        tar::EntryType::Directory
                    } else {
                        tar::EntryType::Regular
                    };
                    header.set_entry_type(kind);
                    builder.append_data(&mut header, entry, b"".as_slice()).unwrap();
                }
            }
        }
        builder.into_inner().unwrap()
    }

    fn merged(layers: &[&[&str]]) -> ImageFiles {
        let mut files = ImageFiles::default();
        for entries in layers {
            files
                .apply_layer(LayerChanges::from_tar(layer(entries).as_slice(), files.layer_count).unwrap())
                .unwrap();
        }
        files
    }

    fn listed(layers: &[&[&str]]) -> Vec<String> {
        merged(layers).iter().map(|(path, _)| path.to_string()).collect()
    }

    #[test]
    fn upper_layers_hide_lower_entries() {
        let low: &[&str] = &["a/", "a/b", "a/c", "d/", "d/e", "f"];
        assert_eq!(listed(&[low, &["a/.wh.b", "d/.wh..wh..opq", "d/n"]]), ["/a", "/a/c", "/d", "/d/n", "/f"]);
        assert_eq!(listed(&[low, &[".wh.a", ".wh.d", "f/"]]), ["/f"]);
        assert_eq!(listed(&[low, &["a", "./d/e", "f"]]), ["/a", "/d", "/d/e", "/f"]);
    }

    #[test]
    fn resolves_links_inside_the_image() {
        let files =
            merged(&[&["var/", "var/run>/run", "run/", "l>../../x/y", "loop>loop", "u>d/../var/run"]]);
        for (path, expected) in [
            ("/var/run/shop", "/run/shop"),
            ("/l/z", "/x/y/z"),
            ("/loop/a", "/loop/a"),
            ("/u/s", "/run/s"),
            ("/", "/"),
        ] {
            assert_eq!(files.resolve_links(&path.parse().unwrap()).to_string(), expected);
        }
    }
}
