//! The format of the remote cache: one OCI artifact per cache key, which lists the layers stored
//! under it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::image::{Descriptor, media_type};
use crate::layer::{Codec, Layer};
use coracle_core::digest::{DiffId, Digest};
use coracle_core::json;

/// The artifact type. It includes the format's version.
const ARTIFACT_TYPE: &str = "application/vnd.coracle.layers.v1+json";
/// The annotation of a layer's descriptor with its diff ID.
const DIFF_ID_ANNOTATION: &str = "io.coracle.layer.diff-id";
/// Maximum number of layers per cache key, the newest first.
const MAX_ENTRIES: usize = 4;

/// The config of every artifact: the empty JSON object.
pub(super) const EMPTY_CONFIG: &[u8] = b"{}";

/// A layer in the remote cache.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct RemoteCacheEntry {
    pub(super) diff_id: DiffId,
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) media_type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactManifest {
    artifact_type: &'static str,
    config: Descriptor,
    layers: Vec<Descriptor>,
    media_type: &'static str,
    schema_version: u32,
}

/// Returns the tag for a cache key. It includes the format's version, so that formats do not mix.
pub(super) fn artifact_tag(cache_key: Digest) -> String {
    format!("layer-v1-{}", cache_key.hex())
}

impl RemoteCacheEntry {
    pub(super) fn from_layer(layer: &Layer) -> Self {
        let Layer { diff_id, digest, size, media_type, .. } = layer;
        Self { diff_id: *diff_id, digest: *digest, size: *size, media_type }
    }

    pub(super) fn descriptor(&self) -> Descriptor {
        let annotations = BTreeMap::from([(DIFF_ID_ANNOTATION.to_owned(), self.diff_id.to_string())]);
        Descriptor { annotations, ..Descriptor::new(self.media_type, self.digest, self.size) }
    }

    fn from_descriptor(layer: &Value) -> Option<Self> {
        let Descriptor { media_type, digest, size, .. } = Descriptor::parse(layer).ok()?;
        let media_type = Codec::ALL.map(Codec::media_type).into_iter().find(|known| *known == media_type)?;
        let diff_id = layer.get("annotations")?.get(DIFF_ID_ANNOTATION)?.as_str()?.parse().ok()?;
        Some(Self { diff_id: DiffId::new(diff_id), digest, size, media_type })
    }
}

/// Parses an artifact. The list is empty if it is not one of this format.
pub(super) fn parse_artifact(bytes: &[u8]) -> Vec<RemoteCacheEntry> {
    let document: Value = json::parse(bytes).unwrap_or_default();
    let is_ours = document.get("artifactType").and_then(Value::as_str) == Some(ARTIFACT_TYPE);
    let layers = document.get("layers").and_then(Value::as_array).filter(|_| is_ours);
    layers
        .map_or(&[][..], Vec::as_slice)
        .iter()
        .take(MAX_ENTRIES)
        .filter_map(RemoteCacheEntry::from_descriptor)
        .collect()
}

/// Serializes the artifact with `new` before the `earlier` layers.
pub(super) fn serialize_artifact(
    new: &RemoteCacheEntry,
    earlier: &[RemoteCacheEntry],
) -> serde_json::Result<Vec<u8>> {
    let others = earlier.iter().filter(|entry| entry.diff_id != new.diff_id);
    let layers = std::iter::once(new).chain(others).take(MAX_ENTRIES).map(RemoteCacheEntry::descriptor);
    json::to_bytes(&ArtifactManifest {
        artifact_type: ARTIFACT_TYPE,
        config: Descriptor::new(media_type::EMPTY, Digest::compute(EMPTY_CONFIG), EMPTY_CONFIG.len() as u64),
        layers: layers.collect(),
        media_type: media_type::MANIFEST,
        schema_version: 2,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> RemoteCacheEntry {
        let digest = Digest::compute(text.as_bytes());
        RemoteCacheEntry {
            diff_id: DiffId::new(digest),
            digest,
            size: 3,
            media_type: Codec::Gzip.media_type(),
        }
    }

    #[test]
    fn keeps_the_newest_entries() {
        let names = ["a", "b", "c", "d", "e"];
        let mut bytes = Vec::new();
        for name in names {
            bytes = serialize_artifact(&entry(name), &parse_artifact(&bytes)).unwrap();
        }
        assert_eq!(parse_artifact(&bytes), ["e", "d", "c", "b"].map(entry));
        assert_eq!(
            parse_artifact(&serialize_artifact(&entry("c"), &parse_artifact(&bytes)).unwrap()),
            ["c", "e", "d", "b"].map(entry)
        );
    }

    #[test]
    fn ignores_other_artifacts() {
        let ours = String::from_utf8(serialize_artifact(&entry("a"), &[]).unwrap()).unwrap();
        for (from, to) in [
            (ARTIFACT_TYPE, "application/other"),
            (DIFF_ID_ANNOTATION, "other"),
            ("\"size\":3", "\"size\":-3"),
            ("tar+gzip", "tar+lzma"),
            ("\"layers\":[", "\"layers\":{\"a\":["),
        ] {
            assert!(parse_artifact(ours.replace(from, to).as_bytes()).is_empty(), "{from}");
        }
        assert_eq!(parse_artifact(ours.as_bytes()).len(), 1);
    }
}
