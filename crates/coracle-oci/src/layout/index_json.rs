//! Changes `index.json`: adds and replaces the entries of an image.
//!
//! Other entries and unknown members are kept unchanged. Source: image-spec, `image-layout.md` and
//! `image-index.md`; containerd's `io.containerd.image.name`.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};

use super::error::LayoutError;
use super::image_names::ImageName;
use crate::image::{Artifact, Descriptor, RawManifest, media_type};
use coracle_core::json;

/// The annotation with the tag. At most one entry of an index has a given tag.
pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The annotation with the full name, which containerd uses.
pub(super) const FULL_NAME: &str = "io.containerd.image.name";

/// The annotation with the subject of an artifact, so that its manifest need not be read.
pub(super) const SUBJECT: &str = "io.coracle.subject";

/// The annotation of an image whose name was not chosen by the user, with the value `true`. The next
/// build into the layout replaces it.
const DEFAULT_NAME: &str = "io.coracle.default-name";

/// Returns an index without entries.
pub(super) fn empty_index() -> Value {
    json!({"schemaVersion": 2, "mediaType": media_type::INDEX, "manifests": []})
}

/// Adds an entry for each name, replacing entries with the same tag. An image whose name the user did
/// not choose is replaced, too: else most clients could not select the image without a tag.
pub(super) fn put_image(
    index: &mut Value,
    descriptor: &Descriptor,
    names: &[ImageName],
) -> Result<(), LayoutError> {
    if let Some(entries) = index.get_mut("manifests").and_then(Value::as_array_mut) {
        // Those with the same tag keep their position.
        let is_replaced = |entry: &Value| names.iter().any(|name| is_replaced_by_name(name, entry));
        entries.retain(|entry| !is_unnamed_by_user(entry) || is_replaced(entry));
    }
    replace_entries(index, image_entries(descriptor, names)?, names);
    Ok(())
}

/// Returns whether the user chose no name for the image of an entry.
fn is_unnamed_by_user(entry: &Value) -> bool {
    entry.get("annotations").is_some_and(|annotations| annotations.get(DEFAULT_NAME).is_some())
}

/// Replaces the entries that have one of `names` by `added`.
pub(super) fn replace_entries(index: &mut Value, added: Vec<Value>, names: &[ImageName]) {
    if let Some(entries) = index.get_mut("manifests").and_then(Value::as_array_mut) {
        let is_replaced = |entry: &Value| names.iter().any(|name| is_replaced_by_name(name, entry));
        // At the position of the first replaced entry, so that a rebuild does not change the order.
        let at = entries.iter().position(is_replaced).unwrap_or(entries.len());
        entries.retain(|entry| !is_replaced(entry));
        entries.splice(at..at, added);
    }
}

/// Returns the entry of a document that was not created by this build.
pub(super) fn document_entry(document: &RawManifest, name: &ImageName) -> Value {
    let names = [(REF_NAME, &name.tag), (FULL_NAME, &name.full_name)];
    let annotations: serde_json::Map<String, Value> =
        names.iter().filter_map(|(key, name)| Some(((*key).into(), (*name).clone()?.into()))).collect();
    let mut entry = json!({
        "mediaType": document.media_type,
        "digest": document.digest.to_string(),
        "size": document.bytes.len(),
    });
    let content = json::parse(&document.bytes).ok();
    let kind =
        content.as_ref().and_then(|content| content.get("artifactType")).filter(|kind| kind.is_string());
    if let Some(entry) = entry.as_object_mut() {
        if !annotations.is_empty() {
            entry.insert("annotations".into(), annotations.into());
        }
        entry.extend(kind.map(|kind| ("artifactType".to_owned(), kind.clone())));
    }
    entry
}

/// Returns an entry of `descriptor` for each name.
pub(super) fn image_entries(descriptor: &Descriptor, names: &[ImageName]) -> Result<Vec<Value>, LayoutError> {
    let not_json = |source| LayoutError::Serialize { what: "index", source };
    let entries =
        names.iter().map(|name| named_descriptor(descriptor, name).serialize(serde_json::value::Serializer));
    entries.collect::<Result<_, _>>().map_err(not_json)
}

