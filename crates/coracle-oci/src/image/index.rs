//! Serializes an index of existing images, with the same entries as an index of a build. Source:
//! image-spec, `image-index.md`.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::descriptor::{Blob, Descriptor};
use super::error::ImageError;
use super::image_graph::RawManifest;
use super::media_type;
use coracle_core::escape::escape_text;
use coracle_core::platform::Platform;

/// The entry of a platform's image in an index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IndexEntry {
    /// The descriptor of its manifest, with the platform.
    pub descriptor: Descriptor,
    /// The `os.version` of the platform, which only Windows images have.
    pub os_version: Option<String>,
}

/// The JSON document.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IndexDocument<'a, M> {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: &'a BTreeMap<String, String>,
    pub(super) manifests: Vec<M>,
    pub(super) media_type: &'static str,
    pub(super) schema_version: u32,
}

/// Returns an index of `members`, in their order.
///
/// # Errors
/// Fails if the index cannot be serialized.
pub fn serialize_index<'a>(
    members: impl IntoIterator<Item = &'a IndexEntry>,
    annotations: &BTreeMap<String, String>,
) -> Result<RawManifest, ImageError> {
    let manifests = members.into_iter().collect();
    let index = IndexDocument { annotations, manifests, media_type: media_type::INDEX, schema_version: 2 };
    let blob = Blob::from_serializable(media_type::INDEX, "index", &index)?;
    Ok((&blob).into())
}

impl IndexEntry {
    /// Creates the entry of an image from its manifest and platform.
    pub fn new(manifest: &RawManifest, platform: Platform, os_version: Option<String>) -> Self {
        let size = manifest.bytes.len() as u64;
        let descriptor = Descriptor::new(manifest.media_type.clone(), manifest.digest, size);
        Self { descriptor: Descriptor { platform: Some(platform), ..descriptor }, os_version }
    }

    /// Returns the platform and `os.version`, which identify the entry in an index.
    pub fn platform_key(&self) -> (Option<&Platform>, Option<&str>) {
        (self.descriptor.platform.as_ref(), self.os_version.as_deref())
    }
}

impl fmt::Display for IndexEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.descriptor.platform.iter().try_for_each(|platform| platform.fmt(f))?;
        self.os_version.iter().try_for_each(|version| write!(f, " {}", escape_text(version)))
    }
}

impl Serialize for IndexEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut value = serde_json::to_value(&self.descriptor).map_err(serde::ser::Error::custom)?;
        let platform = value.get_mut("platform").and_then(Value::as_object_mut);
        if let (Some(version), Some(platform)) = (&self.os_version, platform) {
            platform.insert("os.version".into(), version.clone().into());
        }
        value.serialize(serializer)
    }
}
