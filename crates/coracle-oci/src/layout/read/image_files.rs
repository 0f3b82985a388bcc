//! Merges the layers of an image into its paths. Layers are read as a stream, header by header.
//!
//! Source: image-spec, `layer.md`: whiteouts hide entries of lower layers, never of their own.

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::disk_blobs::SizedReader;
use super::layer_changes::{
    ImageEntry, ImageEntryKind, LayerChanges, MAX_PATH_BYTES, MAX_PATHS, MAX_UNPACKED_SIZE, join_components,
};
use super::read_failure::ReadFailure;
use crate::layer::Codec;
use coracle_core::digest::{Digest, HashingReader};
use coracle_core::file_system;
use coracle_core::path::ImagePath;

/// The maximum number of symbolic links that are followed for a path.
const MAX_LINKS: usize = 40;

/// All paths of an image.
#[derive(Clone, Default, Debug)]
pub struct ImageFiles {
    paths: BTreeMap<ImagePath, ImageEntry>,
    layer_count: usize,
    /// The size of all tars, in bytes.
    unpacked_size: u64,
}

/// The entry of a parent directory that no layer contains.
const IMPLIED_DIRECTORY: ImageEntry =
    ImageEntry { node: ImageEntryKind::Directory, mode: 0o755, owner: (0, 0), layer: 0 };

impl ImageFiles {
    /// Returns all paths; a directory comes before its entries.
    pub fn iter(&self) -> impl Iterator<Item = (&ImagePath, &ImageEntry)> {
        self.paths.iter()
    }

    /// Returns the entry at `path`, without following links.
    pub fn get(&self, path: &ImagePath) -> Option<&ImageEntry> {
        self.paths.get(path)
    }

    /// Returns the names of the entries of the directory at `path`.
    pub fn child_names(&self, path: &ImagePath) -> Vec<Vec<u8>> {
        file_system::child_names(&self.paths, path)
    }

    /// Returns the entries at and below `path`.
    pub fn at_and_below(&self, path: &ImagePath) -> impl Iterator<Item = (&ImagePath, &ImageEntry)> {
        let path = path.clone();
        let from = self.paths.range(path.clone()..);
        from.take_while(move |(found, _)| found.is_within(&path))
    }

    /// Resolves the symbolic links in `path`, as a runtime does before it mounts there.
    pub fn resolve_links(&self, path: &ImagePath) -> ImagePath {
        let mut pending: Vec<Vec<u8>> = path.components().rev().map(<[u8]>::to_vec).collect();
        let mut resolved: Vec<Vec<u8>> = Vec::new();
        let mut links = 0;
        while let Some(name) = pending.pop() {
            match name.as_slice() {
                b"" | b"." => continue,
                b".." => drop(resolved.pop()),
                _ => resolved.push(name),
            }
            if let Some(ImageEntryKind::Link(to)) = join_components(&resolved)
                .and_then(|path| self.paths.get(&path))
                .map(|resolved| &resolved.node)
                && links < MAX_LINKS
            {
                links += 1;
                resolved.pop();
                if to.starts_with(b"/") {
                    resolved.clear();
                }
                pending.extend(to.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec));
            }
        }
        join_components(&resolved).unwrap_or_else(|| path.clone())
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
        let layer = self.read_layer(codec.decompress(&mut counted)?)?;
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
        LayerChanges::from_tar(tar, self.layer_count, self.unpacked_size_left())
    }

    /// The number of bytes that the tars of further layers may have.
    pub(crate) fn unpacked_size_left(&self) -> u64 {
        MAX_UNPACKED_SIZE.saturating_sub(self.unpacked_size)
    }

    /// Counts a layer whose members are not read.
    pub(super) fn skip_layer(&mut self) {
        self.layer_count += 1;
    }

    /// The index of the next layer.
    pub(super) fn next_layer(&self) -> usize {
        self.layer_count
    }

    /// Applies a layer on top.
    pub(crate) fn apply_layer(&mut self, layer: LayerChanges) -> Result<(), String> {
        self.layer_count += 1;
        self.unpacked_size += layer.unpacked_size;
        let mut size = PathsSize::of_paths(&self.paths);
        for path in &layer.whiteouts {
            self.remove_below(path, true);
        }
        for path in &layer.opaque_directories {
            self.remove_below(path, false);
        }
        for (path, entry) in layer.paths {
            let is_below = self.paths.get(&path).is_some_and(ImageEntry::is_directory);
            if is_below && !entry.is_directory() {
                self.remove_below(&path, true);
            }
            // A tar need not contain parent directories.
            let mut above = path.parent();
            while let Some(path) =
                above.filter(|path| path.file_name().is_some() && !self.paths.contains_key(path))
            {
                above = path.parent();
                size.add(&path, &IMPLIED_DIRECTORY)?;
                self.paths.insert(path, ImageEntry { layer: entry.layer, ..IMPLIED_DIRECTORY });
            }
            size.add(&path, &entry)?;
            self.paths.insert(path, entry);
        }
        for (path, target) in layer.hard_links {
            let Some(entry) = self.paths.get(&target).filter(|entry| !entry.is_directory()) else {
                return Err(format!("the hard link `{path}` refers to `{target}`, which is not a file"));
            };
            let entry = entry.clone();
            size.add(&path, &entry)?;
            self.paths.insert(path, entry);
        }
        Ok(())
    }
}

