//! The changes of an environment's objects, as patches of a kustomize overlay.

use serde_json::{Value, json};

use super::yaml_writer;

/// The members that patches replace as a whole. The namespace is a key of the overlay.
const MEMBERS: [&str; 3] = ["/metadata/labels", "/metadata/annotations", "/spec"];

/// How the objects of an overlay differ from those of its base.
#[derive(Default, Debug)]
pub(super) struct OverlayChanges {
    /// Entries of `patches`.
    pub(super) patches: Vec<Value>,
    /// Objects that the base does not have.
    pub(super) new_objects: Vec<Value>,
}

/// Returns the changes from the objects of the base to those of an environment.
pub(super) fn overlay_changes(base: &[Value], wanted: &[Value]) -> OverlayChanges {
    let is_same = |one: &Value, other: &Value| kind_and_name(one) == kind_and_name(other);
    let mut changes = OverlayChanges {
        new_objects: wanted
            .iter()
            .filter(|object| !base.iter().any(|other| is_same(object, other)))
            .cloned()
            .collect(),
        ..OverlayChanges::default()
    };
    for object in base {
        let patch = match wanted.iter().find(|other| is_same(object, other)) {
            Some(other) => member_changes(object, other),
            None => Some(json!({
                "$patch": "delete",
                "apiVersion": object.get("apiVersion"),
                "kind": object.get("kind"),
                "metadata": { "name": object.pointer("/metadata/name") },
            })),
        };
        let (kind, name) = kind_and_name(object);
        changes.patches.extend(patch.map(|patch| {
            json!({ "target": { "kind": kind, "name": name }, "patch": yaml_writer::to_yaml(&patch) })
        }));
    }
    changes
}

fn kind_and_name(object: &Value) -> (Option<&Value>, Option<&Value>) {
    (object.get("kind"), object.pointer("/metadata/name"))
}

/// Returns a JSON patch (RFC 6902); `None` if nothing differs.
fn member_changes(base: &Value, wanted: &Value) -> Option<Value> {
    let operations: Vec<Value> = MEMBERS
        .into_iter()
        .filter_map(|pointer| match (base.pointer(pointer), wanted.pointer(pointer)) {
            (one, other) if one == other => None,
            (Some(_), None) => Some(json!({ "op": "remove", "path": pointer })),
            (None, Some(value)) => Some(json!({ "op": "add", "path": pointer, "value": value })),
            (_, Some(value)) => Some(json!({ "op": "replace", "path": pointer, "value": value })),
            (None, None) => None,
        })
        .collect();
    (!operations.is_empty()).then_some(Value::Array(operations))
}
