//! Merges the layers of an image into its paths. Layers are read as a stream, header by header.
//!
//! Source: image-spec, `layer.md`: whiteouts hide entries of lower layers, never of their own.

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::disk_blobs::SizedReader;
use super::failure::ReadFailure;
use super::layer_changes::{FileEntry, FileNode, LayerChanges, MAX_PATH_BYTES, MAX_PATHS, join_components};
use crate::layer::Codec;
use coracle_core::digest::{Digest, HashingReader};
use coracle_core::path::ImagePath;

/// The maximum number of symbolic links that are followed for a path.
const MAX_LINKS: usize = 40;

/// All paths of an image.
#[derive(Clone, Default, Debug)]
pub struct ImageFiles {
    paths: BTreeMap<ImagePath, FileEntry>,
    layer_count: usize,
}

/// The entry of a parent directory that no layer contains.
const IMPLIED_DIRECTORY: FileEntry = FileEntry { node: FileNode::Directory, mode: 0o755, owner: (0, 0) };

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
        let mut pending: Vec<Vec<u8>> = path.components().rev().map(<[u8]>::to_vec).collect();
        let mut resolved: Vec<Vec<u8>> = Vec::new();
        let mut links = 0;
        while let Some(name) = pending.pop() {
            match name.as_slice() {
                b"" | b"." => continue,
                b".." => drop(resolved.pop()),
                _ => resolved.push(name),
            }
            if let Some(FileNode::Link(to)) = join_components(&resolved)
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
