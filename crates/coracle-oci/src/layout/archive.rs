//! The archive of an image: an image layout in a tar that also has Docker's `manifest.json`.
//!
//! docker, podman, containerd and skopeo all read this file. Its bytes depend only on the image and
//! its names. Source: image-spec, `image-layout.md`; Moby, `image/spec/v1.2.md`
//! ("Combined Image JSON + Filesystem Changeset Format").
//!
//! For containerd, `index.json` can name an image by its digest, too. skopeo and podman refuse an OCI
//! archive with several entries unless a tag is given, so this is not done for every archive.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};

use serde_json::{Value, json};

use super::error::LayoutError;
use super::image_names::{DigestNaming, ImageName, names_with_tag};
use super::index_json;
use super::layout_files::{oci_layout_json, to_json_bytes};
use crate::image::{Descriptor, ImageGraph, ImageSet, RawManifest};
use crate::layer::tar_header::{END_OF_ARCHIVE, TarMember, padding};
use coracle_core::digest::{Digest, DigestHasher};
use coracle_core::reference::ImageReference;

/// The directory of blobs in an archive.
const BLOBS_DIR: &str = "blobs/sha256/";

/// The number of bytes that are copied and hashed at a time.
const CHUNK: usize = 256 << 10;

/// Opens a blob of an image, for example on disk or at a registry.
pub type BlobOpener<'a> = dyn Fn(&Descriptor) -> io::Result<Box<dyn Read + 'a>> + 'a;

/// The members of an archive, sorted by name, which is the order in which they are written.
#[derive(Debug)]
pub struct ImageArchive {
    members: BTreeMap<String, MemberContent>,
}

/// The content of one member.
#[derive(Debug)]
enum MemberContent {
    Directory,
    Bytes(Vec<u8>),
    Blob(Descriptor),
}

/// Why an archive could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveWriteError {
    /// A blob cannot be read, or does not match its descriptor.
    #[error("cannot copy the blob `{0}`")]
    Blob(Digest, #[source] io::Error),
    /// The output cannot be written.
    #[error(transparent)]
    Output(io::Error),
}

impl ImageArchive {
    /// Creates the archive of a built image.
    pub(super) fn from_image_set(
        root: &ImageSet,
        names: &[ImageName],
        digest_names: DigestNaming,
    ) -> Result<Self, LayoutError> {
        let entries =
            with_digest_names_if_wanted(digest_names, index_json::image_entries(root.descriptor(), names)?);
        let docker = match root.images() {
            [image] => {
                let layers: Vec<Descriptor> = image.layer_descriptors().collect();
                Some(docker_manifest_json(image.config().descriptor(), &layers, names))
            }
            _ => None,
        };
        let mut archive = Self::with_common_members(entries, docker)?;
        root.layer_descriptors().for_each(|layer| archive.add_blob(layer));
        for document in root.documents() {
            let name = blob_member_name(document.descriptor().digest);
            archive.members.insert(name, MemberContent::Bytes(document.bytes().to_vec()));
        }
        Ok(archive)
    }

    /// Creates the archive of an existing image, under this name.
    ///
    /// # Errors
    /// Fails if the index cannot be serialized.
    pub fn from_graph(graph: &ImageGraph, name: &ImageReference) -> Result<Self, LayoutError> {
        let names = names_with_tag(std::slice::from_ref(name).into(), None)?;
        Self::from_named_graph(graph, &names, DigestNaming::Without)
    }

    /// Creates the archive of an existing image for containerd, under this name and its digest.
    /// `indexes`, from which the image was selected, are named by their digest.
    ///
    /// # Errors
    /// Fails if the index cannot be serialized.
    pub fn for_containerd(
        graph: &ImageGraph,
        name: &ImageReference,
        indexes: &[RawManifest],
    ) -> Result<Self, LayoutError> {
        let root = graph.root().ok_or(LayoutError::Internal("an image to write has no manifest"))?;
        let names = names_with_tag(std::slice::from_ref(name).into(), None)?;
        let entry = |document| names.iter().map(move |name| index_json::document_entry(document, name));
        let mut entries = index_json::with_digest_names(entry(root).collect());
        // Only the last one is what a name of the image refers to; containerd has to have all.
        let of_index = indexes.last().into_iter().flat_map(entry);
        entries.extend(index_json::with_digest_names(of_index.collect()).into_iter().skip(names.len()));
        let mut archive = Self::with_common_members(entries, None)?;
        archive.add_graph(graph);
        indexes.iter().for_each(|index| archive.add_document(index));
        Ok(archive)
    }

