//! Finds keys that the schema does not describe in tables whose other keys it declares: most likely
//! typos. The validator decides what is described, as for `unevaluatedProperties`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::applied_schemas::{AppliedSchemas, ViolatedBranches};
use super::json_schema::Schema;

/// Keywords that allow or reject all other keys.
const OPEN_TABLE_KEYWORDS: [&str; 2] = ["additionalProperties", "unevaluatedProperties"];

/// A key that the schema does not describe.
pub(super) struct UndeclaredKey {
    /// The JSON pointer of the value.
    pub(super) pointer: String,
    pub(super) name: String,
    /// The keys that the schema declares for its table.
    pub(super) declared: BTreeSet<String>,
}

/// What the schemas that apply to a table say about its keys.
#[derive(Default)]
struct TableKeys<'s> {
    declared: BTreeSet<&'s str>,
    has_properties: bool,
    is_open: bool,
}

/// Returns the keys in `values` that the schema does not describe.
pub(super) fn find_undeclared_keys(schema: &Schema, values: &Value) -> Vec<UndeclaredKey> {
    let evaluation = schema.validator.evaluate(values);
    let applied = AppliedSchemas::collect(&schema.document, evaluation.root(), ViolatedBranches::All);
    let mut tables: BTreeMap<&str, TableKeys<'_>> = BTreeMap::new();
    for applied in &applied.schemas {
        let keys = tables.entry(applied.pointer).or_default();
        let properties = applied.schema.get("properties").and_then(Value::as_object);
        let required = applied.schema.get("required").and_then(Value::as_array);
        keys.has_properties |= properties.is_some();
        keys.is_open |= OPEN_TABLE_KEYWORDS.iter().any(|keyword| applied.schema.contains_key(*keyword));
        keys.declared.extend(properties.into_iter().flatten().map(|(name, _)| name.as_str()));
        keys.declared.extend(required.into_iter().flatten().filter_map(Value::as_str));
    }
    let mut found = Vec::new();
    for (pointer, keys) in tables.into_iter().filter(|(_, keys)| keys.has_properties && !keys.is_open) {
        let table = values.pointer(pointer).and_then(Value::as_object);
        for name in table.into_iter().flat_map(serde_json::Map::keys) {
            let pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
            if !keys.declared.contains(name.as_str()) && !applied.described.contains(pointer.as_str()) {
                let declared = keys.declared.iter().map(|&name| name.to_owned()).collect();
                found.push(UndeclaredKey { pointer, name: name.clone(), declared });
            }
        }
    }
    found
}
