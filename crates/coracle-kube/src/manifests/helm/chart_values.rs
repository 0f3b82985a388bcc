//! The chart's `values.yaml` and its JSON schema.

use serde_json::{Map, Value, json};

use super::chart_template::{ChartContext, block_placeholder, insert_block_placeholder, placeholder};
use crate::manifests::application::Application;
use crate::manifests::object_edits::{or_empty_table, take_member, with_member};
use crate::manifests::workload_settings::WorkloadKind;
use crate::manifests::{application, workload_objects, yaml_writer};

/// The values of the chart, each with its schema.
pub(super) struct ChartValues {
    values: Map<String, Value>,
    schemas: Map<String, Value>,
}

/// Scheduling values and their JSON types; recipes have no keys for them.
const SCHEDULING_VALUES: [(&str, &str); 3] =
    [("nodeSelector", "object"), ("affinity", "object"), ("tolerations", "array")];

/// What each value means.
const VALUE_COMMENTS: [(&str, &str); 14] = [
    ("affinity", "Affinity of the pods."),
    ("annotations", "Annotations of the workload."),
    ("fullnameOverride", "The prefix of the objects' names; empty for one made from the release's name."),
    ("image", "The image. The digest decides; it is left out if only the tag is changed."),
    ("imagePullSecrets", "Secrets for pulling the image: a list of tables with `name`."),
    ("labels", "Labels of every object."),
    ("nodeSelector", "Labels of the nodes that pods may run on."),
    ("podAnnotations", "Annotations of the pods."),
    ("podLabels", "Labels of the pods, in addition to `labels`."),
    ("replicas", "The number of pods; null to leave it to an autoscaler."),
    ("resources", "Requests and limits of the program's container."),
    ("schedule", "The schedule, in cron syntax."),
    ("service", "The Service: its annotations and type."),
    ("tolerations", "Tolerations of the pods."),
];

impl ChartValues {
    pub(super) fn new(application: &Application<'_>) -> Self {
        let image = application.image;
        let mut values = Self { values: Map::new(), schemas: Map::new() };
        values.add_value(
            "image",
            json!({
                "repository": image.name,
                "tag": image.tag.clone().unwrap_or_default(),
                "digest": image.digest.to_string(),
                "pullPolicy": "IfNotPresent",
            }),
            json!({
                "type": "object",
                "additionalProperties": false,
                "required": ["repository"],
                "properties": {
                    "repository": { "type": "string", "minLength": 1 },
                    "tag": { "type": "string" },
                    "digest": { "type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$" },
                    "pullPolicy": { "enum": ["Always", "IfNotPresent", "Never"] },
                },
            }),
        );
        values.add_value("fullnameOverride", json!(""), json!({ "type": "string", "maxLength": 52 }));
        values.add_value("labels", json!(application.settings.labels), labels_schema());
        values.add_value("podLabels", json!({}), labels_schema());
        values
    }

    fn add_value(&mut self, name: &str, value: Value, schema: Value) {
        self.values.insert(name.to_owned(), value);
        self.schemas.insert(name.to_owned(), schema);
    }

    /// Returns `values.yaml`, with a comment for each value.
    pub(super) fn to_yaml(&self) -> String {
        let entry = |(name, value): (&String, &Value)| {
            let comment =
                VALUE_COMMENTS.iter().find(|(known, _)| known == name).map_or("", |(_, comment)| comment);
            format!("# {comment}\n{}", yaml_writer::to_yaml(&json!({ name: value })))
        };
        self.values.iter().map(entry).collect::<Vec<_>>().join("\n")
    }

    pub(super) fn to_schema(&self) -> Value {
        let mut properties = self.schemas.clone();
        // Helm passes `global` to subcharts.
        properties.insert("global".into(), json!({ "type": "object" }));
        json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "additionalProperties": false,
            "required": ["image"],
            "properties": properties,
        })
    }
}

fn string_map_schema() -> Value {
    json!({ "type": "object", "additionalProperties": { "type": "string" } })
}

/// Returns the schema of labels, without the selector labels: changing those would break the
/// workload.
fn labels_schema() -> Value {
    let selectors = [application::NAME_LABEL, "app.kubernetes.io/instance"];
    with_member(string_map_schema(), "propertyNames", json!({ "not": { "enum": selectors } }))
}

/// Moves configurable members of `object` to `values`, and inserts placeholders for them.
pub(super) fn parameterize_object(object: &mut Value, chart: &ChartContext<'_>, values: &mut ChartValues) {
    let application = chart.application;
    if let Some(metadata) = object.get_mut("metadata") {
        replace_labels(metadata, application);
    }
    if object.get("kind").is_some_and(|kind| kind == "Service") {
        parameterize_service(object, application, values);
    } else if workload_objects::is_workload(object, application) {
        parameterize_workload(object, chart, values);
    }
}

/// Replaces the generated labels by the chart's, and keeps labels from patches. Removes the
/// namespace, which is chosen at installation.
pub(super) fn replace_labels(metadata: &mut Value, application: &Application<'_>) {
    let known = application::object_labels(application);
    if let Some(members) = metadata.as_object_mut() {
        members.remove("namespace");
    }
    if let Some(labels) = metadata.get_mut("labels").and_then(Value::as_object_mut) {
        labels.retain(|name, value| known.get(name) != Some(value));
    }
    metadata.get_mut("labels").into_iter().for_each(|labels| insert_block_placeholder(labels, "labels"));
}