/// Returns `entries`, and one more for each repository: the same image named by its digest,
/// `NAME@DIGEST`. A kubelet looks for this name if a pod names `NAME:TAG@DIGEST`, and containerd
/// knows the names of entries only. Such an entry has no tag.
pub(super) fn with_digest_names(mut entries: Vec<Value>) -> Vec<Value> {
    let digest_entry = |entry: &Value| {
        let full_name = entry.pointer("/annotations")?.get(FULL_NAME)?.as_str()?;
        let (repository, _) = full_name.rsplit_once(':')?;
        let name = format!("{repository}@{}", entry.get("digest")?.as_str()?);
        let mut entry = entry.clone();
        let annotations = entry.get_mut("annotations")?.as_object_mut()?;
        annotations.remove(REF_NAME);
        annotations.insert(FULL_NAME.into(), name.into());
        Some(entry)
    };
    let named: Vec<Value> = entries.iter().filter_map(digest_entry).collect();
    for entry in named {
        if !entries.contains(&entry) {
            entries.push(entry);
        }
    }
    entries
}

/// Returns the entry of an artifact.
pub(super) fn artifact_entry(artifact: &Artifact) -> Result<Value, LayoutError> {
    let mut descriptor = artifact.descriptor();
    descriptor.annotations.insert(SUBJECT.into(), artifact.subject().digest.to_string());
    let entry = descriptor.serialize(serde_json::value::Serializer);
    entry.map_err(|source| LayoutError::Serialize { what: "index", source })
}

/// Adds an entry for an artifact. Replaces entries of the same type whose subject is the same or is
/// not among `subjects`, the digests that the index leads to.
pub(super) fn put_artifact(
    index: &mut Value,
    artifact: &Artifact,
    subjects: &BTreeSet<String>,
) -> Result<(), LayoutError> {
    let subject = artifact.subject().digest.to_string();
    let kind = artifact.descriptor().artifact_type;
    if let Some(entries) = index.get_mut("manifests").and_then(Value::as_array_mut) {
        entries.retain(|entry| match entry.get("annotations").and_then(|all| entry_text(all, SUBJECT)) {
            Some(about) if entry_text(entry, "artifactType") == kind.as_deref() => {
                about != subject && subjects.contains(about)
            }
            _ => true,
        });
    }
    add_referrer(index, artifact_entry(artifact)?);
    Ok(())
}

/// Adds the entry of a manifest that has a subject, unless the manifest has one.
pub(super) fn add_referrer(index: &mut Value, added: Value) {
    if let Some(entries) = index.get_mut("manifests").and_then(Value::as_array_mut)
        && !entries.iter().any(|entry| entry.get("digest") == added.get("digest"))
    {
        entries.push(added);
    }
}

/// Returns the entry of a manifest from elsewhere that has a subject. Lists of referrers contain the
/// artifact type, or else the media type of the config, and the annotations of the manifest. Source:
/// distribution-spec, "Listing Referrers".
pub(super) fn referrer_entry(document: &RawManifest) -> Value {
    let mut entry = document_entry(document, &ImageName::default());
    let content = json::parse(&document.bytes).unwrap_or_default();
    if let Some(entry) = entry.as_object_mut() {
        if let Some(kind) = content.pointer("/config/mediaType").filter(|kind| kind.is_string()) {
            entry.entry("artifactType").or_insert_with(|| kind.clone());
        }
        let mut annotations =
            content.get("annotations").and_then(Value::as_object).cloned().unwrap_or_default();
        if let Some(subject) = content.pointer("/subject/digest") {
            annotations.insert(SUBJECT.into(), subject.clone());
        }
        // The names of other entries must not select an artifact.
        annotations.retain(|key, _| ![REF_NAME, FULL_NAME, DEFAULT_NAME].contains(&key.as_str()));
        entry.insert("annotations".into(), annotations.into());
    }
    entry
}

/// Returns the text member `key` of an entry.
pub(super) fn entry_text<'a>(entry: &'a Value, key: &str) -> Option<&'a str> {
    entry.get(key).and_then(Value::as_str)
}

