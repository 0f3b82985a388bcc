//! Adds the defaults of a schema to values: those of missing keys in tables that are given, from
//! the subschemas that apply to the table.

use serde_json::{Map, Value};

use super::applied_schemas::{AppliedSchemas, ChoiceBranch, ViolatedBranches, ViolatedChoice};
use super::json_schema::{MAX_DEPTH, Schema};
use super::subschemas::ref_target;

/// The maximum number of defaults that are added. A hand-written schema has fewer; one that refers to itself could add
/// defaults without end.
const MAX_DEFAULTS: usize = 10_000;
/// The most values with `anyOf` or `oneOf` that hold only with a default.
const MAX_CHOICES: usize = 100;

/// Returns `given` with the schema's defaults.
pub(super) fn with_defaults(schema: &Schema, given: &Value) -> Value {
    let is_empty = given.as_object().is_none_or(Map::is_empty);
    let default = default_of(&schema.document, &schema.document, 0).filter(|_| is_empty);
    let mut filled = default.unwrap_or(given).clone();
    add_missing_defaults(schema, &mut filled, &[]);
    let mut tried: Vec<ViolatedChoice> = Vec::new();
    while tried.len() < MAX_CHOICES {
        let choices = violated_choices(schema, &filled);
        let Some(choice) = choices.into_iter().find(|choice| !tried.contains(choice)) else { break };
        if let Some(satisfied) = satisfy_choice(schema, &filled, &choice) {
            filled = satisfied;
            add_missing_defaults(schema, &mut filled, &[]);
        }
        tried.push(choice);
    }
    filled
}

/// Adds the defaults to `value`. `branches` lists violated branches that apply nevertheless.
fn add_missing_defaults(schema: &Schema, value: &mut Value, branches: &[ChoiceBranch]) {
    let mut count = 0;
    for _ in 0..MAX_DEPTH {
        let missing = missing_defaults(schema, value, branches);
        count += missing.len();
        if missing.is_empty() || count > MAX_DEFAULTS {
            return;
        }
        for MissingDefault { pointer, name, default } in missing {
            if let Some(table) = value.pointer_mut(&pointer).and_then(Value::as_object_mut) {
                table.entry(name).or_insert(default);
            }
        }
    }
}

/// A default that a table lacks.
struct MissingDefault {
    /// The JSON pointer of the table.
    pointer: String,
    name: String,
    default: Value,
}

/// Returns the defaults that tables of `value` lack. Those of outer schemas come first.
fn missing_defaults(schema: &Schema, value: &Value, branches: &[ChoiceBranch]) -> Vec<MissingDefault> {
    let evaluation = schema.validator.evaluate(value);
    let applied =
        AppliedSchemas::collect(&schema.document, evaluation.root(), ViolatedBranches::Only(branches));
    let mut missing = Vec::new();
    for applied in applied.schemas.iter().filter(|applied| !applied.is_condition) {
        let Some(table) = value.pointer(applied.pointer).and_then(Value::as_object) else { continue };
        let properties = applied.schema.get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten() {
            if !table.contains_key(name)
                && let Some(default) = default_of(&schema.document, property, 0)
            {
                let (pointer, name) = (applied.pointer.to_owned(), name.clone());
                missing.push(MissingDefault { pointer, name, default: default.clone() });
            }
        }
    }
    missing
}

/// Returns the default of a schema: its own, or that of a schema that it refers to or combines.
fn default_of<'s>(document: &'s Value, schema: &'s Value, depth: usize) -> Option<&'s Value> {
    if depth > MAX_DEPTH {
        return None;
    }
    let target = || default_of(document, ref_target(document, schema)?, depth + 1);
    let parts = || {
        let mut parts = schema.get("allOf")?.as_array()?.iter();
        parts.find_map(|part| default_of(document, part, depth + 1))
    };
    schema.get("default").or_else(target).or_else(parts)
}

fn violated_choices(schema: &Schema, value: &Value) -> Vec<ViolatedChoice> {
    let evaluation = schema.validator.evaluate(value);
    AppliedSchemas::collect(&schema.document, evaluation.root(), ViolatedBranches::Only(&[])).violated_choices
}

/// Returns `value` with the defaults of the only branch whose defaults satisfy `choice`.
fn satisfy_choice(schema: &Schema, value: &Value, choice: &ViolatedChoice) -> Option<Value> {
    let mut candidates = choice.branches.iter().filter_map(|branch| {
        let mut candidate = value.clone();
        add_missing_defaults(schema, &mut candidate, std::slice::from_ref(branch));
        let evaluation = schema.validator.evaluate(&candidate);
        let applied =
            AppliedSchemas::collect(&schema.document, evaluation.root(), ViolatedBranches::Only(&[]));
        (!applied.violates(choice)).then_some(candidate)
    });
    let candidate = candidates.next()?;
    candidates.next().is_none().then_some(candidate)
}