fn parameterize_service(object: &mut Value, application: &Application<'_>, values: &mut ChartValues) {
    if let Some(selector) = object.pointer_mut("/spec/selector") {
        *selector = json!({});
        insert_block_placeholder(selector, "selector");
    }
    let annotations =
        object.get_mut("metadata").map(|metadata| take_member(metadata, "annotations")).unwrap_or_default();
    let Some(spec) = object.get_mut("spec") else { return };
    let mut service = json!({ "annotations": or_empty_table(annotations) });
    let mut schema = json!({ "annotations": string_map_schema() });
    if application.settings.kind != WorkloadKind::StatefulSet {
        let kind = take_member(spec, "type");
        insert_block_placeholder(spec, "serviceType");
        service = with_member(service, "type", if kind.is_null() { json!("ClusterIP") } else { kind });
        schema = with_member(schema, "type", json!({ "enum": ["ClusterIP", "NodePort", "LoadBalancer"] }));
    }
    object
        .get_mut("metadata")
        .into_iter()
        .for_each(|metadata| insert_block_placeholder(metadata, "serviceAnnotations"));
    let schema = json!({ "type": "object", "additionalProperties": false, "properties": schema });
    values.add_value("service", with_empty_annotations(service), schema);
}

fn parameterize_workload(object: &mut Value, chart: &ChartContext<'_>, values: &mut ChartValues) {
    let application = chart.application;
    let kind = application.settings.kind;
    if let Some(metadata) = object.get_mut("metadata") {
        values.add_value(
            "annotations",
            or_empty_table(take_member(metadata, "annotations")),
            string_map_schema(),
        );
        insert_block_placeholder(metadata, "annotations");
    }
    if let Some(container) = workload_objects::find_program_container(object, application) {
        parameterize_container(container, application, values);
    }
    if let Some(spec) = object.get_mut("spec") {
        if kind.has_replicas() {
            let replicas = take_member(spec, "replicas");
            let schema = json!({ "type": ["integer", "null"], "minimum": 0 });
            // An exclusive claim allows one pod, unless a patch sets more replicas.
            let has_one = kind == WorkloadKind::Deployment
                && replicas.as_u64().is_none_or(|count| count <= 1)
                && application
                    .configuration
                    .writable_directories
                    .iter()
                    .any(|directory| directory.size.is_some() && !directory.is_shared);
            let most = if has_one { json!(1) } else { Value::Null };
            values.add_value("replicas", replicas, with_member(schema, "maximum", most));
            insert_block_placeholder(spec, "replicas");
        }
        if kind == WorkloadKind::CronJob {
            values.add_value(
                "schedule",
                take_member(spec, "schedule"),
                json!({ "type": "string", "minLength": 1 }),
            );
            *spec = with_member(spec.take(), "schedule", json!(placeholder("schedule")));
        }
        if let Some(selector) = spec.pointer_mut("/selector/matchLabels") {
            *selector = json!({});
            insert_block_placeholder(selector, "selector");
        }
    }
    let template = object.pointer_mut(workload_objects::pod_template_pointer(kind));
    template.into_iter().for_each(|template| parameterize_pod_template(template, application, values));
}

fn parameterize_pod_template(template: &mut Value, application: &Application<'_>, values: &mut ChartValues) {
    // A bare Pod has one `metadata`, which is already converted.
    if application.settings.kind != WorkloadKind::Pod
        && let Some(metadata) = template.get_mut("metadata")
    {
        replace_labels(metadata, application);
        if let Some(labels) = metadata.get_mut("labels").and_then(Value::as_object_mut) {
            labels.remove(&block_placeholder("labels"));
        }
        metadata
            .get_mut("labels")
            .into_iter()
            .for_each(|labels| insert_block_placeholder(labels, "podLabels"));
        values.add_value(
            "podAnnotations",
            or_empty_table(take_member(metadata, "annotations")),
            string_map_schema(),
        );
        insert_block_placeholder(metadata, "podAnnotations");
    }
    let Some(spec) = template.get_mut("spec") else { return };
    let secrets = take_member(spec, "imagePullSecrets");
    let secret =
        json!({ "type": "object", "required": ["name"], "properties": { "name": { "type": "string" } } });
    let secrets = if secrets.is_null() { json!([]) } else { secrets };
    values.add_value("imagePullSecrets", secrets, json!({ "type": "array", "items": secret }));
    insert_block_placeholder(spec, "imagePullSecrets");
    for (key, kind) in SCHEDULING_VALUES {
        let value = take_member(spec, key);
        let empty = if kind == "array" { json!([]) } else { json!({}) };
        values.add_value(key, if value.is_null() { empty } else { value }, json!({ "type": kind }));
        insert_block_placeholder(spec, key);
    }
}

fn parameterize_container(container: &mut Value, application: &Application<'_>, values: &mut ChartValues) {
    let quantities = json!({ "type": "object", "additionalProperties": { "type": ["string", "number"] } });
    let schema = json!({
        "type": "object",
        "properties": { "requests": quantities, "limits": quantities, "claims": { "type": "array" } },
        "additionalProperties": false,
    });
    values.add_value("resources", or_empty_table(take_member(container, "resources")), schema);
    insert_block_placeholder(container, "resources");
    let is_ours = container.get("image") == Some(&json!(application.image.to_string()));
    if let Some(members) = container.as_object_mut().filter(|_| is_ours) {
        members.insert("image".into(), json!(placeholder("image")));
        members.insert("imagePullPolicy".into(), json!(placeholder("pullPolicy")));
    }
}

/// Adds empty `annotations`, so that `values.yaml` shows the key.
fn with_empty_annotations(mut service: Value) -> Value {
    if let Some(members) = service.as_object_mut() {
        members.entry("annotations").or_insert_with(|| json!({}));
    }
    service
}