impl ImageFiles {
    /// Removes all entries below `path`, and the entry at `path` too if `itself` is true.
    fn remove_below(&mut self, path: &ImagePath, itself: bool) {
        let found: Vec<ImagePath> = self.at_and_below(path).map(|(path, _)| path.clone()).collect();
        for found in found.iter().filter(|found| itself || *found != path) {
            self.paths.remove(found);
        }
    }
}

/// The number of paths of an image and the size of their texts, which are limited.
struct PathsSize {
    count: usize,
    bytes: usize,
}

impl PathsSize {
    fn of_paths(paths: &BTreeMap<ImagePath, ImageEntry>) -> Self {
        Self { count: paths.len(), bytes: paths.iter().map(|(path, entry)| text_size(path, entry)).sum() }
    }

    /// Adds a path. One that replaces another counts twice until the next layer.
    fn add(&mut self, path: &ImagePath, entry: &ImageEntry) -> Result<(), String> {
        self.count += 1;
        self.bytes += text_size(path, entry);
        if self.count > MAX_PATHS || self.bytes > MAX_PATH_BYTES {
            return Err("it has too many paths for an image".into());
        }
        Ok(())
    }
}

/// The size of a path and of the target of a link there, in bytes.
fn text_size(path: &ImagePath, entry: &ImageEntry) -> usize {
    let target = if let ImageEntryKind::Link(target) = &entry.node { target.len() } else { 0 };
    path.as_bytes().len() + target
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
            files.apply_layer(files.read_layer(layer(entries).as_slice()).unwrap()).unwrap();
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

    /// Returns the tar of one PAX entry with this path, or this link target.
    fn pax_entry(name: &str, value: &str) -> Vec<u8> {
        let record = |length: usize| format!("{length} {name}={value}\n");
        let length = (0..).map(|extra| value.len() + name.len() + 3 + extra);
        let length = length.clone().find(|length| record(*length).len() == *length).unwrap();
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::XHeader);
        header.set_size(length as u64);
        header.set_cksum();
        builder.append(&header, record(length).as_bytes()).unwrap();
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        builder.append_link(&mut header, "l", "to").unwrap();
        builder.into_inner().unwrap()
    }

    #[test]
    fn limits_paths_and_link_targets() {
        let refusal = |tar: &[u8]| {
            let error = ImageFiles::default().read_layer(tar).err();
            error.map(|error| error.to_string())
        };
        let too_long = Some("a path or a link target in it is longer than Linux allows".to_owned());
        let deep = "a/".repeat(250_000);
        assert_eq!(refusal(&pax_entry("path", &deep)), too_long);
        assert_eq!(refusal(&pax_entry("linkpath", &deep)), too_long);
        assert_eq!(refusal(&pax_entry("linkpath", &"a/".repeat(2_047))), None);
        let mut size = PathsSize { count: 0, bytes: MAX_PATH_BYTES - 10 };
        let link = ImageEntry { node: ImageEntryKind::Link(b"12345".to_vec()), ..IMPLIED_DIRECTORY };
        assert_eq!(size.add(&"/a".parse().unwrap(), &link), Ok(()));
        let too_many = Err("it has too many paths for an image".to_owned());
        assert_eq!(size.add(&"/abc".parse().unwrap(), &IMPLIED_DIRECTORY), too_many);
    }

    #[test]
    fn limits_the_size_of_all_layers() {
        let mut files = ImageFiles { unpacked_size: MAX_UNPACKED_SIZE - 2048, ..ImageFiles::default() };
        let tar = layer(&["a"]);
        let first = files.read_layer(&tar[..1536]).unwrap();
        files.apply_layer(first).unwrap();
        let error = files.read_layer(tar.as_slice()).err().unwrap();
        assert_eq!(error.to_string(), "the image unpacks to more than 16 GiB");
    }
}
