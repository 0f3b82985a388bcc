//! Workloads, claims and Services, without their pods.

use coracle_core::path::escape_bytes;
use serde_json::Value;

use super::{ApiProblem, items_at, kind_of, text_at};
use crate::cron_schedule::validate_schedule;
use crate::quantity::Quantity;

/// Returns the pod template of a workload, which is the object itself if it is a Pod.
pub(super) fn pod_template(object: &Value) -> Option<&Value> {
    match kind_of(object) {
        "Pod" => Some(object),
        "CronJob" => object.pointer("/spec/jobTemplate/spec/template"),
        "Deployment" | "StatefulSet" | "DaemonSet" | "Job" => object.pointer("/spec/template"),
        _ => None,
    }
}

/// Returns the problems of an object's `spec`.
pub(super) fn workload_problems(object: &Value) -> Vec<ApiProblem> {
    let mut problems: Vec<ApiProblem> = items_at(object, "/spec/volumeClaimTemplates")
        .iter()
        .chain((kind_of(object) == "PersistentVolumeClaim").then_some(object))
        .filter_map(claim_problem)
        .collect();
    problems.extend(schedule_problem(object));
    problems.extend(strategy_problem(object));
    problems.extend(selector_problem(object));
    problems
}

fn claim_problem(claim: &Value) -> Option<ApiProblem> {
    let size = match claim.pointer("/spec/resources/requests/storage")? {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let is_positive = size.parse().is_ok_and(|size: Quantity| !size.is_zero());
    (!is_positive).then(|| {
        let shown = escape_bytes(size.as_bytes());
        ApiProblem::new(
            format!("`{shown}` is not the size of a claim"),
            "write a size above zero, as in `10Gi`",
        )
    })
}

fn schedule_problem(object: &Value) -> Option<ApiProblem> {
    if kind_of(object) != "CronJob" {
        return None;
    }
    let why = validate_schedule(text_at(object, "/spec/schedule")).err()?;
    let schedule = escape_bytes(text_at(object, "/spec/schedule").as_bytes());
    let hint = "write five fields, as in `0 3 * * *`, or a macro such as `@daily`";
    Some(ApiProblem::new(format!("`{schedule}` is not a cron schedule: {why}"), hint).at_key("schedule"))
}

fn strategy_problem(object: &Value) -> Option<ApiProblem> {
    let is_recreate = text_at(object, "/spec/strategy/type") == "Recreate";
    let has_rolling = object.pointer("/spec/strategy/rollingUpdate").is_some_and(|value| !value.is_null());
    (is_recreate && has_rolling).then(|| {
        ApiProblem::new(
            "`rollingUpdate` cannot be used with the strategy `Recreate`",
            "remove one of the two",
        )
    })
}

/// Returns a problem if pods do not have the labels that select them.
fn selector_problem(object: &Value) -> Option<ApiProblem> {
    let selector = object.pointer("/spec/selector/matchLabels")?.as_object()?;
    let labels = pod_template(object)?.pointer("/metadata/labels");
    let missing =
        selector.iter().find(|(name, value)| labels.and_then(|labels| labels.get(*name)) != Some(value))?;
    let name = escape_bytes(missing.0.as_bytes());
    Some(ApiProblem::new(
        format!("the pods do not have the label `{name}` that selects them"),
        "set it in the pod template as in `selector`",
    ))
}
