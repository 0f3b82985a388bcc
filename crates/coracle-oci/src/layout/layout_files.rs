//! The files of an image layout: their names and paths, and how they are read. Source: image-spec,
//! `image-layout.md`.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::error::LayoutError;
use super::index_json;
use crate::image::{Artifact, Blob, Descriptor, ImageSet};
use coracle_core::digest::DigestHasher;
use coracle_core::fs::Context;
use coracle_core::json;

/// The file that identifies a layout; also the lock file.
pub(super) const OCI_LAYOUT: &str = "oci-layout";

/// The index of the images in a layout.
pub(super) const INDEX_JSON: &str = "index.json";

/// Returns the content of [`OCI_LAYOUT`].
pub(super) fn oci_layout_json() -> Value {
    json!({"imageLayoutVersion": "1.0.0"})
}

/// Serializes `value` as sorted, compact JSON.
pub(super) fn to_json_bytes(what: &'static str, value: &Value) -> Result<Vec<u8>, LayoutError> {
    json::to_bytes(value).map_err(|source| LayoutError::Serialize { what, source })
}

/// Reads a JSON file of a layout; `None` if it does not exist.
pub(super) fn read_json(directory: &Path, name: &str) -> Result<Option<Value>, LayoutError> {
    let path = directory.join(name);
    let bytes = match std::fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes.context("read", &path)?,
    };
    let refused = |source| LayoutError::NotLayout {
        path: directory.to_owned(),
        why: format!("its `{name}` is not JSON ({source})"),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(refused)
}

/// Reads `index.json`; an empty index if it does not exist.
pub(super) fn read_index_or_empty(directory: &Path) -> Result<Value, LayoutError> {
    match read_json(directory, INDEX_JSON)? {
        None => Ok(index_json::empty_index()),
        Some(index) if index.get("manifests").is_some_and(Value::is_array) => Ok(index),
        Some(_) => Err(LayoutError::NotLayout {
            path: directory.to_owned(),
            why: "its `index.json` has no array `manifests`".into(),
        }),
    }
}

/// Returns whether the layout at `directory` has a blob with this digest and size. Reads and hashes
/// the blob.
pub(super) fn has_verified_blob(directory: &Path, named: &Descriptor) -> bool {
    let path = blobs_dir(directory).join(named.digest.hex());
    let there =
        std::fs::symlink_metadata(&path).is_ok_and(|there| there.is_file() && there.len() == named.size);
    there
        && File::open(path).is_ok_and(|mut file| {
            let mut hasher = DigestHasher::default();
            io::copy(&mut file, &mut hasher).is_ok() && hasher.finish() == named.digest
        })
}

/// Returns the paths of the blobs of `root` in the layout at `directory`.
pub(super) fn image_blob_paths(root: &ImageSet, directory: &Path) -> Vec<PathBuf> {
    let layers = root.layer_descriptors().map(|layer| layer.digest.hex());
    let documents = root.documents().map(blob_file_name);
    layers.chain(documents).map(|name| blobs_dir(directory).join(name)).collect()
}

/// Returns the paths of the blobs of `artifact` in the layout at `directory`.
pub(super) fn artifact_blob_paths(artifact: &Artifact, directory: &Path) -> Vec<PathBuf> {
    artifact.blobs().iter().map(|blob| blobs_dir(directory).join(blob_file_name(blob))).collect()
}

pub(super) fn blobs_dir(directory: &Path) -> PathBuf {
    directory.join("blobs").join("sha256")
}

pub(super) fn blob_file_name(blob: &Blob) -> String {
    blob.descriptor().digest.hex()
}
