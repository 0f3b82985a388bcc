//! Merges the layers of an image into its paths. Layers are read as a stream, header by header.
//!
//! Source: image-spec, `layer.md`: whiteouts hide entries of lower layers, never of their own.

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::Why;
use super::blobs::Source;
use super::headers::{Header, Headers, Stream, invalid};
use coracle_core::digest::{Digest, Hashing};
use crate::layer::Codec;
use coracle_core::path::ImagePath;

/// The maximum number of paths of an image. A large distribution has some hundred thousand.
const MAX_PATHS: usize = 2_000_000;
/// The maximum size of all paths together, in bytes.
const MAX_NAMES: usize = 256 << 20;
/// The maximum uncompressed size of a layer, in bytes.
const MAX_UNPACKED: u64 = 64 << 30;
/// The maximum number of symbolic links that are followed for a path.
const MAX_LINKS: usize = 40;

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// All paths of an image.
#[derive(Clone, Default, Debug)]
pub struct Files {
    paths: BTreeMap<ImagePath, Entry>,
    layers: usize,
}

/// An entry of an image's file system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The type and content.
    pub node: Node,
    /// Permission bits, at most `0o7777`.
    pub mode: u32,
    /// UID and GID.
    pub owner: (u32, u32),
}

/// The type of an entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Node {
    /// A directory.
    Directory,
    /// A file. Hard links to it are separate entries.
    File(Extent),
    /// A symbolic link and its target.
    Link(Vec<u8>),
    /// A device, FIFO or other special file.
    Special,
}

/// The entry of a parent directory that no layer contains.
const IMPLIED: Entry = Entry { node: Node::Directory, mode: 0o755, owner: (0, 0) };

/// The location of a file's content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extent {
    /// The index of the layer; 0 is the lowest.
    pub layer: usize,
    /// The offset in the uncompressed tar.
    pub position: u64,
    /// The size in bytes.
    pub size: u64,
}

impl Files {
    /// Returns all paths; a directory comes before its entries.
    pub fn iter(&self) -> impl Iterator<Item = (&ImagePath, &Entry)> {
        self.paths.iter()
    }

    /// Returns the entry at `path`, without following links.
    pub fn get(&self, path: &ImagePath) -> Option<&Entry> {
        self.paths.get(path)
    }

    /// Returns the entries at and below `path`.
    pub fn within(&self, path: &ImagePath) -> impl Iterator<Item = (&ImagePath, &Entry)> {
        let path = path.clone();
        let from = self.paths.range(path.clone()..);
        from.take_while(move |(found, _)| found.is_within(&path))
    }

    /// Resolves the symbolic links in `path`, as a runtime does before it mounts there.
    pub fn resolve(&self, path: &ImagePath) -> ImagePath {
        let mut due: Vec<Vec<u8>> = path.names().rev().map(<[u8]>::to_vec).collect();
        let mut at: Vec<Vec<u8>> = Vec::new();
        let mut links = 0;
        while let Some(name) = due.pop() {
            match name.as_slice() {
                b"" | b"." => continue,
                b".." => drop(at.pop()),
                _ => at.push(name),
            }
            if let Some(Node::Link(to)) =
                joined(&at).and_then(|path| self.paths.get(&path)).map(|at| &at.node)
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
        joined(&at).unwrap_or_else(|| path.clone())
    }

    /// Reads a layer, verifies its size and digest, and applies it on top.
    pub(super) fn add(&mut self, source: Source, digest: Option<&Digest>, codec: Codec) -> Result<(), Why> {
        let expected = source.size;
        let mut counted = Hashing::new(source.reader);
        let layer = Layer::read(codec.unpacked(&mut counted)?, self.layers)?;
        // Bytes after the end of the tar are part of the blob.
        io::copy(&mut counted, &mut io::sink())?;
        if counted.inner().limit() > 0 {
            let found = expected - counted.inner().limit();
            return Err(Why::Said(format!("it has {found} bytes, not {expected}")));
        }
        let found = counted.finish();
        if let Some(digest) = digest.filter(|digest| **digest != found) {
            return Err(Why::Said(format!("the content of `{digest}` has the digest `{found}`")));
        }
        Ok(self.put(layer)?)
    }

    /// Reads the tar of the next layer without applying it.
    pub(crate) fn read_tar(&self, tar: impl Read) -> io::Result<Layer> {
        Layer::read(tar, self.layers)
    }

    /// Applies a layer on top.
    pub(crate) fn put(&mut self, layer: Layer) -> Result<(), String> {
        self.layers += 1;
        for path in &layer.hidden {
            self.remove(path, true);
        }
        for path in &layer.emptied {
            self.remove(path, false);
        }
        for (path, entry) in layer.paths {
            let is_below = self.paths.get(&path).is_some_and(Entry::is_directory);
            if is_below && !entry.is_directory() {
                self.remove(&path, true);
            }
            // A tar need not contain parent directories.
            let mut above = path.parent();
            while let Some(path) =
                above.filter(|path| path.name().is_some() && !self.paths.contains_key(path))
            {
                above = path.parent();
                self.paths.insert(path, IMPLIED);
            }
            self.paths.insert(path, entry);
        }
        for (path, target) in layer.linked {
            let Some(entry) = self.paths.get(&target).filter(|entry| !entry.is_directory()) else {
                return Err(format!("the hard link `{path}` refers to `{target}`, which is not a file"));
            };
            let entry = entry.clone();
            self.paths.insert(path, entry);
        }
        let names: usize = self.paths.keys().map(|path| path.as_bytes().len()).sum();
        if self.paths.len() > MAX_PATHS || names > MAX_NAMES {
            return Err("it has too many paths for an image".into());
        }
        Ok(())
    }
}

impl Files {
    /// Removes all entries below `path`, and with `itself` also the one at `path`.
    fn remove(&mut self, path: &ImagePath, itself: bool) {
        let found: Vec<ImagePath> = self.within(path).map(|(path, _)| path.clone()).collect();
        for found in found.iter().filter(|found| itself || *found != path) {
            self.paths.remove(found);
        }
    }
}

/// The changes of one layer.
#[derive(Default)]
pub(crate) struct Layer {
    paths: BTreeMap<ImagePath, Entry>,
    hidden: Vec<ImagePath>,
    emptied: Vec<ImagePath>,
    /// Hard links to files of lower layers: path and target.
    linked: Vec<(ImagePath, ImagePath)>,
    number: usize,
    names: usize,
}

impl Layer {
    fn read(reader: impl Read, number: usize) -> io::Result<Self> {
        let mut layer = Self { number, ..Self::default() };
        let mut headers = Headers::new(Stream(reader.take(MAX_UNPACKED)));
        while let Some(header) = headers.next()? {
            layer.put(&header)?;
        }
        let mut rest = headers.into_inner();
        io::copy(&mut rest, &mut io::sink())?;
        if rest.0.limit() == 0 { Err(invalid("it unpacks to more than 64 GiB")) } else { Ok(layer) }
    }

