//! Labels and annotations.

use coracle_core::path::escape_bytes;
use serde_json::Value;

use super::{ApiProblem, workload_rules};
use crate::kubernetes_limits::MAX_ANNOTATION_BYTES;
use crate::manifests::name_rules;

/// Returns problems with labels and annotations of an object and its pods.
pub(super) fn metadata_problems(object: &Value) -> Vec<ApiProblem> {
    let template = workload_rules::pod_template(object).filter(|template| *template != object);
    let mut problems = Vec::new();
    for holder in [Some(object), template].into_iter().flatten() {
        for (name, value) in members(holder, "/metadata/labels") {
            let shown = escape_bytes(name.as_bytes());
            if !name_rules::is_qualified_name(name) {
                problems.push(invalid_name(&shown, "label").at_key("labels"));
            }
            if !value.as_str().is_some_and(name_rules::is_label_value) {
                problems.push(
                    ApiProblem::new(
                        format!("the label `{shown}` has an invalid value"),
                        "use a string of at most 63 letters, digits, `-`, `_` and `.`; an annotation may hold any text",
                    )
                    .at_key("labels"),
                );
            }
        }
        problems.extend(annotation_problems(holder));
    }
    problems
}

fn annotation_problems(holder: &Value) -> Vec<ApiProblem> {
    let mut problems = Vec::new();
    let mut size = 0;
    for (name, value) in members(holder, "/metadata/annotations") {
        let shown = escape_bytes(name.as_bytes());
        if !name_rules::is_annotation_name(name) {
            problems.push(invalid_name(&shown, "annotation").at_key("annotations"));
        }
        let Some(text) = value.as_str() else {
            let message = format!("the annotation `{shown}` is not a string");
            problems.push(ApiProblem::new(message, "write it in quotes").at_key("annotations"));
            continue;
        };
        size += name.len() + text.len();
    }
    if size > MAX_ANNOTATION_BYTES {
        problems.push(
            ApiProblem::new(
                format!("the annotations have {size} bytes; the limit is {MAX_ANNOTATION_BYTES}"),
                "move long texts to a ConfigMap",
            )
            .at_key("annotations"),
        );
    }
    problems
}

fn invalid_name(shown: &str, what: &str) -> ApiProblem {
    let hint = "write `[PREFIX/]NAME`, as in `example.com/team`";
    ApiProblem::new(format!("`{shown}` is not a valid name of a {what}"), hint)
}

fn members<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value.pointer(pointer).and_then(Value::as_object).into_iter().flatten()
}
