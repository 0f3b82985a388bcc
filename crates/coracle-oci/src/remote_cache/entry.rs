//! The format of the remote cache: one OCI artifact per cache key, which lists the layers stored
//! under it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use coracle_core::digest::{DiffId, Digest};
use crate::image::{Descriptor, media_type};
use coracle_core::json;
use crate::layer::{Codec, Layer};

/// The artifact type. It includes the format's version.
const KIND: &str = "application/vnd.coracle.layers.v1+json";
/// The annotation of a layer's descriptor with its diff ID.
const DIFF_ID: &str = "io.coracle.layer.diff-id";
/// Maximum number of layers per cache key, the newest first.
const REMEMBERED: usize = 4;

/// The config of every artifact: the empty JSON object.
pub(super) const EMPTY: &[u8] = b"{}";

/// A layer in the remote cache.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    pub(super) diff_id: DiffId,
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) media_type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    artifact_type: &'static str,
    config: Descriptor,
    layers: Vec<Descriptor>,
    media_type: &'static str,
    schema_version: u32,
}

/// Returns the tag for a cache key. It includes the format's version, so that formats do not mix.
pub(super) fn tag(cache_key: Digest) -> String {
    format!("layer-v1-{}", cache_key.hex())
}

impl Entry {
    pub(super) fn of(layer: &Layer) -> Self {
        let Layer { diff_id, digest, size, media_type, .. } = layer;
        Self { diff_id: *diff_id, digest: *digest, size: *size, media_type }
    }

    pub(super) fn descriptor(&self) -> Descriptor {
        let annotations = BTreeMap::from([(DIFF_ID.to_owned(), self.diff_id.to_string())]);
        Descriptor { annotations, ..Descriptor::new(self.media_type, self.digest, self.size) }
    }

    fn read(layer: &Value) -> Option<Self> {
        let Descriptor { media_type, digest, size, .. } = Descriptor::read(layer).ok()?;
        let media_type = Codec::ALL.map(Codec::media_type).into_iter().find(|known| *known == media_type)?;
        let diff_id = layer.get("annotations")?.get(DIFF_ID)?.as_str()?.parse().ok()?;
        Some(Self { diff_id: DiffId::new(diff_id), digest, size, media_type })
    }
}

/// Parses an artifact. The list is empty if it is not one of this format.
pub(super) fn read(bytes: &[u8]) -> Vec<Entry> {
    let document: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let is_ours = document.get("artifactType").and_then(Value::as_str) == Some(KIND);
    let layers = document.get("layers").and_then(Value::as_array).filter(|_| is_ours);
    layers.map_or(&[][..], Vec::as_slice).iter().take(REMEMBERED).filter_map(Entry::read).collect()
}

/// Serializes the artifact with `new` before the `earlier` layers.
pub(super) fn write(new: &Entry, earlier: &[Entry]) -> serde_json::Result<Vec<u8>> {
    let others = earlier.iter().filter(|entry| entry.diff_id != new.diff_id);
    let layers = std::iter::once(new).chain(others).take(REMEMBERED).map(Entry::descriptor);
    json::to_bytes(&Document {
        artifact_type: KIND,
        config: Descriptor::new(media_type::EMPTY, Digest::of(EMPTY), EMPTY.len() as u64),
        layers: layers.collect(),
        media_type: media_type::MANIFEST,
        schema_version: 2,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> Entry {
        let digest = Digest::of(text.as_bytes());
        Entry { diff_id: DiffId::new(digest), digest, size: 3, media_type: Codec::Gzip.media_type() }
    }

    #[test]
    fn keeps_the_newest_entries() {
        let names = ["a", "b", "c", "d", "e"];
        let mut bytes = Vec::new();
        for name in names {
            bytes = write(&entry(name), &read(&bytes)).unwrap();
        }
        assert_eq!(read(&bytes), ["e", "d", "c", "b"].map(entry));
        assert_eq!(read(&write(&entry("c"), &read(&bytes)).unwrap()), ["c", "e", "d", "b"].map(entry));
    }

    #[test]
    fn ignores_other_artifacts() {
        let ours = String::from_utf8(write(&entry("a"), &[]).unwrap()).unwrap();
        for (from, to) in [
            (KIND, "application/other"),
            (DIFF_ID, "other"),
            ("\"size\":3", "\"size\":-3"),
            ("tar+gzip", "tar+lzma"),
            ("\"layers\":[", "\"layers\":{\"a\":["),
        ] {
            assert!(read(ours.replace(from, to).as_bytes()).is_empty(), "{from}");
        }
        assert_eq!(read(ours.as_bytes()).len(), 1);
    }
}
