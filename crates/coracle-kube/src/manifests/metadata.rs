//! Names, labels and annotations, which all objects have in common.

use serde_json::{Map, Value, json};

use super::application::Application;
use super::name_rules::is_label_value;
use super::object_members::with_member;

/// The label that selects all objects of an application.
pub(super) const NAME_LABEL: &str = "app.kubernetes.io/name";

/// How objects are named.
#[derive(Clone, Debug)]
pub(super) struct ObjectNames {
    /// The prefix of every name: the application's name, or a chart's placeholder for it.
    pub(super) prefix: String,
    /// Whether names of immutable ConfigMaps and Secrets have a hash; otherwise kustomize adds it.
    pub(super) has_hashes: bool,
}

/// Returns the labels that select the pods.
pub(super) fn selector_labels(application: &Application<'_>) -> Value {
    json!({ NAME_LABEL: application.name })
}

/// Returns `metadata` without `name`.
pub(super) fn unnamed_metadata(application: &Application<'_>) -> Value {
    let mut metadata = json!({ "labels": object_labels(application) });
    if let (Some(namespace), Some(members)) = (&application.settings.namespace, metadata.as_object_mut()) {
        members.insert("namespace".into(), json!(namespace));
    }
    metadata
}

/// Returns `metadata` with `name`.
pub(super) fn named_metadata(application: &Application<'_>, name: &str) -> Value {
    with_member(unnamed_metadata(application), "name", json!(name))
}

/// Returns the labels of every object and of the pods.
pub(super) fn object_labels(application: &Application<'_>) -> Value {
    let mut labels = Map::new();
    let version = application.image.tag.as_ref().filter(|tag| *tag != "latest" && is_label_value(tag));
    if let Some(version) = version {
        labels.insert("app.kubernetes.io/version".into(), json!(version));
    }
    labels.insert("app.kubernetes.io/managed-by".into(), json!("coracle"));
    labels.extend(application.settings.labels.iter().map(|(name, value)| (name.clone(), json!(value))));
    labels.insert(NAME_LABEL.into(), json!(application.name));
    Value::Object(labels)
}
