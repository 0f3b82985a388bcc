//! Containers: image, variables, mounts and resources.

use std::collections::BTreeSet;

use coracle_core::path::escape_bytes;
use serde_json::Value;

use super::{ApiProblem, items_at, text_at};
use crate::resource_rules::{Quantities, resource_problems};

/// Returns the problems of a container whose pod has these volumes.
pub(super) fn container_problems(container: &Value, volumes: &BTreeSet<&str>) -> Vec<ApiProblem> {
    let name = escape_bytes(text_at(container, "/name").as_bytes());
    let mut problems = Vec::new();
    let image = text_at(container, "/image");
    if image.is_empty() || image.trim() != image {
        problems.push(ApiProblem::new(
            format!("the container `{name}` has no valid image"),
            "write `image: NAME[:TAG][@DIGEST]`",
        ));
    }
    for variable in items_at(container, "/env") {
        let variable = text_at(variable, "/name");
        if variable.is_empty() || !variable.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'=')
        {
            let shown = escape_bytes(variable.as_bytes());
            problems.push(ApiProblem::new(
                format!("`{shown}` is not a valid name of a variable"),
                "use printable ASCII characters except `=`",
            ));
        }
    }
    for mount in items_at(container, "/volumeMounts") {
        let volume = text_at(mount, "/name");
        if !volumes.contains(volume) {
            let shown = escape_bytes(volume.as_bytes());
            problems.push(ApiProblem::new(
                format!("the container `{name}` mounts the volume `{shown}`, which the pod does not have"),
                "add it to `volumes`, or remove the mount",
            ));
        }
        if text_at(mount, "/mountPath").is_empty() {
            problems.push(ApiProblem::new(
                format!(
                    "the container `{name}` mounts the volume `{}` without a `mountPath`",
                    escape_bytes(volume.as_bytes())
                ),
                "write the path in the container",
            ));
        }
    }
    let (requests, limits) = (quantities(container, "requests"), quantities(container, "limits"));
    problems.extend(
        resource_problems(&requests, &limits)
            .into_iter()
            .map(|problem| ApiProblem::new(problem.message, problem.hint).at_key("resources")),
    );
    problems
}

/// Returns the quantities of a list as text: they may be numbers in a patch.
fn quantities(container: &Value, list: &str) -> Quantities {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let members = container.pointer(&format!("/resources/{list}")).and_then(Value::as_object);
    members.into_iter().flatten().map(|(resource, quantity)| (resource.clone(), text(quantity))).collect()
}
