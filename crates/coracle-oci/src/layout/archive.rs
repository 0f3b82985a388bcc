//! Archives: an image layout in a tar, with Docker's `manifest.json` beside `index.json`.
//!
//! One file for docker, podman, containerd and skopeo; its bytes depend on the image and its names alone. Source:
//! image-spec, `image-layout.md`; Moby, `image/spec/v1.2.md` ("Combined Image JSON + Filesystem Changeset Format").

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

/// Where blobs are in an archive.
const BLOBS: &str = "blobs/sha256/";

/// Bytes that are copied and hashed at once.
const CHUNK: usize = 256 << 10;

/// Opens a blob of an image, wherever it is.
pub type Open<'a> = dyn Fn(&Descriptor) -> io::Result<Box<dyn Read + 'a>> + 'a;

/// An archive that can be written: its members by name, in the order in which they are written.
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

/// Why an archive can't be written to its end.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A blob can't be had, or is not what its digest says.
    #[error("cannot copy the blob `{0}`")]
    Blob(Digest, #[source] io::Error),
    /// Whoever is written to takes no more.
    #[error(transparent)]
    Out(io::Error),
}

/// Writes `root` to the file at `destination`, in place of what was there.
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
            // Past the buffer, so that the kernel can copy or share the bytes itself.
            out.flush().and_then(|()| io::copy(&mut from, out.get_mut())).map_err(WriteError::Out)?;
            Ok(())
        });
        written.map_err(|error| error.at(path))
    })
}

/// Writes the image of `graph` to the file at `destination`, in place of what was there.
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

/// Lets `write` make the file beside `destination`, and gives it its name.
fn place(destination: &Destination, write: impl FnOnce(&Path) -> Result<(), Error>) -> Result<(), Error> {
    let staging = Staging::new(destination)?;
    let (temporary, path) = (staging.unnamed(), target(&destination.path)?);
    write(&temporary)?;
    std::fs::rename(&temporary, &path).context("write", &path)?;
    Ok(())
}

impl WriteError {
    /// The same, where it is a file that is written to.
    fn at(self, path: &Path) -> Error {
        match self {
            Self::Blob(digest, source) => Error::Blob { digest, source },
            Self::Out(error) => fs::Error::new("write", path, error).into(),
        }
    }
}

impl Archive {
    /// The archive of an image that was built here.
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

    /// The archive of somebody's image, under these names.
    ///
    /// # Errors
    /// When a name can't be written.
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

    /// What every archive has.
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

    /// The same without some blobs, for who has those already.
    pub fn without(mut self, digests: &BTreeSet<Digest>) -> Self {
        self.members
            .retain(|_, content| !matches!(content, Content::Blob(named) if digests.contains(&named.digest)));
        self
    }

    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        let member = |(name, content): (&String, &Content)| match content {
            Content::Directory => Member::directory(name.as_bytes()).head().len() as u64,
            Content::Bytes(bytes) => whole(name, bytes.len() as u64),
            Content::Blob(named) => whole(name, named.size),
        };
        self.members.iter().map(member).fold(END.len() as u64, u64::saturating_add)
    }

    /// Writes it; each blob is held to its digest and its size while it passes.
    ///
    /// # Errors
    /// When a blob can't be had or is another, and when `out` takes no more.
    pub fn write(&self, out: &mut dyn Write, open: &Open<'_>) -> Result<(), WriteError> {
        let mut out = out;
        self.each(&mut out, &mut |named, out| pass(named, open, out))
    }

    /// Writes it; `put` writes the content of a blob.
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

/// The bytes of a member with everything around its content.
fn whole(name: &str, size: u64) -> u64 {
    let head = Member::file(name.as_bytes(), size).head().len() as u64;
    head.saturating_add(size).saturating_add(padding(size).len() as u64)
}

/// Passes a blob on. Its last bytes are held back until all of it is known to be right, so that nobody gets a whole blob
/// that is another.
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
        let why = format!("{size} bytes of `{found}` came instead of {}", named.size);
        return Err(refused(io::Error::other(why)));
    }
    out.write_all(&held).map_err(WriteError::Out)
}

fn blob(digest: Digest) -> String {
    format!("{BLOBS}{}", digest.hex())
}

/// Docker's description of the image that is one; nothing for several platforms, which it can't describe.
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
