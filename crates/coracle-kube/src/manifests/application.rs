//! The input of generated manifests, and the labels and metadata that all generated objects have.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::config_object::ConfigObject;
use super::manifest_patch::ManifestPatch;
use super::name_rules::is_label_value;
use super::object_edits::with_member;
use super::pinned_image::PinnedImage;
use super::workload_settings::WorkloadSettings;
use crate::config::{Configuration, RenderedMount};
use coracle_core::note::Note;
use coracle_core::port::Port;

/// The application to generate manifests for.
#[derive(Clone, Copy, Debug)]
pub struct Application<'a> {
    /// The name of the application and its objects.
    pub name: &'a str,
    /// The image.
    pub image: &'a PinnedImage,
    /// The file name of the program, for the sidecar that sends it signals.
    pub process_name: Option<&'a str>,
    /// The user ID that it runs as.
    pub uid: u32,
    /// The group ID that it runs as.
    pub gid: u32,
    /// Ports that it listens on.
    pub ports: &'a BTreeSet<Port>,
    /// The configuration.
    pub configuration: &'a Configuration,
    /// The rendered files of the configuration.
    pub rendered_mounts: &'a [RenderedMount],
    /// The `[kubernetes]` settings.
    pub settings: &'a WorkloadSettings,
    /// Patches, applied to the generated objects.
    pub patches: &'a [ManifestPatch],
    /// `true` if rendered Secrets are generated; otherwise they are only referenced, and may have no
    /// content.
    pub has_secrets: bool,
    /// The arguments of `coracle config render` that render the same configuration, for hints.
    pub render_args: &'a str,
}

/// Generated Kubernetes objects.
#[derive(Clone, PartialEq, Debug)]
pub struct Manifests {
    /// ConfigMaps and Secrets.
    pub config_objects: Vec<ConfigObject>,
    /// All other objects; the workload is the last.
    pub objects: Vec<Value>,
    /// Hints and warnings for the user.
    pub notes: Vec<Note>,
}

impl Manifests {
    /// Returns every object, in an order in which they can be applied.
    pub fn all_objects(&self) -> Vec<Value> {
        self.config_objects.iter().map(ConfigObject::to_object).chain(self.objects.iter().cloned()).collect()
    }

    /// Adds warnings about objects that are too large for client-side `kubectl apply`, which Helm does
    /// not use.
    pub(super) fn add_apply_size_warnings(&mut self) {
        self.notes.extend(self.config_objects.iter().filter_map(ConfigObject::apply_size_warning));
    }
}

/// The content of files, by path relative to the output directory.
pub type OutputFiles = BTreeMap<String, Vec<u8>>;

/// The label that selects all objects of an application.
pub(super) const NAME_LABEL: &str = "app.kubernetes.io/name";

/// How objects are named.
#[derive(Clone, Debug)]
pub(super) struct ObjectNaming {
    /// The prefix of every name: the application's name, or a chart's placeholder for it.
    pub(super) name_prefix: String,
    /// True if names of immutable ConfigMaps and Secrets have a hash. False if kustomize adds it.
    pub(super) has_hash_suffixes: bool,
}

impl ObjectNaming {
    /// Returns the name that patches and messages use: with the application's name instead of a
    /// chart's placeholder for it.
    pub(super) fn plain_name(&self, name: &str, application: &Application<'_>) -> String {
        name.replace(&self.name_prefix, application.name)
    }
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