    pub(super) fn from_named_graph(
        graph: &ImageGraph,
        names: &[ImageName],
        digest_names: DigestNaming,
    ) -> Result<Self, LayoutError> {
        let root = graph.root().ok_or(LayoutError::Internal("an image to write has no manifest"))?;
        let entries = names.iter().map(|name| index_json::document_entry(root, name)).collect();
        let mut archive = Self::with_common_members(
            with_digest_names_if_wanted(digest_names, entries),
            docker_manifest(graph, names),
        )?;
        archive.add_graph(graph);
        Ok(archive)
    }

    fn add_graph(&mut self, graph: &ImageGraph) {
        graph.blobs.values().for_each(|named| self.add_blob(named.clone()));
        graph.documents.iter().for_each(|document| self.add_document(document));
    }

    fn add_document(&mut self, document: &RawManifest) {
        let content = MemberContent::Bytes(document.bytes.clone());
        self.members.insert(blob_member_name(document.digest), content);
    }

    /// Creates the members that every archive has.
    fn with_common_members(entries: Vec<Value>, docker: Option<Value>) -> Result<Self, LayoutError> {
        let mut index = index_json::empty_index();
        index_json::replace_entries(&mut index, entries, &[]);
        let mut members = BTreeMap::from([
            ("blobs/".to_owned(), MemberContent::Directory),
            (BLOBS_DIR.to_owned(), MemberContent::Directory),
            ("index.json".to_owned(), MemberContent::Bytes(to_json_bytes("index", &index)?)),
            ("oci-layout".to_owned(), MemberContent::Bytes(to_json_bytes("oci-layout", &oci_layout_json())?)),
        ]);
        if let Some(docker) = docker {
            members.insert("manifest.json".into(), MemberContent::Bytes(to_json_bytes("manifest", &docker)?));
        }
        Ok(Self { members })
    }

    fn add_blob(&mut self, named: Descriptor) {
        self.members.insert(blob_member_name(named.digest), MemberContent::Blob(named));
    }

    /// Removes the blobs with these digests, which the receiver has already.
    pub fn without_blobs(mut self, digests: &BTreeSet<Digest>) -> Self {
        self.members.retain(
            |_, content| !matches!(content, MemberContent::Blob(named) if digests.contains(&named.digest)),
        );
        self
    }

    /// Returns the size of the archive, in bytes.
    pub fn size(&self) -> u64 {
        let member = |(name, content): (&String, &MemberContent)| match content {
            MemberContent::Directory => TarMember::directory(name.as_bytes()).encode_header().len() as u64,
            MemberContent::Bytes(bytes) => padded_member_size(name, bytes.len() as u64),
            MemberContent::Blob(named) => padded_member_size(name, named.size),
        };
        self.members.iter().map(member).fold(END_OF_ARCHIVE.len() as u64, u64::saturating_add)
    }

    /// Writes the archive to `out`. The digest and size of each blob are verified on the way.
    ///
    /// # Errors
    /// Fails if a blob cannot be read or does not match its descriptor, or if `out` fails.
    pub fn write(&self, out: &mut dyn Write, open: &BlobOpener<'_>) -> Result<(), ArchiveWriteError> {
        let mut out = out;
        self.write_members(&mut out, &mut |named, out| copy_verified_blob(named, open, out))
    }

    /// Writes the archive. `put` writes the content of a blob.
    pub(super) fn write_members<W: Write>(
        &self,
        out: &mut W,
        put: &mut dyn FnMut(&Descriptor, &mut W) -> Result<(), ArchiveWriteError>,
    ) -> Result<(), ArchiveWriteError> {
        for (name, content) in &self.members {
            let size = match content {
                MemberContent::Directory => {
                    out.write_all(&TarMember::directory(name.as_bytes()).encode_header())
                        .map_err(ArchiveWriteError::Output)?;
                    continue;
                }
                MemberContent::Bytes(bytes) => bytes.len() as u64,
                MemberContent::Blob(named) => named.size,
            };
            out.write_all(&TarMember::file(name.as_bytes(), size).encode_header())
                .map_err(ArchiveWriteError::Output)?;
            match content {
                MemberContent::Blob(named) => put(named, out)?,
                MemberContent::Bytes(bytes) => out.write_all(bytes).map_err(ArchiveWriteError::Output)?,
                MemberContent::Directory => {}
            }
            out.write_all(padding(size)).map_err(ArchiveWriteError::Output)?;
        }
        out.write_all(&END_OF_ARCHIVE).and_then(|()| out.flush()).map_err(ArchiveWriteError::Output)
    }
}

/// Returns `entries`, with further entries that name the image by its digest if `digest_names` says
/// so.
fn with_digest_names_if_wanted(digest_names: DigestNaming, entries: Vec<Value>) -> Vec<Value> {
    match digest_names {
        DigestNaming::Without => entries,
        DigestNaming::With => index_json::with_digest_names(entries),
    }
}

