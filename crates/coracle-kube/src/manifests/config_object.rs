//! ConfigMaps and Secrets made from the files of one mount.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map as Members, Value, json};

use super::{ManifestProblem, kustomize_hash};
use crate::config;
use coracle_core::note::Note;
use coracle_core::path::ImagePath;

/// The largest total size of an object's annotations, in bytes (`ValidateAnnotationsSize`).
const MAX_ANNOTATION_BYTES: usize = 262_144;
/// The annotation in which client-side `kubectl apply` stores the object.
const LAST_APPLIED_ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// ConfigMap or Secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConfigObjectKind {
    /// For public files.
    ConfigMap,
    /// For secret files.
    Secret,
}

impl ConfigObjectKind {
    /// Returns the value of the object's `kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }
}

/// A ConfigMap or Secret with the files of one mount.
#[derive(Clone, PartialEq, Debug)]
pub struct ConfigObject {
    /// ConfigMap or Secret.
    pub kind: ConfigObjectKind,
    /// The mount path of the files.
    pub mount: ImagePath,
    /// The name without a hash.
    pub base_name: String,
    /// Whether the object is immutable; if so, its name has a hash of the content.
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
            let suffix = kustomize_hash::name_suffix(self.kind, &ObjectData::encode(self.kind, &self.files));
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
    pub(super) fn size_problem(&self) -> Option<ManifestProblem> {
        let size: usize = self.files.iter().map(|(_, bytes)| bytes.len()).sum();
        (size > config::MAX_OBJECT_BYTES).then(|| {
            ManifestProblem::new(
                format!(
                    "the {} for `{}` has {size} bytes; the limit of a Kubernetes object is {}",
                    self.kind.as_str(),
                    self.mount,
                    config::MAX_OBJECT_BYTES
                ),
                "split the files into several mounts, or include those that never change in the image",
            )
            .at_mount(&self.mount)
        })
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
            LAST_APPLIED_ANNOTATION.len() + kustomize_hash::to_go_json(&recorded).len() + "\n".len() + others;
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

/// `data` and `binaryData` of a ConfigMap or Secret.
pub(super) struct ObjectData {
    pub(super) data: Value,
    pub(super) binary: Value,
}

impl ObjectData {
    /// Encodes the files. UTF-8 in a ConfigMap stays text; everything else is base64.
    pub(super) fn encode(kind: ConfigObjectKind, files: &[(String, Vec<u8>)]) -> Self {
        let (mut data, mut binary) = (Members::new(), Members::new());
        for (key, bytes) in files {
            match (kind, std::str::from_utf8(bytes)) {
                (ConfigObjectKind::Secret, _) => data.insert(key.clone(), json!(encode_base64(bytes))),
                (ConfigObjectKind::ConfigMap, Ok(text)) => data.insert(key.clone(), json!(text)),
                (ConfigObjectKind::ConfigMap, Err(_)) => {
                    binary.insert(key.clone(), json!(encode_base64(bytes)))
                }
            };
        }
        Self { data: Value::Object(data), binary: Value::Object(binary) }
    }
}

/// Encodes base64 as kustomize does: broken into lines, because the line breaks are hashed.
fn encode_base64(bytes: &[u8]) -> String {
    const LINE: usize = 70;
    let encoded = STANDARD.encode(bytes);
    if encoded.len() < LINE {
        return encoded;
    }
    let mut lines = String::with_capacity(encoded.len() + encoded.len() / LINE + 1);
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(LINE.min(rest.len()));
        lines.push_str(line);
        lines.push('\n');
        rest = after;
    }
    lines
}

/// Divides the files of a mount into public (`false`) and secret (`true`) ones.
pub(super) fn split_by_secrecy(mount: &config::RenderedMount) -> BTreeMap<bool, Vec<(String, Vec<u8>)>> {
    let mut divided: BTreeMap<bool, Vec<(String, Vec<u8>)>> = BTreeMap::new();
    for file in &mount.files {
        divided.entry(file.is_secret).or_default().push((file.key.clone(), file.bytes.clone()));
    }
    divided
}
