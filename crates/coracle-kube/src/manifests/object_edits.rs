//! Edits JSON objects: adds and removes members, and merges patches.
//!
//! A patch is a JSON merge patch (RFC 7386), but lists of named items are merged by name, like a
//! Kubernetes strategic merge patch.

use serde_json::{Map, Value, json};

/// Adds a member to `object`, unless `value` is null or an empty list or table.
pub(super) fn with_member(mut object: Value, key: &str, value: Value) -> Value {
    let has_content = match &value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => true,
    };
    if let Some(members) = object.as_object_mut().filter(|_| has_content) {
        members.insert(key.to_owned(), value);
    }
    object
}

/// Removes a member; returns its value, or null if there is none.
pub(super) fn take_member(object: &mut Value, key: &str) -> Value {
    object.as_object_mut().and_then(|members| members.remove(key)).unwrap_or_default()
}

/// Returns an empty table for null, and any other value unchanged.
pub(super) fn or_empty_table(value: Value) -> Value {
    if value.is_null() { json!({}) } else { value }
}

/// The key of an item's directive; `delete` removes the item.
const DIRECTIVE_KEY: &str = "$patch";

/// Returns the merge keys of the list at key `list`; the first one that an item has is used.
fn merge_keys(list: &str) -> &'static [&'static str] {
    match list {
        "containers" | "initContainers" | "volumes" | "env" | "imagePullSecrets" => &["name"],
        "ports" => &["name", "containerPort", "port"],
        "volumeMounts" => &["mountPath"],
        _ => &[],
    }
}

/// Merges `patch` into `target`, which is the value of `key`.
pub(super) fn merge_patch(target: &mut Value, patch: &Value, key: &str) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => merge_members(target, patch),
        (Value::Array(target), Value::Array(patch)) if !merge_keys(key).is_empty() => {
            merge_items(target, patch, merge_keys(key));
        }
        (target, patch) => *target = new_value(patch, key),
    }
}

fn merge_members(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            let member = target.entry(key.clone()).or_insert(Value::Null);
            merge_patch(member, value, key);
        }
    }
}

fn merge_items(target: &mut Vec<Value>, patch: &[Value], names: &[&str]) {
    for item in patch {
        let name = names.iter().find_map(|name| Some((*name, item.get(*name)?)));
        let found =
            name.and_then(|(name, value)| target.iter().position(|other| other.get(name) == Some(value)));
        let is_deleted = item.get(DIRECTIVE_KEY).is_some_and(|word| word == "delete");
        match found {
            Some(index) if is_deleted => {
                target.remove(index);
            }
            Some(index) => {
                if let Some(found) = target.get_mut(index) {
                    merge_patch(found, item, "");
                }
            }
            None if is_deleted => {}
            None => target.push(new_value(item, "")),
        }
    }
}

/// Returns a new value from a patch: members that are null are left out.
fn new_value(patch: &Value, key: &str) -> Value {
    match patch {
        Value::Object(members) => {
            let mut object = Map::new();
            merge_members(&mut object, members);
            Value::Object(object)
        }
        Value::Array(items) if !merge_keys(key).is_empty() => {
            let mut list = Vec::new();
            merge_items(&mut list, items, merge_keys(key));
            Value::Array(list)
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn merges_members_and_named_items() {
        let mut target = json!({
            "a": { "b": 1, "c": 2 },
            "args": ["x"],
            "containers": [{ "name": "shop", "env": [{ "name": "A", "value": "1" }], "image": "i" }],
            "ports": [{ "name": "tcp-80", "containerPort": 80 }],
            "volumeMounts": [{ "name": "v", "mountPath": "/v" }],
        });
        let patch = json!({
            "a": { "b": null, "d": { "e": null, "f": 1 } },
            "args": ["y", "z"],
            "containers": [
                { "name": "shop", "env": [{ "name": "B", "value": "2" }, { "name": "A", "$patch": "delete" }] },
                { "name": "other", "image": "o" },
            ],
            "ports": [{ "containerPort": 80, "hostIP": "::1" }, { "containerPort": 81 }],
            "volumeMounts": [{ "mountPath": "/v", "readOnly": true }],
        });
        merge_patch(&mut target, &patch, "");
        let expected = json!({
            "a": { "c": 2, "d": { "f": 1 } },
            "args": ["y", "z"],
            "containers": [
                { "name": "shop", "env": [{ "name": "B", "value": "2" }], "image": "i" },
                { "name": "other", "image": "o" },
            ],
            "ports": [{ "name": "tcp-80", "containerPort": 80, "hostIP": "::1" }, { "containerPort": 81 }],
            "volumeMounts": [{ "name": "v", "mountPath": "/v", "readOnly": true }],
        });
        assert_eq!(target, expected);
    }
}