/// Returns the size of a member with header and padding, in bytes.
fn padded_member_size(name: &str, size: u64) -> u64 {
    let head = TarMember::file(name.as_bytes(), size).encode_header().len() as u64;
    head.saturating_add(size).saturating_add(padding(size).len() as u64)
}

/// Copies a blob to `out`. The last bytes are held back until the digest is verified, so that the
/// receiver never gets a complete blob with wrong content.
fn copy_verified_blob(
    named: &Descriptor,
    open: &BlobOpener<'_>,
    out: &mut dyn Write,
) -> Result<(), ArchiveWriteError> {
    let refused = |error| ArchiveWriteError::Blob(named.digest, error);
    let mut reader = open(named).map_err(refused)?.take(named.size.saturating_add(1));
    let (mut hasher, mut size) = (DigestHasher::default(), 0_u64);
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
        out.write_all(&held).map_err(ArchiveWriteError::Output)?;
        held.clear();
        held.extend_from_slice(bytes);
    }
    let found = hasher.finish();
    if (found, size) != (named.digest, named.size) {
        let why = format!("received {size} bytes with the digest `{found}` instead of {} bytes", named.size);
        return Err(refused(io::Error::other(why)));
    }
    out.write_all(&held).map_err(ArchiveWriteError::Output)
}

fn blob_member_name(digest: Digest) -> String {
    format!("{BLOBS_DIR}{}", digest.hex())
}

/// Returns Docker's `manifest.json`; `None` unless there is exactly one image, because the format
/// cannot describe several platforms.
pub(super) fn docker_manifest(graph: &ImageGraph, names: &[ImageName]) -> Option<Value> {
    match graph.runnable_manifests().as_slice() {
        [image] => Some(docker_manifest_json(&image.config, &image.layers, names)),
        _ => None,
    }
}

fn docker_manifest_json(config: &Descriptor, layers: &[Descriptor], names: &[ImageName]) -> Value {
    let tags: Vec<&String> = names.iter().filter_map(|name| name.full_name.as_ref()).collect();
    let tags = if tags.is_empty() { Value::Null } else { json!(tags) };
    let layers: Vec<String> = layers.iter().map(|layer| blob_member_name(layer.digest)).collect();
    json!([{"Config": blob_member_name(config.digest), "RepoTags": tags, "Layers": layers}])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::media_type;

    /// The names of `index.json`, each with the digest that it refers to.
    fn names(archive: &ImageArchive) -> Vec<(String, String)> {
        let Some(MemberContent::Bytes(index)) = archive.members.get("index.json") else { panic!() };
        let index: Value = serde_json::from_slice(index).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let entries = index["manifests"].as_array().unwrap().iter();
        entries
            .map(|entry| (text(&entry["annotations"]["io.containerd.image.name"]), text(&entry["digest"])))
            .collect()
    }

    fn document(value: &Value) -> RawManifest {
        let bytes = value.to_string().into_bytes();
        let media_type = value["mediaType"].as_str().unwrap().to_owned();
        RawManifest { media_type, digest: Digest::compute(&bytes), bytes }
    }

    #[test]
    fn containerd_gets_the_digests_of_image_and_index_as_names() {
        let manifest = document(&json!({"mediaType": media_type::MANIFEST}));
        let inner = document(&json!({"mediaType": media_type::INDEX, "manifests": []}));
        let index = document(&json!({"mediaType": media_type::INDEX, "manifests": [1]}));
        let graph = ImageGraph { documents: vec![manifest.clone()], blobs: BTreeMap::new() };
        let name: ImageReference = "localhost:5000/shop:1".parse().unwrap();
        let named = |name: &str, document: &RawManifest| {
            (format!("localhost:5000/shop{name}"), document.digest.to_string())
        };
        let by_digest = |document: &RawManifest| named(&format!("@{}", document.digest), document);
        let single = ImageArchive::for_containerd(&graph, &name, &[]).unwrap();
        assert_eq!(names(&single), [named(":1", &manifest), by_digest(&manifest)]);
        let several = ImageArchive::for_containerd(&graph, &name, &[inner.clone(), index.clone()]).unwrap();
        assert_eq!(names(&several), [named(":1", &manifest), by_digest(&manifest), by_digest(&index)]);
        for document in [&manifest, &inner, &index] {
            assert!(several.members.contains_key(&blob_member_name(document.digest)));
        }
        let for_others = ImageArchive::from_graph(&graph, &name).unwrap();
        assert_eq!(names(&for_others), [named(":1", &manifest)]);
    }
}
