//! Simple signing, the older form of cosign's signatures, which container engines verify: a JSON payload
//! as the layer of an image, with the signature in an annotation, at the tag `sha256-HEX.sig`. Source:
//! sigstore/cosign, `specs/SIGNATURE_SPEC.md`; containers/image, `docs/containers-signature.5.md`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use coracle_core::digest::Digest;
use coracle_core::json;
use coracle_oci::image::media_type;
use coracle_oci::registry::{BlobContent, BlobUpload, ManifestReference, RegistryError, RepositoryClient};

use crate::error::SignatureError;
use crate::public_key::PublicKey;
use crate::signing_key::SigningKey;

/// The media type of the payload.
pub const MEDIA_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// The annotation of the layer with the signature, in base64.
pub const SIGNATURE_ANNOTATION: &str = "dev.cosignproject.cosign/signature";
/// `critical.type` of cosign's payloads.
const SIGNATURE_TYPE: &str = "cosign container image signature";

/// A signed payload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SimpleSignature {
    /// The payload.
    pub payload: Vec<u8>,
    /// The signature, in base64.
    pub signature: String,
}

impl SimpleSignature {
    /// Signs the image with this digest. Engines compare `name` with the name that the image is pulled by:
    /// it is `REGISTRY/REPOSITORY` or `REGISTRY/REPOSITORY:TAG`.
    ///
    /// # Errors
    /// Fails if the payload cannot be serialized.
    pub fn new(image: Digest, name: &str, key: &SigningKey) -> Result<Self, serde_json::Error> {
        let payload = json::to_bytes(&json!({
            "critical": {
                "identity": {"docker-reference": name},
                "image": {"docker-manifest-digest": image.to_string()},
                "type": SIGNATURE_TYPE,
            },
            "optional": null,
        }))?;
        let signature = STANDARD.encode(key.sign(&payload));
        Ok(Self { payload, signature })
    }

    /// Returns the tag that engines look for.
    pub fn tag(image: &Digest) -> String {
        format!("sha256-{}.sig", image.hex())
    }

    /// Verifies that the signature was made with `key`, and is about the image with this digest. Returns the
    /// name in the payload.
    ///
    /// # Errors
    /// Fails if it was made with another key or over other bytes, or is about another image.
    pub fn verify(&self, key: &PublicKey, image: &Digest) -> Result<String, SignatureError> {
        let signature = STANDARD.decode(&self.signature).map_err(|_| SignatureError::WrongKey)?;
        if !key.verifies(&self.payload, &signature) {
            return Err(SignatureError::WrongKey);
        }
        let refused = |error: serde_json::Error| SignatureError::NotSimpleSigning(error.to_string());
        let payload: Payload =
            json::parse(&self.payload).and_then(serde_json::from_value).map_err(refused)?;
        let Payload { critical: Critical { identity, image: found, kind } } = payload;
        if kind != SIGNATURE_TYPE {
            return Err(SignatureError::NotSimpleSigning(format!("its type is `{kind}`")));
        }
        match found.docker_manifest_digest == image.to_string() {
            true => Ok(identity.docker_reference),
            false => Err(SignatureError::OtherSubject { wanted: *image }),
        }
    }
}

#[derive(Deserialize)]
struct Payload {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    identity: Identity,
    image: SignedImage,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Identity {
    docker_reference: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct SignedImage {
    docker_manifest_digest: String,
}

/// The maximum number of times that the image at a signature's tag is written.
const MAX_WRITES: usize = 5;

/// Adds a signature to the image at the tag where engines look for those of `image`. Other signatures
/// there are kept.
///
/// # Errors
/// Fails if a request fails, or if other clients keep overwriting the tag.
pub fn push(
    remote: &RepositoryClient,
    image: &Digest,
    signature: &SimpleSignature,
) -> Result<(), RegistryError> {
    let tag = SimpleSignature::tag(image);
    let internal = |_| RegistryError::Internal("a signature cannot be serialized");
    let layer = json!({
        "annotations": {SIGNATURE_ANNOTATION: signature.signature},
        "digest": Digest::compute(&signature.payload).to_string(),
        "mediaType": MEDIA_TYPE,
        "size": signature.payload.len(),
    });
    for _ in 0..MAX_WRITES {
        let mut layers = existing_layers(remote, &tag)?;
        if layers.contains(&layer) {
            return Ok(());
        }
        layers.push(layer.clone());
        let diff_ids: Vec<&Value> = layers.iter().filter_map(|layer| layer.get("digest")).collect();
        let config = json::to_bytes(&json!({
            "architecture": "",
            "config": {},
            "os": "",
            "rootfs": {"diff_ids": diff_ids, "type": "layers"},
        }))
        .map_err(internal)?;
        let manifest = json::to_bytes(&json!({
            "config": {
                "digest": Digest::compute(&config).to_string(),
                "mediaType": media_type::CONFIG,
                "size": config.len(),
            },
            "layers": layers,
            "mediaType": media_type::MANIFEST,
            "schemaVersion": 2,
        }))
        .map_err(internal)?;
        remote.push_blobs(&[&config, &signature.payload].map(|bytes| BlobUpload {
            digest: Digest::compute(bytes),
            size: bytes.len() as u64,
            content: BlobContent::Bytes(bytes),
            mount_from: None,
            progress: &(),
        }))?;
        remote.put_manifest(ManifestReference::Tag(&tag), media_type::MANIFEST, &manifest)?;
    }
    match existing_layers(remote, &tag)?.contains(&layer) {
        true => Ok(()),
        false => Err(RegistryError::TagConflict { repository: remote.repository().clone(), tag }),
    }
}

/// Returns the layers of the image at `tag`; none if there is no image.
fn existing_layers(remote: &RepositoryClient, tag: &str) -> Result<Vec<Value>, RegistryError> {
    let Some(manifest) = remote.pull_manifest(ManifestReference::Tag(tag))? else { return Ok(Vec::new()) };
    let document = json::parse(&manifest.bytes).unwrap_or_default();
    Ok(document.get("layers").and_then(Value::as_array).cloned().unwrap_or_default())
}
