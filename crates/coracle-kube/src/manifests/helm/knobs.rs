//! The chart's `values.yaml` and its JSON schema.

use serde_json::{Map, Value, json};

use super::text::mark;
use super::{Chart, put_block};
use crate::manifests::settings::Kind;
use crate::manifests::{Application, object, workload};

/// The values of the chart, each with its schema.
pub(super) struct Values {
    values: Map<String, Value>,
    schemas: Map<String, Value>,
}

/// Scheduling values and their JSON types; recipes have no keys for them.
const SCHEDULING: [(&str, &str); 3] =
    [("nodeSelector", "object"), ("affinity", "object"), ("tolerations", "array")];

impl Values {
    pub(super) fn new(application: &Application<'_>) -> Self {
        let image = application.image;
        let mut values = Self { values: Map::new(), schemas: Map::new() };
        values.put(
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
        values.put("fullnameOverride", json!(""), json!({ "type": "string", "maxLength": 52 }));
        values.put("labels", json!(application.settings.labels), labels());
        values.put("podLabels", json!({}), labels());
        values
    }

    fn put(&mut self, name: &str, value: Value, schema: Value) {
        self.values.insert(name.to_owned(), value);
        self.schemas.insert(name.to_owned(), schema);
    }

    pub(super) fn document(&self) -> Value {
        Value::Object(self.values.clone())
    }

    pub(super) fn schema(&self) -> Value {
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

fn strings() -> Value {
    json!({ "type": "object", "additionalProperties": { "type": "string" } })
}

/// Returns the schema of labels, without the selector labels: changing those would break the
/// workload.
fn labels() -> Value {
    let selectors = [object::NAME_LABEL, "app.kubernetes.io/instance"];
    object::with(strings(), "propertyNames", json!({ "not": { "enum": selectors } }))
}

/// Moves configurable members of `object` to `values`, and inserts placeholders for them.
pub(super) fn turn(object: &mut Value, chart: &Chart<'_>, values: &mut Values) {
    let application = chart.application;
    if let Some(metadata) = object.get_mut("metadata") {
        label(metadata, application);
    }
    if object.get("kind").is_some_and(|kind| kind == "Service") {
        turn_service(object, application, values);
    } else if workload::is_workload(object, application) {
        turn_workload(object, chart, values);
    }
}

/// Replaces the generated labels by the chart's, and keeps labels from patches. Removes the
/// namespace, which is chosen at installation.
pub(super) fn label(metadata: &mut Value, application: &Application<'_>) {
    let known = object::labels(application);
    if let Some(members) = metadata.as_object_mut() {
        members.remove("namespace");
    }
    if let Some(labels) = metadata.get_mut("labels").and_then(Value::as_object_mut) {
        labels.retain(|name, value| known.get(name) != Some(value));
    }
    metadata.get_mut("labels").into_iter().for_each(|labels| put_block(labels, "labels"));
}

fn turn_service(object: &mut Value, application: &Application<'_>, values: &mut Values) {
    if let Some(selector) = object.pointer_mut("/spec/selector") {
        *selector = json!({});
        put_block(selector, "selector");
    }
    let annotations =
        object.get_mut("metadata").map(|metadata| taken(metadata, "annotations")).unwrap_or_default();
    let Some(spec) = object.get_mut("spec") else { return };
    let mut service = json!({ "annotations": or_empty(annotations) });
    let mut schema = json!({ "annotations": strings() });
    if application.settings.kind != Kind::StatefulSet {
        let kind = taken(spec, "type");
        put_block(spec, "serviceType");
        service = object::with(service, "type", if kind.is_null() { json!("ClusterIP") } else { kind });
        schema = object::with(schema, "type", json!({ "enum": ["ClusterIP", "NodePort", "LoadBalancer"] }));
    }
    object.get_mut("metadata").into_iter().for_each(|metadata| put_block(metadata, "serviceAnnotations"));
    let schema = json!({ "type": "object", "additionalProperties": false, "properties": schema });
    values.put("service", with_empty(service), schema);
}

fn turn_workload(object: &mut Value, chart: &Chart<'_>, values: &mut Values) {
    let application = chart.application;
    let kind = application.settings.kind;
    if let Some(metadata) = object.get_mut("metadata") {
        values.put("annotations", or_empty(taken(metadata, "annotations")), strings());
        put_block(metadata, "annotations");
    }
    if let Some(container) = workload::container(object, application) {
        turn_container(container, application, values);
    }
    if let Some(spec) = object.get_mut("spec") {
        if kind.is_counted() {
            let replicas = taken(spec, "replicas");
            let schema = json!({ "type": ["integer", "null"], "minimum": 0 });
            // An exclusive claim allows one pod, unless a patch sets more replicas.
            let has_one = kind == Kind::Deployment
                && replicas.as_u64().is_none_or(|count| count <= 1)
                && application
                    .configuration
                    .states
                    .iter()
                    .any(|state| state.size.is_some() && !state.is_shared);
            let most = if has_one { json!(1) } else { Value::Null };
            values.put("replicas", replicas, object::with(schema, "maximum", most));
            put_block(spec, "replicas");
        }
        if kind == Kind::CronJob {
            values.put("schedule", taken(spec, "schedule"), json!({ "type": "string", "minLength": 1 }));
            *spec = object::with(spec.take(), "schedule", json!(mark("schedule")));
        }
        if let Some(selector) = spec.pointer_mut("/selector/matchLabels") {
            *selector = json!({});
            put_block(selector, "selector");
        }
    }
    let template = object.pointer_mut(workload::template_pointer(kind));
    template.into_iter().for_each(|template| turn_template(template, application, values));
}

fn turn_template(template: &mut Value, application: &Application<'_>, values: &mut Values) {
    // A bare Pod has one `metadata`, which is already converted.
    if application.settings.kind != Kind::Pod
        && let Some(metadata) = template.get_mut("metadata")
    {
        label(metadata, application);
        if let Some(labels) = metadata.get_mut("labels").and_then(Value::as_object_mut) {
            labels.remove("\u{1}labels");
        }
        metadata.get_mut("labels").into_iter().for_each(|labels| put_block(labels, "podLabels"));
        values.put("podAnnotations", or_empty(taken(metadata, "annotations")), strings());
        put_block(metadata, "podAnnotations");
    }
    let Some(spec) = template.get_mut("spec") else { return };
    let secrets = taken(spec, "imagePullSecrets");
    let secret =
        json!({ "type": "object", "required": ["name"], "properties": { "name": { "type": "string" } } });
    let secrets = if secrets.is_null() { json!([]) } else { secrets };
    values.put("imagePullSecrets", secrets, json!({ "type": "array", "items": secret }));
    put_block(spec, "imagePullSecrets");
    for (key, kind) in SCHEDULING {
        let value = taken(spec, key);
        let empty = if kind == "array" { json!([]) } else { json!({}) };
        values.put(key, if value.is_null() { empty } else { value }, json!({ "type": kind }));
        put_block(spec, key);
    }
}

fn turn_container(container: &mut Value, application: &Application<'_>, values: &mut Values) {
    let quantities = json!({ "type": "object", "additionalProperties": { "type": ["string", "number"] } });
    let schema = json!({
        "type": "object",
        "properties": { "requests": quantities, "limits": quantities, "claims": { "type": "array" } },
        "additionalProperties": false,
    });
    values.put("resources", or_empty(taken(container, "resources")), schema);
    put_block(container, "resources");
    let is_ours = container.get("image") == Some(&json!(application.image.to_string()));
    if let Some(members) = container.as_object_mut().filter(|_| is_ours) {
        members.insert("image".into(), json!(mark("image")));
        members.insert("imagePullPolicy".into(), json!(mark("pullPolicy")));
    }
}

fn taken(members: &mut Value, key: &str) -> Value {
    members.as_object_mut().and_then(|members| members.remove(key)).unwrap_or_default()
}

fn or_empty(value: Value) -> Value {
    if value.is_null() { json!({}) } else { value }
}

/// Adds empty `annotations`, so that `values.yaml` shows the key.
fn with_empty(mut service: Value) -> Value {
    if let Some(members) = service.as_object_mut() {
        members.entry("annotations").or_insert_with(|| json!({}));
    }
    service
}
