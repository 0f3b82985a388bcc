//! Descriptors, and the small blobs that they identify.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::error::ImageError;
use crate::layer::Layer;
use coracle_core::digest::Digest;
use coracle_core::json;
use coracle_core::path::escape_bytes;
use coracle_core::platform::Platform;

/// Identifies a blob by media type, digest and size.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The media type of the blob.
    pub media_type: Cow<'static, str>,
    /// The digest of the blob.
    #[serde(serialize_with = "serialize_display")]
    pub digest: Digest,
    /// The size of the blob, in bytes.
    pub size: u64,
    /// The type of an artifact, in an index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<Cow<'static, str>>,
    /// The platform of an image, in an index.
    #[serde(serialize_with = "serialize_platform", skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Additional metadata.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Bytes and their descriptor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Blob {
    descriptor: Descriptor,
    bytes: Vec<u8>,
}

impl Blob {
    /// Serializes `value` as JSON; `what` names the document in an error.
    pub(super) fn from_serializable(
        media_type: &'static str,
        what: &'static str,
        value: &impl Serialize,
    ) -> Result<Self, ImageError> {
        let bytes = json::to_bytes(value).map_err(|source| ImageError::Serialize { what, source })?;
        Ok(Self::new(media_type, bytes))
    }

    /// Creates a blob from raw bytes.
    pub(super) fn new(media_type: impl Into<Cow<'static, str>>, bytes: Vec<u8>) -> Self {
        let (digest, size) = (Digest::compute(&bytes), bytes.len() as u64);
        Self { descriptor: Descriptor::new(media_type, digest, size), bytes }
    }

    /// Returns the bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the descriptor of the bytes.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }
}

impl Descriptor {
    pub(crate) fn new(media_type: impl Into<Cow<'static, str>>, digest: Digest, size: u64) -> Self {
        let media_type = media_type.into();
        Self { media_type, digest, size, artifact_type: None, platform: None, annotations: BTreeMap::new() }
    }

    /// Parses media type, digest and size of a descriptor.
    ///
    /// # Errors
    /// Fails if the digest is not sha256, or if there is no size.
    pub fn parse(value: &Value) -> Result<Self, String> {
        let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
        let digest = text("digest").parse();
        let digest = digest
            .map_err(|_| format!("`{}` is not a sha256 digest", escape_bytes(text("digest").as_bytes())))?;
        let size = value.get("size").and_then(Value::as_u64);
        let size = size.ok_or_else(|| format!("the descriptor of `{digest}` has no valid `size`"))?;
        Ok(Self::new(text("mediaType").to_owned(), digest, size))
    }
}

impl From<&Layer> for Descriptor {
    fn from(layer: &Layer) -> Self {
        Self::new(layer.media_type, layer.digest, layer.size)
    }
}

pub(super) fn serialize_display<S: Serializer>(
    value: &impl Display,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// The members of a platform in a descriptor or a config.
#[derive(Serialize)]
pub(super) struct PlatformJson<'a> {
    architecture: &'a str,
    os: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<&'a str>,
}

impl<'a> From<&'a Platform> for PlatformJson<'a> {
    fn from(platform: &'a Platform) -> Self {
        let Platform { os, architecture, variant } = platform;
        Self { architecture, os, variant: variant.as_deref() }
    }
}

fn serialize_platform<S: Serializer>(platform: &Option<Platform>, serializer: S) -> Result<S::Ok, S::Error> {
    platform.as_ref().map(PlatformJson::from).serialize(serializer)
}
