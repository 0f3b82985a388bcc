//! The files of an image layout: their names and paths, and how they are read. Source: image-spec,
//! `image-layout.md`.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::error::{LayoutError, LayoutWarning};
use super::index_json;
use crate::image::{Artifact, Blob, Descriptor, ImageSet, MAX_DOCUMENT_SIZE};
use coracle_core::digest::DigestHasher;
use coracle_core::fs::{self, FinalLink, PathMetadata};
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

/// Returns whether a crash of the machine left the file at `path` without its content: it is empty or
/// consists of zeros.
pub(super) fn is_without_content(path: &Path) -> fs::Result<bool> {
    let bytes = fs::read_regular_file(path, FinalLink::Refuse, MAX_DOCUMENT_SIZE)?;
    Ok(bytes.iter().all(|&byte| byte == 0))
}

/// Reads a JSON file of a layout; `None` if it does not exist.
pub(super) fn read_json(directory: &Path, name: &str) -> Result<Option<Value>, LayoutError> {
    let path = directory.join(name);
    let bytes = match fs::read_regular_file(&path, FinalLink::Refuse, MAX_DOCUMENT_SIZE) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes?,
    };
    let refused = |source| LayoutError::NotLayout {
        path: directory.to_owned(),
        why: format!("its `{name}` is not JSON ({source})"),
        link_target: None,
    };
    json::parse(&bytes).map(Some).map_err(refused)
}

/// Reads `index.json`; an empty index if it does not exist, or if a crash of the machine left it
/// without content, which is a warning.
pub(super) fn read_index_or_empty(directory: &Path) -> Result<(Value, Option<LayoutWarning>), LayoutError> {
    let path = directory.join(INDEX_JSON);
    if fs::symlink_metadata(&path)?.is_some() && is_without_content(&path)? {
        let warning = LayoutWarning::IndexWithoutContent { directory: directory.to_owned() };
        return Ok((index_json::empty_index(), Some(warning)));
    }
    match read_json(directory, INDEX_JSON)? {
        None => Ok((index_json::empty_index(), None)),
        Some(index) if index.get("manifests").is_some_and(Value::is_array) => Ok((index, None)),
        Some(_) => Err(LayoutError::NotLayout {
            path: directory.to_owned(),
            why: "its `index.json` has no array `manifests`".into(),
            link_target: None,
        }),
    }
}

/// Returns whether the layout at `directory` has a blob with this digest and size. Reads and hashes
/// the blob.
pub(super) fn has_verified_blob(directory: &Path, named: &Descriptor) -> bool {
    let path = blobs_dir(directory).join(named.digest.hex());
    fs::open_regular_file(&path, FinalLink::Refuse).is_ok_and(|mut file| {
        let mut hasher = DigestHasher::default();
        file.metadata().is_ok_and(|there| there.len() == named.size)
            && io::copy(&mut file, &mut hasher).is_ok()
            && hasher.finish() == named.digest
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
    artifact.blobs().map(|blob| blobs_dir(directory).join(blob_file_name(blob))).collect()
}

/// Fails if the directory of the blobs is elsewhere, through a symbolic link.
pub(super) fn check_blobs_dir(directory: &Path) -> Result<(), LayoutError> {
    for name in ["blobs", "blobs/sha256"] {
        match fs::symlink_metadata(&directory.join(name))? {
            None | Some(PathMetadata::Directory) => {}
            Some(_) => {
                let why = format!("its `{name}` is not a directory");
                return Err(LayoutError::NotLayout { path: directory.to_owned(), why, link_target: None });
            }
        }
    }
    Ok(())
}

pub(super) fn blobs_dir(directory: &Path) -> PathBuf {
    directory.join("blobs").join("sha256")
}

pub(super) fn blob_file_name(blob: &Blob) -> String {
    blob.descriptor().digest.hex()
}
