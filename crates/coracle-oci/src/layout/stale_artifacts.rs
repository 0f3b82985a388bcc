//! Finds the artifacts of a layout whose subject a change of the index has removed. Without this, a
//! signature of a replaced image would keep the whole image in the layout.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::index_json::{SUBJECT, entry_text, is_image_entry};
use super::layout_files::blobs_dir;
use crate::image::MAX_DOCUMENT_SIZE;
use coracle_core::digest::Digest;
use coracle_core::fs::{self, FinalLink};
use coracle_core::json;

/// Removes the entries of artifacts from `index` whose subject was in the index `before` and is not in
/// it any more. Artifacts about images elsewhere are kept.
pub(super) fn remove_stale_artifacts(directory: &Path, before: &Value, index: &mut Value) {
    let there = subjects(directory, index);
    let mut gone: BTreeSet<String> =
        subjects(directory, before).into_iter().filter(|digest| !there.contains(digest)).collect();
    let Some(entries) = index.get_mut("manifests").and_then(Value::as_array_mut) else { return };
    // An artifact can itself be the subject of another one.
    while !gone.is_empty() {
        let is_stale = |entry: &Value| subject_of(entry).is_some_and(|subject| gone.contains(subject));
        let (stale, kept) = std::mem::take(entries).into_iter().partition(is_stale);
        let stale: Vec<Value> = stale;
        *entries = kept;
        gone = stale.iter().filter_map(|entry| entry_text(entry, "digest")).map(str::to_owned).collect();
    }
}

/// Returns the digests of the images in `index`, those of their platforms, and those of artifacts.
pub(super) fn subjects(directory: &Path, index: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut pending: Vec<Value> = entries(index).cloned().collect();
    while let Some(entry) = pending.pop() {
        let Some(digest) = entry_text(&entry, "digest") else { continue };
        if found.insert(digest.to_owned()) && is_image_entry(&entry) {
            pending.extend(read_document(directory, digest).iter().flat_map(entries).cloned());
        }
    }
    found
}

fn entries(index: &Value) -> impl Iterator<Item = &Value> {
    index.get("manifests").and_then(Value::as_array).into_iter().flatten()
}

fn subject_of(entry: &Value) -> Option<&str> {
    entry.get("annotations")?.get(SUBJECT)?.as_str()
}

/// Reads a manifest or an index; `None` if it is missing or invalid.
fn read_document(directory: &Path, digest: &str) -> Option<Value> {
    let path = blobs_dir(directory).join(digest.parse::<Digest>().ok()?.hex());
    let bytes = fs::read_regular_file(&path, FinalLink::Refuse, MAX_DOCUMENT_SIZE).ok()?;
    json::parse(&bytes).ok()
}
