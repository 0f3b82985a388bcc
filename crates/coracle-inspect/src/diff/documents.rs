//! How two JSON documents differ, by key.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

/// The maximum number of changes that are listed for one document.
const MAX_CHANGES: usize = 200;
/// The maximum number of characters of a value.
const MAX_VALUE: usize = 200;

/// A value that differs between two JSON documents.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct KeyChange {
    /// The path of the key, such as `config.Env[2]`.
    pub key: String,
    /// The old value as JSON; `None` if it was added.
    pub old: Option<String>,
    /// The new value as JSON; `None` if it was removed.
    pub new: Option<String>,
}

/// Returns the differences of two documents; the keys in `ignored` are left out.
pub(super) fn diff_documents(old: &Value, new: &Value, ignored: &[&str]) -> Vec<KeyChange> {
    let mut changes = Vec::new();
    add_changes("", Some(old), Some(new), ignored, &mut changes);
    changes
}

fn add_changes(
    key: &str,
    old: Option<&Value>,
    new: Option<&Value>,
    ignored: &[&str],
    changes: &mut Vec<KeyChange>,
) {
    if old == new || ignored.contains(&key) || changes.len() >= MAX_CHANGES {
        return;
    }
    match (old, new) {
        (Some(Value::Object(one)), Some(Value::Object(other))) => {
            let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for name in keys {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                add_changes(&key, one.get(name), other.get(name), ignored, changes);
            }
        }
        (Some(Value::Array(one)), Some(Value::Array(other))) => {
            for index in 0..one.len().max(other.len()) {
                add_changes(&format!("{key}[{index}]"), one.get(index), other.get(index), ignored, changes);
            }
        }
        (old, new) => {
            changes.push(KeyChange {
                key: key.to_owned(),
                old: old.map(short_text),
                new: new.map(short_text),
            });
        }
    }
}

fn short_text(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(MAX_VALUE) {
        Some((end, _)) => format!("{} …", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn changes_are_listed_by_key() {
        let old = json!({"a": {"b": [1, 2], "c": true}, "gone": 1, "same": {"x": 1}, "skip": {"y": 1}});
        let new = json!({"a": {"b": [1, 3, 4], "c": {"d": 1}}, "new": "x", "same": {"x": 1}, "skip": 2});
        let changes = diff_documents(&old, &new, &["skip"]);
        let lines: Vec<String> = changes
            .iter()
            .map(|change| {
                let text = |value: &Option<String>| value.clone().unwrap_or("-".into());
                format!("{} {} {}", change.key, text(&change.old), text(&change.new))
            })
            .collect();
        assert_eq!(lines, ["a.b[1] 2 3", "a.b[2] - 4", "a.c true {\"d\":1}", "gone 1 -", "new - \"x\""]);
        assert_eq!(diff_documents(&json!([]), &json!([]), &[]), []);
    }
}
