//! Archives: an image layout in a tar, with Docker's `manifest.json` beside `index.json`.
//!
//! One file for docker, podman, containerd and skopeo; its bytes depend on the image and its names alone. Source:
//! image-spec, `image-layout.md`; Moby, `image/spec/v1.2.md` ("Combined Image JSON + Filesystem Changeset Format").

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::destination::target;
use super::names::Name;
use super::staging::Staging;
use super::{Destination, Error, index, layout};
use crate::fs::{self, Context};
use crate::image::{Descriptor, Root};
use crate::layer::tar::{END, Member, padding};

/// Where blobs are in an archive.
const BLOBS: &str = "blobs/sha256/";

/// The content of one member.
enum Content {
    Directory,
    Bytes(Vec<u8>),
    Blob(PathBuf),
}

/// Writes `root` to the file at `destination`, in place of what was there.
pub(super) fn publish(
    root: &Root,
    blobs: &Staging,
    names: &[Name],
    destination: &Destination,
) -> Result<(), Error> {
    let staging = Staging::new(destination)?;
    let (temporary, path) = (staging.unnamed(), target(&destination.path)?);
    write(&members(root, blobs, names)?, &temporary)?;
    std::fs::rename(&temporary, &path).context("write", &path)?;
    Ok(())
}

/// The members by name, in the order in which they are written.
fn members(root: &Root, staging: &Staging, names: &[Name]) -> Result<BTreeMap<String, Content>, Error> {
    let mut index = index::empty();
    index::put(&mut index, root.descriptor(), names)?;
    let mut members = BTreeMap::from([
        ("blobs/".to_owned(), Content::Directory),
        (BLOBS.to_owned(), Content::Directory),
        ("index.json".to_owned(), Content::Bytes(layout::bytes("index", &index)?)),
        ("oci-layout".to_owned(), Content::Bytes(layout::bytes("oci-layout", &layout::mark())?)),
    ]);
    if let Some(manifest) = docker_manifest(root, names) {
        members.insert("manifest.json".into(), Content::Bytes(layout::bytes("manifest", &manifest)?));
    }
    for layer in root.blobs() {
        members.insert(blob(&layer), Content::Blob(staging.path(layer.digest)));
    }
    for document in root.documents() {
        members.insert(blob(document.descriptor()), Content::Bytes(document.bytes().to_vec()));
    }
    Ok(members)
}

fn blob(descriptor: &Descriptor) -> String {
    format!("{BLOBS}{}", descriptor.digest.hex())
}

/// Docker's description; nothing for an image of several platforms, which it can't describe.
fn docker_manifest(root: &Root, names: &[Name]) -> Option<Value> {
    let [image] = root.images() else { return None };
    let tags: Vec<&String> = names.iter().filter_map(|name| name.full.as_ref()).collect();
    let tags = if tags.is_empty() { Value::Null } else { json!(tags) };
    let layers: Vec<String> = image.blobs().map(|layer| blob(&layer)).collect();
    Some(json!([{"Config": blob(image.config().descriptor()), "RepoTags": tags, "Layers": layers}]))
}

fn write(members: &BTreeMap<String, Content>, path: &Path) -> fs::Result<()> {
    let file = File::create_new(path).context("create", path)?;
    let mut out = BufWriter::new(file);
    for (name, content) in members {
        let put = |out: &mut BufWriter<File>, bytes: &[u8]| out.write_all(bytes).context("write", path);
        match content {
            Content::Directory => put(&mut out, &Member::directory(name.as_bytes()).head())?,
            Content::Bytes(bytes) => {
                let size = bytes.len() as u64;
                put(&mut out, &Member::file(name.as_bytes(), size).head())?;
                put(&mut out, bytes)?;
                put(&mut out, padding(size))?;
            }
            Content::Blob(blob) => {
                let mut from = File::open(blob).context("open", blob)?;
                let size = from.metadata().context("look at", blob)?.len();
                put(&mut out, &Member::file(name.as_bytes(), size).head())?;
                // Past the buffer, so that the kernel can copy or share the bytes itself.
                out.flush().context("write", path)?;
                std::io::copy(&mut from, out.get_mut()).context("write", path)?;
                put(&mut out, padding(size))?;
            }
        }
    }
    out.write_all(&END).and_then(|()| out.flush()).context("write", path)
}