fn named_descriptor(descriptor: &Descriptor, name: &ImageName) -> Descriptor {
    let mut entry = descriptor.clone();
    let names = [(REF_NAME, &name.tag), (FULL_NAME, &name.full_name)];
    let set = names.iter().filter_map(|(key, name)| Some(((*key).into(), (*name).clone()?)));
    entry.annotations.extend(set);
    if name.is_default {
        entry.annotations.insert(DEFAULT_NAME.into(), "true".into());
    }
    entry
}

/// Returns whether an image with this name replaces `entry`: both have the same tag, or both are
/// images without a name.
fn is_replaced_by_name(name: &ImageName, entry: &Value) -> bool {
    let annotation = |key| entry.get("annotations").and_then(|annotations| annotations.get(key));
    match (&name.tag, annotation(REF_NAME)) {
        (Some(tag), Some(there)) => there == tag.as_str(),
        (None, None) => annotation(FULL_NAME).is_none() && is_image_entry(entry),
        _ => false,
    }
}

/// Returns whether an entry is an image, not a signature, an attestation or another artifact.
pub(super) fn is_image_entry(entry: &Value) -> bool {
    let kind = entry.get("mediaType").and_then(Value::as_str).unwrap_or_default();
    let kinds = [
        media_type::MANIFEST,
        media_type::INDEX,
        media_type::DOCKER_MANIFEST,
        media_type::DOCKER_MANIFEST_LIST,
    ];
    let is_unknown = entry.get("platform").and_then(|platform| platform.get("os")) == Some(&"unknown".into());
    entry.get("artifactType").is_none() && kinds.contains(&kind) && !is_unknown
}

#[cfg(test)]
mod tests {
    use super::super::image_names::{ImageNames, names_with_tag};
    use super::*;
    use crate::image::{Image, ImageConfig, ImageSet, InheritedBase};
    use coracle_core::platform::Platform;
    use coracle_core::reference::ImageReference;

    fn root() -> ImageSet {
        let image = Image::new(
            &ImageConfig::default(),
            &Platform::linux("amd64", None),
            &InheritedBase::default(),
            &[],
            0,
        )
        .unwrap();
        ImageSet::new(vec![image]).unwrap()
    }

    /// Returns the entries of the index: `TAG FULL`, or `x-mark` of an entry that existed before.
    fn after(before: Value, names: &[(Option<&str>, Option<&str>)]) -> Vec<String> {
        let mut index = empty_index();
        index["manifests"] = before;
        index["x-unknown"] = json!(1);
        let names = names.iter().map(|(tag, full)| ImageName {
            tag: tag.map(Into::into),
            full_name: full.map(Into::into),
            is_default: false,
        });
        put_image(&mut index, root().descriptor(), &names.collect::<Vec<_>>()).unwrap();
        assert_eq!(index["x-unknown"], 1);
        let show = |entry: &Value| match entry["x-mark"].as_str() {
            Some(mark) => mark.to_owned(),
            None => {
                assert_eq!(entry["platform"]["architecture"], "amd64");
                let annotation = |key| entry["annotations"][key].as_str().unwrap_or("-").to_owned();
                format!("{} {}", annotation(REF_NAME), annotation(FULL_NAME))
            }
        };
        index["manifests"].as_array().unwrap().iter().map(show).collect()
    }

    fn foreign(mark: &str, tag: Option<&str>) -> Value {
        let mut entry = json!({"mediaType": media_type::MANIFEST, "x-mark": mark});
        if let Some(tag) = tag {
            entry["annotations"][REF_NAME] = tag.into();
        }
        entry
    }

    #[test]
    fn replaces_the_same_tag_and_keeps_others() {
        let before = json!([foreign("a", Some("1")), foreign("b", Some("2")), foreign("c", None)]);
        assert_eq!(after(before.clone(), &[(Some("1"), Some("x:1"))]), ["1 x:1", "b", "c"]);
        assert_eq!(after(before.clone(), &[(None, None)]), ["a", "b", "- -"]);
        assert_eq!(after(before, &[(Some("3"), None), (Some("4"), None)]), ["a", "b", "c", "3 -", "4 -"]);
        let mut signature = foreign("s", None);
        signature["artifactType"] = "application/x".into();
        assert_eq!(after(json!([signature]), &[(None, None)]), ["s", "- -"]);
    }

