//! Numbers: their type, and the smallest value.

use serde_json::Value;

use super::ApiProblem;

/// A field with its smallest value, and the recipe's key.
type NumberField = (&'static str, i64, Option<&'static str>);

/// Fields of the type `int32`.
const INT32_FIELDS: [NumberField; 16] = [
    ("replicas", 0, Some("replicas")),
    ("minReadySeconds", 0, None),
    ("revisionHistoryLimit", 0, None),
    ("progressDeadlineSeconds", 0, None),
    ("parallelism", 0, None),
    ("completions", 0, None),
    ("backoffLimit", 0, Some("job")),
    ("ttlSecondsAfterFinished", 0, Some("job")),
    ("successfulJobsHistoryLimit", 0, Some("job")),
    ("failedJobsHistoryLimit", 0, Some("job")),
    ("initialDelaySeconds", 0, Some("probes")),
    // For these, 0 means the default.
    ("periodSeconds", 0, Some("probes")),
    ("timeoutSeconds", 0, Some("probes")),
    ("failureThreshold", 0, Some("probes")),
    ("successThreshold", 0, Some("probes")),
    ("containerPort", 1, None),
];

/// Fields of the type `int64`.
const INT64_FIELDS: [NumberField; 6] = [
    ("terminationGracePeriodSeconds", 0, Some("termination-grace")),
    ("activeDeadlineSeconds", 1, Some("job")),
    ("startingDeadlineSeconds", 0, Some("job")),
    ("runAsUser", 0, None),
    ("runAsGroup", 0, None),
    ("fsGroup", 0, None),
];

/// The largest port.
const MAX_PORT: i64 = 65_535;
/// The largest user and group ID (`IsValidUserID`).
const MAX_ID: i64 = 2_147_483_647;

/// Returns a problem for each number that its field cannot have.
pub(super) fn number_problems(value: &Value) -> Vec<ApiProblem> {
    let mut problems = Vec::new();
    visit_members(value, &mut |key, value| problems.extend(number_problem(key, value)));
    problems
}

fn number_problem(key: &str, value: &Value) -> Option<ApiProblem> {
    let find = |fields: &'static [NumberField]| fields.iter().find(|(known, ..)| *known == key);
    let (least, most, recipe_key) = match (find(&INT32_FIELDS), find(&INT64_FIELDS)) {
        (Some(("containerPort", least, recipe_key)), _) => (*least, MAX_PORT, *recipe_key),
        (Some((_, least, recipe_key)), _) => (*least, i64::from(i32::MAX), *recipe_key),
        (None, Some(("runAsUser" | "runAsGroup" | "fsGroup", least, recipe_key))) => {
            (*least, MAX_ID, *recipe_key)
        }
        (None, Some((_, least, recipe_key))) => (*least, i64::MAX, *recipe_key),
        (None, None) => return None,
    };
    // A table of this name is another field.
    if value.is_object() || value.is_array() || value.as_i64().is_some_and(|n| (least..=most).contains(&n)) {
        return None;
    }
    let shown = coracle_core::path::escape_bytes(value.to_string().as_bytes());
    let problem = ApiProblem::new(
        format!("`{key}` cannot be {shown}"),
        format!("write a whole number from {least} to {most}"),
    );
    Some(ApiProblem { key: recipe_key, ..problem })
}

/// Tables whose keys are chosen by users.
const FREE_TABLES: [&str; 6] =
    ["metadata", "matchLabels", "selector", "nodeSelector", "volumeAttributes", "data"];

/// Visits every member of objects, at any depth, except for tables with free keys.
fn visit_members(value: &Value, visit: &mut dyn FnMut(&str, &Value)) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                if !FREE_TABLES.contains(&key.as_str()) {
                    visit(key, member);
                    visit_members(member, visit);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| visit_members(item, visit)),
        _ => {}
    }
}
