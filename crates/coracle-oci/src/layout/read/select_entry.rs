//! Selects entries of an index by tag or platform.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::layout::disk_location::DiskLocation;
use crate::layout::error::LayoutError;
use crate::layout::index_json::{FULL_NAME, REF_NAME, is_image_entry};
use coracle_core::digest::Digest;
use coracle_core::escape::escape_text;
use coracle_core::platform::Platform;

/// A selected entry of `index.json`, with all full names of its image.
pub(super) struct SelectedEntry {
    pub(super) digest: Digest,
    pub(super) media_type: String,
    pub(super) names: Vec<String>,
}

/// Selects the entry of `index.json` with the tag of `location`, or the only image if there is no
/// tag.
pub(super) fn select_entry(index: &Value, location: &DiskLocation) -> Result<SelectedEntry, LayoutError> {
    let refused = |why: String, hint: Option<String>| LayoutError::UnreadableImage {
        image: location.to_string(),
        why,
        hint,
    };
    let entries = index.get("manifests").and_then(Value::as_array);
    let entries = entries.ok_or_else(|| refused("its `index.json` has no array `manifests`".into(), None))?;
    let images: Vec<&Value> = entries
        .iter()
        .filter(|entry| is_image_entry(entry) && !is_referrers_tag(annotation(entry, REF_NAME)))
        .collect();
    let tags: BTreeSet<&str> = images.iter().filter_map(|entry| annotation(entry, REF_NAME)).collect();
    let tags = tags.into_iter().map(escape_text).collect::<Vec<_>>().join(", ");
    let matching: Vec<&Value> = match &location.tag {
        Some(tag) => {
            images.iter().copied().filter(|entry| annotation(entry, REF_NAME) == Some(tag.as_str())).collect()
        }
        None => images.clone(),
    };
    let Some(first) = matching.first() else {
        return Err(match &location.tag {
            Some(tag) => refused(
                format!("no image in it has the tag `{tag}`"),
                (!tags.is_empty()).then(|| format!("its tags: {tags}")),
            ),
            None => refused("it contains no image".into(), None),
        });
    };
    let digest = parse_digest(first).map_err(|why| refused(why, None))?;
    let is_same = |entry: &&&Value| entry.get("digest") == first.get("digest");
    if matching.iter().filter(is_same).count() < matching.len() {
        let hint = (!tags.is_empty()).then(|| format!("choose one by its tag: {tags}"));
        return Err(refused("it contains several images".into(), hint));
    }
    // The names of other tags of the same image count as well.
    let same = images.iter().filter(is_same);
    let names = same.filter_map(|entry| annotation(entry, FULL_NAME));
    // Entries for containerd are named by the digest.
    let names: BTreeSet<String> = names.filter(|name| !name.contains('@')).map(str::to_owned).collect();
    let media_type = first.get("mediaType").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(SelectedEntry { digest, media_type, names: names.into_iter().collect() })
}

/// Selects the entry of Docker's `manifest.json` with the tag of `location`, or the only entry if
/// there is no tag.
pub(super) fn select_docker_entry<'a>(
    manifest: &'a Value,
    location: &DiskLocation,
) -> Result<&'a Value, LayoutError> {
    let refused =
        |why: &str| LayoutError::UnreadableImage { image: location.to_string(), why: why.into(), hint: None };
    let entries = manifest.as_array().ok_or_else(|| refused("its `manifest.json` is not an array"))?;
    let has_tag = |entry: &&Value| match &location.tag {
        None => true,
        Some(tag) => entry.get("RepoTags").and_then(Value::as_array).is_some_and(|tags| {
            let tags = tags.iter().filter_map(Value::as_str);
            tags.filter_map(|name| name.rsplit_once(':')).any(|(_, found)| found == tag)
        }),
    };
    let matching: Vec<&Value> = entries.iter().filter(has_tag).collect();
    match matching.as_slice() {
        [one] => Ok(one),
        [] => Err(refused("no image in it has this tag")),
        _ => Err(refused("it contains several images: choose one by its tag")),
    }
}

/// Returns the strings of the array `key`.
pub(super) fn string_array(document: &Value, key: &str) -> Vec<String> {
    let list = document.get(key).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Parses the digest of a descriptor.
pub(super) fn parse_digest(descriptor: &Value) -> Result<Digest, String> {
    let text = descriptor.get("digest").and_then(Value::as_str).unwrap_or_default();
    text.parse().map_err(|_| {
        format!("`{}` is not a sha256 digest", coracle_core::path::escape_bytes(text.as_bytes()))
    })
}

/// Returns whether a document is an index, by its own media type or else by its descriptor's.
pub(super) fn is_index(media_type: &str, document: &Value) -> bool {
    let own = document.get("mediaType").and_then(Value::as_str).unwrap_or(media_type);
    own.ends_with(".image.index.v1+json") || own.ends_with(".manifest.list.v2+json")
}

/// Selects the entry of an index for a platform: one with the same variant, else one without a
/// variant, else any if `wanted` has no variant. A single image without a platform is selected too;
/// its config has the platform.
pub(super) fn select_platform_entry<'a>(index: &'a Value, wanted: &Platform) -> Option<&'a Value> {
    let entries = index.get("manifests").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let images: Vec<&Value> = entries.iter().filter(|entry| is_image_entry(entry)).collect();
    if let [only] = images.as_slice()
        && only.get("platform").is_none()
    {
        return Some(only);
    }
    let candidates: Vec<(&Value, Platform)> =
        images.into_iter().filter_map(|entry| Some((entry, entry_platform(entry)?))).collect();
    let mut candidates: Vec<_> =
        candidates.into_iter().filter(|(_, found)| found.matches_ignoring_variant(wanted)).collect();
    candidates.sort_by_key(|(_, found)| (found.variant != wanted.variant, found.variant.is_some()));
    let (entry, found) = candidates.into_iter().next()?;
    let fits = wanted.variant.is_none() || found.variant.is_none() || found.variant == wanted.variant;
    fits.then_some(entry)
}

/// Returns the platform of an entry.
pub(super) fn entry_platform(entry: &Value) -> Option<Platform> {
    let platform = entry.get("platform")?;
    let text = |key: &str| platform.get(key).and_then(Value::as_str).map(str::to_owned);
    Some(Platform { os: text("os")?, architecture: text("architecture")?, variant: text("variant") })
}

/// Returns the tag of an entry of `index.json`.
pub(super) fn entry_tag(entry: &Value) -> Option<&str> {
    annotation(entry, REF_NAME)
}

/// Returns whether a tag has the form `sha256-HEX`, which holds referrers if a registry has no API
/// for them.
fn is_referrers_tag(tag: Option<&str>) -> bool {
    tag.and_then(|tag| tag.strip_prefix("sha256-"))
        .is_some_and(|hex| hex.len() >= 64 && hex.bytes().take(64).all(|byte| byte.is_ascii_hexdigit()))
}

fn annotation<'a>(entry: &'a Value, key: &str) -> Option<&'a str> {
    entry.get("annotations")?.get(key)?.as_str()
}