    #[test]
    fn artifact_replaces_same_type_with_same_or_missing_subject() {
        let artifact = |content: &[u8]| {
            crate::image::Artifact::new("application/x", content.into(), root().descriptor()).unwrap()
        };
        let about = |mark: &str, kind: &str, subject: &str| json!({"x-mark": mark, "artifactType": kind, "annotations": {SUBJECT: subject}});
        let there = root().descriptor().digest.to_string();
        let mut index = empty_index();
        index["manifests"] = json!([
            {"x-mark": "image", "digest": "sha256:other"},
            about("same", "application/x", &there),
            about("gone", "application/x", "sha256:gone"),
            about("other", "application/x", "sha256:other"),
            about("kind", "application/y", &there),
            {"x-mark": "foreign", "artifactType": "application/x"},
        ]);
        for content in [b"1", b"2"] {
            put_artifact(&mut index, &artifact(content), &[there.clone(), "sha256:other".into()].into())
                .unwrap();
        }
        let entries = index["manifests"].as_array().unwrap().iter();
        let marks: Vec<&str> = entries.map(|entry| entry["x-mark"].as_str().unwrap_or("ours")).collect();
        assert_eq!(marks, ["image", "other", "kind", "foreign", "ours"]);
    }

    #[test]
    fn replaces_an_image_whose_name_was_not_chosen() {
        let (chosen, default): ([ImageReference; 1], [ImageReference; 1]) =
            (["hi:1".parse().unwrap()], ["hi:latest".parse().unwrap()]);
        let default = ImageNames { names: &default, are_default: true };
        let chosen = ImageNames::from(&chosen[..]);
        let mut index = empty_index();
        let tags = |index: &Value| -> Vec<String> {
            let entries = index["manifests"].as_array().unwrap().iter();
            entries.map(|entry| entry["annotations"][REF_NAME].as_str().unwrap_or("-").to_owned()).collect()
        };
        let none = ImageNames { names: &[], are_default: true };
        for (names, tag, expected) in [
            (none, None, &["-"][..]),
            (default, None, &["latest"]),
            (default, None, &["latest"]),
            (chosen, None, &["1"]),
            (chosen, Some("2"), &["1", "2"]),
            // A tag of the destination is a choice.
            (default, Some("3"), &["1", "2", "3"]),
            (chosen, None, &["1", "2", "3"]),
        ] {
            let names = names_with_tag(names, tag).unwrap();
            put_image(&mut index, root().descriptor(), &names).unwrap();
            assert_eq!(tags(&index), expected);
        }
    }

    #[test]
    fn each_repository_gets_one_name_with_the_digest() {
        let names: Vec<ImageReference> =
            ["a:1", "a:2", "localhost:5000/b"].iter().map(|name| name.parse().unwrap()).collect();
        let names = names_with_tag(names.as_slice().into(), None).unwrap();
        let entries = with_digest_names(image_entries(root().descriptor(), &names).unwrap());
        let digest = root().descriptor().digest;
        let shown: Vec<(Option<&str>, &str)> = entries
            .iter()
            .map(|entry| {
                let annotations = &entry["annotations"];
                (annotations[REF_NAME].as_str(), annotations[FULL_NAME].as_str().unwrap())
            })
            .collect();
        let (a, b) = (format!("docker.io/library/a@{digest}"), format!("localhost:5000/b@{digest}"));
        let expected = [
            (Some("1"), "docker.io/library/a:1"),
            (Some("2"), "docker.io/library/a:2"),
            (Some("latest"), "localhost:5000/b:latest"),
            (None, a.as_str()),
            (None, b.as_str()),
        ];
        assert_eq!(shown, expected);
        // An image without a name stays so.
        let unnamed =
            image_entries(root().descriptor(), &names_with_tag(ImageNames::default(), None).unwrap())
                .unwrap();
        assert_eq!(with_digest_names(unnamed.clone()), unnamed);
    }
}
