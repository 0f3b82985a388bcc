//! What objects have in common: names, labels, annotations.

use serde_json::{Map, Value, json};

use super::Application;
use super::name::is_label_value;

/// The label by which everything of an application is found.
pub(super) const NAME_LABEL: &str = "app.kubernetes.io/name";

/// How objects are called.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// What stands in front of every name: the application's, or what a chart puts there.
    pub(super) app: String,
    /// Names of maps that never change have a hash; else somebody puts it there later.
    pub(super) are_hashed: bool,
}

/// What selects the pods.
pub(super) fn selector(application: &Application<'_>) -> Value {
    json!({ NAME_LABEL: application.name })
}

/// `metadata` but for the name.
pub(super) fn metadata(application: &Application<'_>) -> Value {
    let mut metadata = json!({ "labels": labels(application) });
    if let (Some(namespace), Some(members)) = (&application.settings.namespace, metadata.as_object_mut()) {
        members.insert("namespace".into(), json!(namespace));
    }
    metadata
}

/// `metadata` of an object of this name.
pub(super) fn named(application: &Application<'_>, name: &str) -> Value {
    with(metadata(application), "name", json!(name))
}

/// The labels of every object and of the pods.
pub(super) fn labels(application: &Application<'_>) -> Value {
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

/// `object` with one more member, where `value` says something.
pub(super) fn with(mut object: Value, key: &str, value: Value) -> Value {
    let says = match &value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => true,
    };
    if let Some(members) = object.as_object_mut().filter(|_| says) {
        members.insert(key.to_owned(), value);
    }
    object
}