    fn put(&mut self, header: &Header) -> io::Result<()> {
        let names = names(&header.name)?;
        let Some((last, above)) = names.split_last() else { return Ok(()) };
        self.names += header.name.len();
        let marks = self.hidden.len() + self.emptied.len() + self.linked.len();
        if self.paths.len() + marks >= MAX_PATHS || self.names > MAX_NAMES {
            return Err(invalid("it has too many paths for an image"));
        }
        if *last == OPAQUE {
            self.emptied.push(path(above)?);
        } else if let Some(name) = last.strip_prefix(WHITEOUT) {
            let mut names = above.to_vec();
            names.push(name);
            self.hidden.push(path(&names)?);
        } else if header.kind.is_hard_link() {
            let (path, target) = (path(&names)?, path(&self::names(&header.link)?)?);
            match self.paths.get(&target).cloned() {
                Some(entry) => drop(self.paths.insert(path, entry)),
                None => self.linked.push((path, target)),
            }
        } else {
            self.paths.insert(path(&names)?, self.entry(header));
        }
        Ok(())
    }

    fn entry(&self, header: &Header) -> Entry {
        let node = match header.kind {
            kind if kind.is_dir() => Node::Directory,
            kind if kind.is_symlink() => Node::Link(header.link.clone()),
            kind if kind.is_file() || kind.is_contiguous() => {
                Node::File(Extent { layer: self.number, position: header.position, size: header.size })
            }
            _ => Node::Special,
        };
        Entry { node, mode: header.mode, owner: header.owner }
    }
}

impl Entry {
    /// Returns whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.node == Node::Directory
    }
}

/// Splits a path of a tar into its components.
///
/// # Errors
/// Fails if one of them is `..`.
fn names(path: &[u8]) -> io::Result<Vec<&[u8]>> {
    let names: Vec<&[u8]> =
        path.split(|byte| *byte == b'/').filter(|name| !name.is_empty() && *name != b".").collect();
    if names.contains(&b"..".as_slice()) {
        return Err(invalid("a path in it leads out of the image"));
    }
    Ok(names)
}

fn path(names: &[&[u8]]) -> io::Result<ImagePath> {
    let owned: Vec<Vec<u8>> = names.iter().map(|name| name.to_vec()).collect();
    joined(&owned).ok_or_else(|| invalid("a path in it is invalid"))
}

fn joined(names: &[Vec<u8>]) -> Option<ImagePath> {
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

    fn merged(layers: &[&[&str]]) -> Files {
        let mut files = Files::default();
        for entries in layers {
            files.put(Layer::read(layer(entries).as_slice(), files.layers).unwrap()).unwrap();
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
            assert_eq!(files.resolve(&path.parse().unwrap()).to_string(), expected);
        }
    }
}
