//! What the API server rejects in generated and patched objects, beyond the types of fields.
//!
//! Source: `pkg/apis/{core,apps,batch}/validation`, and the list keys of `api/openapi-spec`, which
//! server-side apply requires to be unique.

mod container_rules;
mod list_rules;
mod metadata_rules;
mod number_rules;
mod pod_rules;
mod workload_rules;

use serde_json::Value;

use super::object_data;
use crate::kubernetes_limits::{MAX_REQUEST_BYTES, MAX_STORED_BYTES};

/// A problem with an object.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct ApiProblem {
    pub(super) message: String,
    pub(super) hint: String,
    /// The key of `[kubernetes]` that the value usually comes from.
    pub(super) key: Option<&'static str>,
}

impl ApiProblem {
    fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), key: None }
    }

    fn at_key(self, key: &'static str) -> Self {
        Self { key: Some(key), ..self }
    }
}

/// Returns what the API server rejects in the labels and annotations of an object.
pub(super) fn metadata_problems(object: &Value) -> Vec<ApiProblem> {
    metadata_rules::metadata_problems(object)
}

/// Returns everything that the API server rejects in an object.
pub(super) fn object_problems(object: &Value) -> Vec<ApiProblem> {
    let mut problems = metadata_rules::metadata_problems(object);
    problems.extend(number_rules::number_problems(object));
    problems.extend(list_rules::duplicate_items(object));
    problems.extend(workload_rules::workload_problems(object));
    if let Some(template) = workload_rules::pod_template(object) {
        problems.extend(pod_rules::pod_problems(template, object));
    }
    problems.extend(size_problem(object));
    problems.sort();
    problems.dedup();
    problems
}

/// Returns a problem if the object is too large to store, or to send as JSON.
fn size_problem(object: &Value) -> Option<ApiProblem> {
    let limits = [
        (stored_size(object), MAX_STORED_BYTES, "the cluster stores at most"),
        (
            object_data::to_go_json(object).len(),
            MAX_REQUEST_BYTES,
            "as JSON, and the API server reads at most",
        ),
    ];
    let (size, limit, why) = limits.into_iter().find(|(size, limit, _)| size > limit)?;
    Some(ApiProblem::new(
        format!("the {} has {size} bytes; {why} {limit}", kind_of(object)),
        "make annotations, arguments and variables shorter",
    ))
}

/// Returns the size of all keys and strings. The store has no escapes.
fn stored_size(value: &Value) -> usize {
    match value {
        Value::Object(members) => members.iter().map(|(key, member)| key.len() + stored_size(member)).sum(),
        Value::Array(items) => items.iter().map(stored_size).sum(),
        Value::String(text) => text.len(),
        _ => 0,
    }
}

/// Returns the kind of an object.
fn kind_of(object: &Value) -> &str {
    text_at(object, "/kind")
}

/// Returns the text at a JSON pointer; empty if there is none.
fn text_at<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Returns the items of the list at a JSON pointer.
fn items_at<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests;
