//! Lists whose items have a key, which may occur once.

use std::collections::BTreeSet;

use coracle_core::path::escape_bytes;
use serde_json::{Value, json};

use super::ApiProblem;

/// A list, the key fields of its items with the value of a missing one, and the recipe's key.
type KeyedList = (&'static str, &'static [(&'static str, &'static str)], Option<&'static str>);

/// `ports` of a Service have another key than those of a container, but both accept this one.
const KEYED_LISTS: [KeyedList; 11] = [
    ("volumes", &[("name", "")], None),
    ("volumeDevices", &[("devicePath", "")], None),
    ("volumeMounts", &[("mountPath", "")], None),
    ("env", &[("name", "")], None),
    ("imagePullSecrets", &[("name", "")], Some("image-pull-secrets")),
    ("hostAliases", &[("ip", "")], None),
    ("topologySpreadConstraints", &[("topologyKey", ""), ("whenUnsatisfiable", "")], None),
    ("schedulingGates", &[("name", "")], None),
    ("resourceClaims", &[("name", "")], None),
    ("readinessGates", &[("conditionType", "")], None),
    ("sysctls", &[("name", "")], None),
];

/// Returns a problem for each item whose key an earlier item of its list has.
pub(super) fn duplicate_items(value: &Value) -> Vec<ApiProblem> {
    let mut problems = Vec::new();
    visit_lists(value, &mut |list, items| {
        if list == "ports" {
            problems.extend(duplicate_ports(items));
        }
        let Some((_, fields, key)) = KEYED_LISTS.iter().find(|(known, ..)| *known == list) else { return };
        let key_of = |item: &Value| -> Vec<String> {
            let field = |(name, default): &(&str, &str)| {
                item.get(*name).and_then(Value::as_str).unwrap_or(default).to_owned()
            };
            fields.iter().map(field).collect()
        };
        let mut seen = BTreeSet::new();
        for found in items.iter().map(key_of) {
            if !seen.insert(found.clone()) {
                let title = escape_bytes(found.join(" ").as_bytes());
                let problem =
                    ApiProblem::new(format!("`{title}` is twice in `{list}`"), "remove one of the two");
                problems.push(ApiProblem { key: *key, ..problem });
            }
        }
    });
    problems
}

/// Returns problems with ports of one number and protocol, or of one name.
fn duplicate_ports(items: &[Value]) -> Vec<ApiProblem> {
    let mut seen = BTreeSet::new();
    let mut problems = Vec::new();
    for item in items {
        let number = item.get("containerPort").or_else(|| item.get("port")).cloned().unwrap_or_default();
        let protocol = item.get("protocol").cloned().unwrap_or_else(|| json!("TCP"));
        let number = format!("{number}/{}", protocol.as_str().unwrap_or_default());
        let name = item.get("name").and_then(Value::as_str).map(str::to_owned);
        for title in [Some(number), name].into_iter().flatten() {
            if !seen.insert(title.clone()) {
                let title = escape_bytes(title.as_bytes());
                problems.push(ApiProblem::new(
                    format!("the port `{title}` is twice in `ports`"),
                    "remove one of the two",
                ));
            }
        }
    }
    problems
}

/// Visits every list of objects with its key.
fn visit_lists(value: &Value, visit: &mut dyn FnMut(&str, &[Value])) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                if let Value::Array(items) = member {
                    visit(key, items);
                }
                visit_lists(member, visit);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| visit_lists(item, visit)),
        _ => {}
    }
}
