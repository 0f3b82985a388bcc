//! Reads files of an image on disk: files of a layout, or members of an archive without unpacking
//! it.
//!
//! Documents are verified by their digest. Every read is limited.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use super::read_failure::invalid_data;
use super::tar_header_reader::{TarHeaderReader, TarMemberKind};
use crate::image::MAX_DOCUMENT_SIZE;
use crate::layout::disk_location::{DiskFormat, DiskLocation};
use coracle_core::digest::Digest;
use coracle_core::fs::{self, Context, FinalLink};
use coracle_core::json;

/// The maximum number of members of an archive. An image has a few dozen.
const MAX_MEMBERS: usize = 100_000;

/// The files of a layout or archive.
#[derive(Debug)]
pub(super) enum DiskBlobs {
    Layout(PathBuf),
    Archive { path: PathBuf, members: BTreeMap<Vec<u8>, MemberLocation> },
}

/// The location of a member's content.
#[derive(Clone, Debug)]
pub(super) enum MemberLocation {
    Content {
        position: u64,
        size: u64,
    },
    /// `docker save` writes a repeated layer as a link.
    Link(Vec<u8>),
}

/// A reader of a blob, and its size in bytes.
pub(super) struct SizedReader {
    pub(super) size: u64,
    pub(super) reader: io::Take<Box<dyn Read>>,
}

impl SizedReader {
    pub(super) fn new(size: u64, reader: impl Read + 'static) -> Self {
        let reader: Box<dyn Read> = Box::new(reader);
        Self { size, reader: reader.take(size) }
    }
}

impl DiskBlobs {
    /// Opens the layout or archive at `location`. Reads all headers of an archive.
    pub(super) fn open(location: &DiskLocation) -> fs::Result<Self> {
        match location.format {
            DiskFormat::Layout => {
                std::fs::read_dir(&location.path).context("read", &location.path)?;
                Ok(Self::Layout(location.path.clone()))
            }
            DiskFormat::OciArchive | DiskFormat::DockerArchive => {
                let path = location.path.clone();
                let members = read_archive_members(&path)?;
                Ok(Self::Archive { path, members })
            }
        }
    }

    /// Opens the file of this name; `None` if it does not exist.
    pub(super) fn open_file(&self, name: &str) -> fs::Result<Option<SizedReader>> {
        match self {
            Self::Layout(directory) => {
                let path = directory.join(name);
                let Some(real_path) = path_inside(directory, name)? else { return Ok(None) };
                let file = match fs::open_regular_file(&real_path, FinalLink::Refuse) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                    file => file?,
                };
                let size = file.metadata().context("read the metadata of", &path)?.len();
                Ok(Some(SizedReader::new(size, file)))
            }
            Self::Archive { path, members } => {
                let mut name = name.as_bytes();
                for _ in 0..8 {
                    match members.get(name) {
                        None => return Ok(None),
                        Some(MemberLocation::Link(to)) => name = to,
                        Some(&MemberLocation::Content { position, size }) => {
                            let mut file = fs::open_regular_file(path, FinalLink::Follow)?;
                            file.seek(SeekFrom::Start(position)).context("read", path)?;
                            return Ok(Some(SizedReader::new(size, file)));
                        }
                    }
                }
                Err(fs::Error::new("read", path, invalid_data("its links form a cycle")))
            }
        }
    }

    /// Reads the file of this name, of at most `limit` bytes; `None` if it does not exist.
    pub(super) fn read_file(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, String> {
        let Some(source) = self.open_file(name).map_err(|error| error.to_string() + &format_cause(&error))?
        else {
            return Ok(None);
        };
        if source.size > limit {
            return Err(format!("`{name}` has {} bytes, more than the limit of {limit}", source.size));
        }
        let mut bytes = Vec::new();
        let mut reader = source.reader;
        reader.read_to_end(&mut bytes).map_err(|error| format!("`{name}` cannot be read: {error}"))?;
        if bytes.len() as u64 == source.size {
            Ok(Some(bytes))
        } else {
            Err(format!("`{name}` is truncated"))
        }
    }

    /// Reads and verifies the blob of this digest, of at most `limit` bytes.
    pub(super) fn read_document(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>, String> {
        let bytes = self
            .read_file(&blob_file_name(digest), limit)?
            .ok_or_else(|| format!("`{digest}` is missing"))?;
        let found = Digest::compute(&bytes);
        if found == *digest {
            Ok(bytes)
        } else {
            Err(format!("the content of `{digest}` has the digest `{found}`"))
        }
    }
}

/// Returns the real path of the file `name` of the layout at `directory`; `None` if it does not exist. Others
/// can have written the layout and its `manifest.json`: neither names nor links lead out of it.
fn path_inside(directory: &Path, name: &str) -> fs::Result<Option<PathBuf>> {
    let path = directory.join(name);
    let outside = || fs::Error::new("open", &path, invalid_data("it is outside of the layout"));
    if !Path::new(name).components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(outside());
    }
    let root = std::fs::canonicalize(directory).context("open", directory)?;
    match std::fs::canonicalize(&path) {
        Ok(real_path) if real_path.starts_with(&root) => Ok(Some(real_path)),
        Ok(_) => Err(outside()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("open", &path),
    }
}

/// Formats the cause of an error.
pub(super) fn format_cause(error: &dyn std::error::Error) -> String {
    error.source().map(|source| format!(": {source}")).unwrap_or_default()
}

/// Returns the path of a blob in a layout.
pub(super) fn blob_file_name(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// Returns the names of an archive's members and the locations of their content.
fn read_archive_members(path: &Path) -> fs::Result<BTreeMap<Vec<u8>, MemberLocation>> {
    let file = fs::open_regular_file(path, FinalLink::Follow)?;
    let length = file.metadata().context("read the metadata of", path)?.len();
    let mut headers = TarHeaderReader::new(file);
    let mut members = BTreeMap::new();
    while let Some(header) = headers.next_header().context("read", path)? {
        if header.position.checked_add(header.size).is_none_or(|end| end > length) {
            return Err(fs::Error::new("read", path, invalid_data("it is truncated")));
        }
        if members.len() == MAX_MEMBERS {
            return Err(fs::Error::new("read", path, invalid_data("it has too many members for an image")));
        }
        let name = header.name.strip_prefix(b"./").unwrap_or(&header.name).to_vec();
        if header.kind == TarMemberKind::File {
            members.insert(name, MemberLocation::Content { position: header.position, size: header.size });
        } else if matches!(header.kind, TarMemberKind::HardLink | TarMemberKind::Symlink) {
            // `../ID/layer.tar`, relative to the directory of another ID.
            let to = header.link.strip_prefix(b"../").unwrap_or(&header.link);
            members.insert(name, MemberLocation::Link(to.to_vec()));
        }
    }
    Ok(members)
}

/// Returns the entries of `index.json` at `location`; `None` if it does not exist or cannot be
/// read.
pub(in crate::layout) fn index_entries(location: &DiskLocation) -> Option<Vec<Value>> {
    let index = DiskBlobs::open(location).ok()?.read_file("index.json", MAX_DOCUMENT_SIZE).ok()??;
    match json::parse(&index).ok()?.get_mut("manifests")?.take() {
        Value::Array(entries) => Some(entries),
        _ => None,
    }
}
