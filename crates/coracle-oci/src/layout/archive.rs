//! Writes archives: an image layout in a tar that also has Docker's `manifest.json`.
//!
//! docker, podman, containerd and skopeo all read this file. Its bytes depend only on the image and
//! its names. Source: image-spec, `image-layout.md`; Moby, `image/spec/v1.2.md`
//! ("Combined Image JSON + Filesystem Changeset Format").

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::destination::target;
use super::names::{self, Name};
use super::staging::Staging;
use super::{Destination, Error, Kind, index, layout};
use coracle_core::digest::{Digest, Hasher};
use coracle_core::fs::{self, Context};
use crate::image::{Descriptor, Graph, Root};
use crate::layer::tar::{END, Member, padding};
use coracle_core::reference::Reference;

/// The directory of blobs in an archive.
const BLOBS: &str = "blobs/sha256/";

/// The number of bytes that are copied and hashed at a time.
const CHUNK: usize = 256 << 10;

/// Opens a blob of an image, for example on disk or at a registry.
pub type Open<'a> = dyn Fn(&Descriptor) -> io::Result<Box<dyn Read + 'a>> + 'a;

/// The members of an archive, sorted by name, which is the order in which they are written.
#[derive(Debug)]
pub struct Archive {
    members: BTreeMap<String, Content>,
}

/// The content of one member.
#[derive(Debug)]
enum Content {
    Directory,
    Bytes(Vec<u8>),
    Blob(Descriptor),
}

/// Why an archive could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A blob cannot be read, or does not match its descriptor.
    #[error("cannot copy the blob `{0}`")]
    Blob(Digest, #[source] io::Error),
    /// The output cannot be written.
    #[error(transparent)]
    Out(io::Error),
}

/// Writes `root` to the file at `destination`, replacing an existing file.
pub(super) fn publish(
    root: &Root,
    blobs: &Staging,
    names: &[Name],
    destination: &Destination,
) -> Result<(), Error> {
    let archive = Archive::built(root, names)?;
    place(destination, |path| {
        let file = File::create_new(path).context("create", path)?;
        let mut out = BufWriter::new(file);
        let written = archive.each(&mut out, &mut |named, out: &mut BufWriter<File>| {
            let refused = |error| WriteError::Blob(named.digest, error);
            let mut from = File::open(blobs.path(named.digest)).map_err(refused)?;
            // Bypasses the buffer, so that the kernel can copy or share the bytes itself.
            out.flush().and_then(|()| io::copy(&mut from, out.get_mut())).map_err(WriteError::Out)?;
            Ok(())
        });
        written.map_err(|error| error.at(path))
    })
}

/// Writes the image of `graph` to the file at `destination`, replacing an existing file.
pub(super) fn receive(
    graph: &Graph,
    names: &[Reference],
    destination: &Destination,
    open: &Open<'_>,
) -> Result<(), Error> {
    if destination.kind == Kind::DockerArchive && docker_manifest(graph, &[]).is_none() {
        return Err(match graph.images().len() {
            0 => Error::NoProgram(destination.clone()),
            _ => Error::SeveralPlatforms { path: destination.path.clone() },
        });
    }
    let archive = Archive::of(graph, &names::at(destination, names)?)?;
    place(destination, |path| {
        let file = File::create_new(path).context("create", path)?;
        archive.write(&mut BufWriter::new(file), open).map_err(|error| error.at(path))
    })
}

/// Runs `write` with a temporary path next to `destination`, then renames the file.
fn place(destination: &Destination, write: impl FnOnce(&Path) -> Result<(), Error>) -> Result<(), Error> {
    let staging = Staging::new(destination)?;
    let (temporary, path) = (staging.unnamed(), target(&destination.path)?);
    write(&temporary)?;
    std::fs::rename(&temporary, &path).context("write", &path)?;
    Ok(())
}

impl WriteError {
    /// Converts to an error about the output file `path`.
    fn at(self, path: &Path) -> Error {
        match self {
            Self::Blob(digest, source) => Error::Blob { digest, source },
            Self::Out(error) => fs::Error::new("write", path, error).into(),
        }
    }
}

impl Archive {
    /// Creates the archive of a built image.
    fn built(root: &Root, names: &[Name]) -> Result<Self, Error> {
        let entries = index::entries(root.descriptor(), names)?;
        let docker = match root.images() {
            [image] => {
                let layers: Vec<Descriptor> = image.blobs().collect();
                Some(description(image.config().descriptor(), &layers, names))
            }
            _ => None,
        };
        let mut archive = Self::with(entries, docker)?;
        root.blobs().for_each(|layer| archive.add(layer));
        for document in root.documents() {
            let name = blob(document.descriptor().digest);
            archive.members.insert(name, Content::Bytes(document.bytes().to_vec()));
        }
        Ok(archive)
    }

    /// Creates the archive of an existing image, under these names.
    ///
    /// # Errors
    /// Fails if the index cannot be serialized.
    pub fn named(graph: &Graph, names: &[Reference]) -> Result<Self, Error> {
        Self::of(graph, &names::at(&Destination::layout(""), names)?)
    }

    fn of(graph: &Graph, names: &[Name]) -> Result<Self, Error> {
        let root = graph.root().into_iter();
        let entries = root.flat_map(|root| names.iter().map(|name| index::foreign_entry(root, name)));
        let mut archive = Self::with(entries.collect(), docker_manifest(graph, names))?;
        graph.blobs.values().for_each(|named| archive.add(named.clone()));
        for document in &graph.documents {
            archive.members.insert(blob(document.digest), Content::Bytes(document.bytes.clone()));
        }
        Ok(archive)
    }

