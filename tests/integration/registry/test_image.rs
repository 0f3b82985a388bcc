//! Small images, as blobs and a manifest.

use std::io::Read;

use coracle_core::digest::Digest;
use coracle_oci::registry::{BlobContent, BlobUpload, ManifestReference, RegistryError, RepositoryClient};
use serde_json::{Value, json};

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

pub(crate) struct Image {
    pub(crate) config: Vec<u8>,
    pub(crate) layers: Vec<Vec<u8>>,
    pub(crate) manifest: Vec<u8>,
    media_type: String,
}

/// An image with layers of these sizes.
pub(crate) fn image(sizes: &[usize]) -> Image {
    image_of(&json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers"}}), MANIFEST, sizes)
}

/// The same with this config, in a manifest of this type.
pub(crate) fn image_of(config: &Value, media_type: &str, sizes: &[usize]) -> Image {
    let layer = |(index, &size): (usize, &usize)| {
        (0..size).map(|at| u8::try_from((at * 31 + at / 251 + index) % 256).unwrap()).collect()
    };
    let layers: Vec<Vec<u8>> = sizes.iter().enumerate().map(layer).collect();
    let config = config.to_string().into_bytes();
    let descriptor = |kind: &str, bytes: &[u8]| json!({"mediaType": kind, "digest": Digest::compute(bytes).to_string(), "size": bytes.len()});
    let kind = "application/vnd.oci.image.layer.v1.tar";
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
        "layers": layers.iter().map(|layer| descriptor(kind, layer)).collect::<Vec<_>>(),
    });
    Image { config, layers, manifest: manifest.to_string().into_bytes(), media_type: media_type.to_owned() }
}

pub(crate) fn upload(bytes: &[u8]) -> BlobUpload<'_> {
    BlobUpload {
        digest: Digest::compute(bytes),
        size: bytes.len() as u64,
        content: BlobContent::Bytes(bytes),
        mount_from: None,
        progress: &(),
    }
}

impl Image {
    pub(crate) fn uploads(&self) -> Vec<BlobUpload<'_>> {
        self.layers.iter().chain([&self.config]).map(|blob| upload(blob)).collect()
    }

    pub(crate) fn digest(&self) -> Digest {
        Digest::compute(&self.manifest)
    }

    pub(crate) fn push(&self, remote: &RepositoryClient, tag: &str) -> Result<(), RegistryError> {
        remote.push_blobs(&self.uploads())?;
        remote.put_manifest(ManifestReference::Tag(tag), &self.media_type, &self.manifest).map(drop)
    }
}

/// All of a blob.
pub(crate) fn read(
    remote: &RepositoryClient,
    digest: &Digest,
    size: usize,
) -> Result<Vec<u8>, RegistryError> {
    let mut bytes = Vec::new();
    let mut reader = remote.pull_blob(digest, size as u64)?;
    match reader.read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => {
            assert!(bytes.len() < size || size == 0, "what is wrong must not be complete");
            assert!(reader.read(&mut [0; 9]).is_err(), "what failed stays failed");
            Err(error.downcast::<RegistryError>().unwrap())
        }
    }
}
