//! ConfigMaps and Secrets made from the files of one mount.

use coracle_core::note::Note;
use coracle_core::path::ImagePath;
use serde_json::{Value, json};

use super::object_data;
use super::object_data::{ConfigObjectKind, ObjectData};
use crate::config::RenderedMount;
use crate::kubernetes_limits::{
    LAST_APPLIED_ANNOTATION, MAX_ANNOTATION_BYTES, MAX_OBJECT_BYTES, MAX_REQUEST_BYTES, MAX_STORED_BYTES,
};
use crate::located_problem::LocatedProblem;

/// What a key adds to a stored object besides its name: lengths and field paths.
const BYTES_PER_KEY: usize = 16;

/// A ConfigMap or Secret with the files of one mount.
#[derive(Clone, PartialEq, Debug)]
pub struct ConfigObject {
    /// ConfigMap or Secret.
    pub kind: ConfigObjectKind,
    /// The mount path of the files.
    pub mount: ImagePath,
    /// The name without a hash.
    pub base_name: String,
    /// `true` if the object is immutable; if so, its name has a hash of the content.
    pub is_immutable: bool,
    /// The object's `metadata` without `name`.
    pub metadata: Value,
    /// The files, sorted by key.
    pub files: Vec<(String, Vec<u8>)>,
}

impl ConfigObject {
    /// Returns the name of the object.
    pub fn name(&self) -> String {
        if self.is_immutable {
            let suffix = object_data::name_suffix(self.kind, &ObjectData::encode(self.kind, &self.files));
            format!("{}-{suffix}", self.base_name)
        } else {
            self.base_name.clone()
        }
    }

    /// Returns the Kubernetes object.
    pub fn to_object(&self) -> Value {
        let contents = ObjectData::encode(self.kind, &self.files);
        let mut metadata = self.metadata.clone();
        let mut object = json!({ "apiVersion": "v1", "kind": self.kind.as_str() });
        if let Some(members) = metadata.as_object_mut() {
            members.insert("name".into(), json!(self.name()));
        }
        let is_there = |map: &Value| map.as_object().is_some_and(|map| !map.is_empty());
        if let Some(members) = object.as_object_mut() {
            members.insert("metadata".into(), metadata);
            if self.is_immutable {
                members.insert("immutable".into(), json!(true));
            }
            if self.kind == ConfigObjectKind::Secret {
                members.insert("type".into(), json!("Opaque"));
            }
            let parts = [("data", contents.data), ("binaryData", contents.binary)];
            members.extend(
                parts.into_iter().filter(|(_, map)| is_there(map)).map(|(key, map)| (key.to_owned(), map)),
            );
        }
        object
    }

    /// Returns a problem if the files are too large for one object.
    pub(super) fn size_problem(&self) -> Option<LocatedProblem> {
        let size: usize = self.files.iter().map(|(_, bytes)| bytes.len()).sum();
        // `managedFields` repeats every key.
        let keys: usize = self.files.iter().map(|(key, _)| 2 * key.len() + BYTES_PER_KEY).sum();
        let limits = [
            (size, MAX_OBJECT_BYTES, "of content, and a Kubernetes object has at most"),
            (size + keys, MAX_STORED_BYTES, "with its keys, and the cluster stores at most"),
            (
                object_data::to_go_json(&self.to_object()).len(),
                MAX_REQUEST_BYTES,
                "as JSON, and the API server reads at most",
            ),
        ];
        let (size, limit, why) = limits.into_iter().find(|(size, limit, _)| size > limit)?;
        Some(
            LocatedProblem::new(
                format!("the {} for `{}` has {size} bytes {why} {limit}", self.kind.as_str(), self.mount),
                "split the files into several mounts, or include those that never change in the image",
            )
            .at_mount(&self.mount),
        )
    }

    /// Returns a warning if the object is too large for client-side `kubectl apply`.
    pub(super) fn apply_size_warning(&self) -> Option<Note> {
        let mut recorded = self.to_object();
        if let Some(metadata) = recorded.pointer_mut("/metadata").and_then(Value::as_object_mut) {
            metadata.entry("annotations").or_insert_with(|| json!({}));
            metadata.entry("namespace").or_insert_with(|| json!("default"));
        }
        let annotations = self.metadata.get("annotations").and_then(Value::as_object);
        let others: usize = annotations
            .into_iter()
            .flatten()
            .map(|(name, value)| name.len() + value.as_str().map_or(0, str::len))
            .sum();
        let size =
            LAST_APPLIED_ANNOTATION.len() + object_data::to_go_json(&recorded).len() + "\n".len() + others;
        (size > MAX_ANNOTATION_BYTES).then(|| {
            Note::Warning(format!(
                "the {} `{}` is too large for client-side `kubectl apply`, which would store {size} bytes in an annotation \
                 (the limit is {MAX_ANNOTATION_BYTES}): use `kubectl apply --server-side`",
                self.kind.as_str(),
                self.name()
            ))
        })
    }
}

/// The keys and contents of files.
type KeyedFiles = Vec<(String, Vec<u8>)>;

/// Returns the files of a mount by the object that contains them: public ones in a ConfigMap, secret
/// ones in a Secret. A mount without files is an empty ConfigMap.
pub(super) fn files_by_kind(mount: &RenderedMount) -> Vec<(ConfigObjectKind, KeyedFiles)> {
    let files_of = |is_secret: bool| -> KeyedFiles {
        let files = mount.files.iter().filter(|file| file.is_secret == is_secret);
        let mut files: KeyedFiles = files.map(|file| (file.object_key(), file.bytes.clone())).collect();
        files.sort();
        files
    };
    let (public, secret) = (files_of(false), files_of(true));
    let has_config_map = !public.is_empty() || secret.is_empty();
    let config_map = has_config_map.then_some((ConfigObjectKind::ConfigMap, public));
    let secret = Some((ConfigObjectKind::Secret, secret)).filter(|(_, files)| !files.is_empty());
    config_map.into_iter().chain(secret).collect()
}