    /// Creates the members that every archive has.
    fn with(entries: Vec<Value>, docker: Option<Value>) -> Result<Self, Error> {
        let mut index = index::empty();
        index::replace(&mut index, entries, &[]);
        let mut members = BTreeMap::from([
            ("blobs/".to_owned(), Content::Directory),
            (BLOBS.to_owned(), Content::Directory),
            ("index.json".to_owned(), Content::Bytes(layout::bytes("index", &index)?)),
            ("oci-layout".to_owned(), Content::Bytes(layout::bytes("oci-layout", &layout::mark())?)),
        ]);
        if let Some(docker) = docker {
            members.insert("manifest.json".into(), Content::Bytes(layout::bytes("manifest", &docker)?));
        }
        Ok(Self { members })
    }

    fn add(&mut self, named: Descriptor) {
        self.members.insert(blob(named.digest), Content::Blob(named));
    }

    /// Removes the blobs with these digests, which the receiver has already.
    pub fn without(mut self, digests: &BTreeSet<Digest>) -> Self {
        self.members
            .retain(|_, content| !matches!(content, Content::Blob(named) if digests.contains(&named.digest)));
        self
    }

    /// Returns the size of the archive, in bytes.
    pub fn size(&self) -> u64 {
        let member = |(name, content): (&String, &Content)| match content {
            Content::Directory => Member::directory(name.as_bytes()).head().len() as u64,
            Content::Bytes(bytes) => whole(name, bytes.len() as u64),
            Content::Blob(named) => whole(name, named.size),
        };
        self.members.iter().map(member).fold(END.len() as u64, u64::saturating_add)
    }

    /// Writes the archive to `out`. The digest and size of each blob are verified on the way.
    ///
    /// # Errors
    /// Fails if a blob cannot be read or does not match its descriptor, or if `out` fails.
    pub fn write(&self, out: &mut dyn Write, open: &Open<'_>) -> Result<(), WriteError> {
        let mut out = out;
        self.each(&mut out, &mut |named, out| pass(named, open, out))
    }

    /// Writes the archive. `put` writes the content of a blob.
    fn each<W: Write>(
        &self,
        out: &mut W,
        put: &mut dyn FnMut(&Descriptor, &mut W) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        for (name, content) in &self.members {
            let size = match content {
                Content::Directory => {
                    out.write_all(&Member::directory(name.as_bytes()).head()).map_err(WriteError::Out)?;
                    continue;
                }
                Content::Bytes(bytes) => bytes.len() as u64,
                Content::Blob(named) => named.size,
            };
            out.write_all(&Member::file(name.as_bytes(), size).head()).map_err(WriteError::Out)?;
            match content {
                Content::Blob(named) => put(named, out)?,
                Content::Bytes(bytes) => out.write_all(bytes).map_err(WriteError::Out)?,
                Content::Directory => {}
            }
            out.write_all(padding(size)).map_err(WriteError::Out)?;
        }
        out.write_all(&END).and_then(|()| out.flush()).map_err(WriteError::Out)
    }
}

/// Returns the size of a member with header and padding, in bytes.
fn whole(name: &str, size: u64) -> u64 {
    let head = Member::file(name.as_bytes(), size).head().len() as u64;
    head.saturating_add(size).saturating_add(padding(size).len() as u64)
}

/// Copies a blob to `out`. The last bytes are held back until the digest is verified, so that the
/// receiver never gets a complete blob with wrong content.
fn pass(named: &Descriptor, open: &Open<'_>, out: &mut dyn Write) -> Result<(), WriteError> {
    let refused = |error| WriteError::Blob(named.digest, error);
    let mut reader = open(named).map_err(refused)?.take(named.size.saturating_add(1));
    let (mut hasher, mut size) = (Hasher::default(), 0_u64);
    let (mut chunk, mut held) = (vec![0; CHUNK], Vec::with_capacity(CHUNK));
    loop {
        let read = match reader.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(refused)?,
        };
        let bytes = chunk.get(..read).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        hasher.update(bytes);
        size += bytes.len() as u64;
        out.write_all(&held).map_err(WriteError::Out)?;
        held.clear();
        held.extend_from_slice(bytes);
    }
    let found = hasher.finish();
    if (found, size) != (named.digest, named.size) {
        let why = format!("received {size} bytes with the digest `{found}` instead of {} bytes", named.size);
        return Err(refused(io::Error::other(why)));
    }
    out.write_all(&held).map_err(WriteError::Out)
}

fn blob(digest: Digest) -> String {
    format!("{BLOBS}{}", digest.hex())
}

/// Returns Docker's `manifest.json`; `None` unless there is exactly one image, because the format
/// cannot describe several platforms.
fn docker_manifest(graph: &Graph, names: &[Name]) -> Option<Value> {
    match graph.images().as_slice() {
        [image] => Some(description(&image.config, &image.layers, names)),
        _ => None,
    }
}

fn description(config: &Descriptor, layers: &[Descriptor], names: &[Name]) -> Value {
    let tags: Vec<&String> = names.iter().filter_map(|name| name.full.as_ref()).collect();
    let tags = if tags.is_empty() { Value::Null } else { json!(tags) };
    let layers: Vec<String> = layers.iter().map(|layer| blob(layer.digest)).collect();
    json!([{"Config": blob(config.digest), "RepoTags": tags, "Layers": layers}])
}
