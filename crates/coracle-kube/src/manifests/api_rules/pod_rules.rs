//! Pods: names of containers, volumes and what mounts them.

use std::collections::BTreeSet;

use coracle_core::path::escape_bytes;
use serde_json::Value;

use super::container_rules::container_problems;
use super::{ApiProblem, items_at, kind_of, text_at};
use crate::manifests::name_rules::is_dns_label;

/// Returns the problems of the pods of `workload`.
pub(super) fn pod_problems(template: &Value, workload: &Value) -> Vec<ApiProblem> {
    let mut problems = Vec::new();
    let mut names = BTreeSet::new();
    let volumes: BTreeSet<&str> = items_at(template, "/spec/volumes")
        .iter()
        .map(|volume| text_at(volume, "/name"))
        .chain(
            items_at(workload, "/spec/volumeClaimTemplates")
                .iter()
                .map(|claim| text_at(claim, "/metadata/name")),
        )
        .collect();
    for list in ["/spec/containers", "/spec/initContainers"] {
        for container in items_at(template, list) {
            let name = text_at(container, "/name");
            let shown = escape_bytes(name.as_bytes());
            if !is_dns_label(name) {
                problems.push(ApiProblem::new(
                    format!("`{shown}` is not a valid name of a container"),
                    "write lower-case letters, digits and `-`, at most 63 bytes",
                ));
            }
            if !names.insert(name) {
                problems.push(
                    ApiProblem::new(
                        format!("two containers of the pod have the name `{shown}`"),
                        "set another `name` in `[kubernetes]`",
                    )
                    .at_key("name"),
                );
            }
            problems.extend(container_problems(container, &volumes));
        }
    }
    problems.extend(restart_policy_problem(template, workload));
    problems
}

fn restart_policy_problem(template: &Value, workload: &Value) -> Option<ApiProblem> {
    let policy = text_at(template, "/spec/restartPolicy");
    let allowed: &[&str] = match kind_of(workload) {
        "Job" | "CronJob" => &["Never", "OnFailure"],
        "Pod" => &["", "Always", "Never", "OnFailure"],
        _ => &["", "Always"],
    };
    (!allowed.contains(&policy)).then(|| {
        let shown = escape_bytes(policy.as_bytes());
        let allowed: Vec<String> =
            allowed.iter().filter(|policy| !policy.is_empty()).map(|policy| format!("`{policy}`")).collect();
        ApiProblem::new(
            format!("a {} cannot have the restart policy `{shown}`", kind_of(workload)),
            format!("write {}", allowed.join(" or ")),
        )
    })
}
