//! How layers are written down in a shared cache: an artifact for each shape, which names the blobs of that shape.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use coracle_core::digest::{DiffId, Digest};
use crate::image::{Descriptor, media_type};
use coracle_core::json;
use crate::layer::{Codec, Layer};

/// What the artifact is; another format has another name.
const KIND: &str = "application/vnd.coracle.layers.v1+json";
/// Says the diff ID of a layer, where its descriptor stands.
const DIFF_ID: &str = "io.coracle.layer.diff-id";
/// Blobs of one shape that are remembered, the newest first.
const REMEMBERED: usize = 4;

/// The config of every artifact here.
pub(super) const EMPTY: &[u8] = b"{}";

/// A layer that was packed before, somewhere.
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

/// The tag of a shape: it says the format too, so that others never meet.
pub(super) fn tag(shape: Digest) -> String {
    format!("layer-v1-{}", shape.hex())
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

/// The entries of an artifact; none of one that is something else.
pub(super) fn read(bytes: &[u8]) -> Vec<Entry> {
    let document: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let is_ours = document.get("artifactType").and_then(Value::as_str) == Some(KIND);
    let layers = document.get("layers").and_then(Value::as_array).filter(|_| is_ours);
    layers.map_or(&[][..], Vec::as_slice).iter().take(REMEMBERED).filter_map(Entry::read).collect()
}

/// The artifact of one shape with `new` in front of those that it has.
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
    fn the_newest_entries_are_remembered() {
        let names = ["a", "b", "c", "d", "e"];
        let mut bytes = Vec::new();
        for name in names {
            bytes = write(&entry(name), &read(&bytes)).unwrap();
        }
        assert_eq!(read(&bytes), ["e", "d", "c", "b"].map(entry));
        assert_eq!(read(&write(&entry("c"), &read(&bytes)).unwrap()), ["c", "e", "d", "b"].map(entry));
    }

    #[test]
    fn what_others_have_written_has_no_entries() {
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
