//! Adds and removes members of JSON objects.

use serde_json::{Value, json};

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
