//! Bytes of an image on disk: files of a layout, or members of an archive, which is not unpacked.
//!
//! What has a digest is held to it. Nothing is read without a bound.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::PathBuf;

use super::headers::{Headers, invalid};
use coracle_core::digest::Digest;
use coracle_core::fs::{self, Context};
use crate::layout::{Destination, Kind};

/// The most members that an archive can have: an image has a few dozen.
const MAX_MEMBERS: usize = 100_000;

/// Where the bytes are.
#[derive(Debug)]
pub(super) enum Blobs {
    Layout(PathBuf),
    Archive { path: PathBuf, members: BTreeMap<Vec<u8>, Member> },
}

/// Where a member's content stands.
#[derive(Clone, Debug)]
pub(super) enum Member {
    Content {
        position: u64,
        size: u64,
    },
    /// `docker save` writes a layer that it has already as a link.
    Link(Vec<u8>),
}

/// Bytes to be read, and how many there are.
pub(super) struct Source {
    pub(super) size: u64,
    pub(super) reader: io::Take<Box<dyn Read>>,
}

impl Source {
    pub(super) fn new(size: u64, reader: impl Read + 'static) -> Self {
        let reader: Box<dyn Read> = Box::new(reader);
        Self { size, reader: reader.take(size) }
    }
}

impl Blobs {
    /// What there is at `place`.
    pub(super) fn open(place: &Destination) -> fs::Result<Self> {
        match place.kind {
            Kind::Layout => {
                std::fs::read_dir(&place.path).context("read", &place.path)?;
                Ok(Self::Layout(place.path.clone()))
            }
            Kind::OciArchive | Kind::DockerArchive => {
                let path = place.path.clone();
                let members = members(&path)?;
                Ok(Self::Archive { path, members })
            }
        }
    }

    /// The file of this name; nothing where there is none.
    pub(super) fn file(&self, name: &str) -> fs::Result<Option<Source>> {
        match self {
            Self::Layout(directory) => {
                let path = directory.join(name);
                let metadata = match std::fs::metadata(&path) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                    metadata => metadata.context("look at", &path)?,
                };
                if !metadata.is_file() {
                    return Err(fs::Error::new("read", &path, invalid("it is no file")));
                }
                let file = File::open(&path).context("open", &path)?;
                Ok(Some(Source::new(metadata.len(), file)))
            }
            Self::Archive { path, members } => {
                let mut name = name.as_bytes();
                for _ in 0..8 {
                    match members.get(name) {
                        None => return Ok(None),
                        Some(Member::Link(to)) => name = to,
                        Some(&Member::Content { position, size }) => {
                            let mut file = File::open(path).context("open", path)?;
                            file.seek(SeekFrom::Start(position)).context("read", path)?;
                            return Ok(Some(Source::new(size, file)));
                        }
                    }
                }
                Err(fs::Error::new("read", path, invalid("links in it go round")))
            }
        }
    }

    /// The bytes of this name, where they are at most `limit`.
    pub(super) fn bytes(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, String> {
        let Some(source) = self.file(name).map_err(|error| error.to_string() + &cause(&error))? else {
            return Ok(None);
        };
        if source.size > limit {
            return Err(format!(
                "`{name}` has {} bytes, more than the {limit} that it can have",
                source.size
            ));
        }
        let mut bytes = Vec::new();
        let mut reader = source.reader;
        reader.read_to_end(&mut bytes).map_err(|error| format!("`{name}` cannot be read: {error}"))?;
        if bytes.len() as u64 == source.size { Ok(Some(bytes)) } else { Err(format!("`{name}` is cut off")) }
    }

    /// The bytes of this digest, where they are at most `limit`.
    pub(super) fn document(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>, String> {
        let bytes = self.bytes(&blob(digest), limit)?.ok_or_else(|| format!("`{digest}` is missing"))?;
        let found = Digest::of(&bytes);
        if found == *digest { Ok(bytes) } else { Err(format!("`{digest}` has the bytes of `{found}`")) }
    }
}

/// What an error of the host is due to.
pub(super) fn cause(error: &dyn std::error::Error) -> String {
    error.source().map(|source| format!(": {source}")).unwrap_or_default()
}

/// The file of a digest in a layout.
pub(super) fn blob(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// Names and places of an archive's members.
fn members(path: &PathBuf) -> fs::Result<BTreeMap<Vec<u8>, Member>> {
    let file = File::open(path).context("open", path)?;
    let length = file.metadata().context("look at", path)?.len();
    let mut headers = Headers::new(file);
    let mut members = BTreeMap::new();
    while let Some(header) = headers.next().context("read", path)? {
        if header.position.checked_add(header.size).is_none_or(|end| end > length) {
            return Err(fs::Error::new("read", path, invalid("it is cut off")));
        }
        if members.len() == MAX_MEMBERS {
            return Err(fs::Error::new("read", path, invalid("it has too many members for an image")));
        }
        let name = header.name.strip_prefix(b"./").unwrap_or(&header.name).to_vec();
        if header.kind.is_file() {
            members.insert(name, Member::Content { position: header.position, size: header.size });
        } else if header.kind.is_hard_link() || header.kind.is_symlink() {
            // `../ID/layer.tar`, seen from the directory of another ID.
            let to = header.link.strip_prefix(b"../").unwrap_or(&header.link);
            members.insert(name, Member::Link(to.to_vec()));
        }
    }
    Ok(members)
}
