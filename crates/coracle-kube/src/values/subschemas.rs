//! Visits every subschema of a schema, with the key of the value that it describes.
//!
//! References must point into the same document. Any other is rejected, because it might hide a
//! secret.

use serde_json::{Value, json};

use super::key_path::KeyPath;

/// The maximum number of subschemas that are visited. A hand-written schema has far fewer.
const MAX_VISITS: usize = 100_000;

/// The deepest nesting of schemas, references included. Validators follow references recursively.
const MAX_DEPTH: usize = 100;

/// Which subschemas are visited.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum SubschemaScope {
    /// Those of values with a key of their own.
    KeyedValues,
    /// All. One without a key of its own (an item, an additional property) is visited with the key
    /// of the table or array above it.
    AllValues,
}

/// Keywords whose value is a schema, or an array of schemas, for a part of the value.
const SUBSCHEMA_KEYWORDS: [&str; 15] = [
    "items",
    "prefixItems",
    "contains",
    "additionalItems",
    "unevaluatedItems",
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
    "contentSchema",
    "not",
    "if",
    "then",
    "else",
    "dependencies",
    "dependentSchemas",
];
/// Keywords whose schemas apply to the value itself, at least under a condition.
const CONDITIONAL_KEYWORDS: [&str; 2] = ["then", "else"];
/// Keywords with schemas by name that apply to a value that has a key of that name.
const DEPENDENCY_KEYWORDS: [&str; 2] = ["dependentSchemas", "dependencies"];
/// Keywords whose schemas apply to the value itself.
const COMBINATOR_KEYWORDS: [&str; 3] = ["allOf", "anyOf", "oneOf"];
/// Keywords that contain values, not schemas.
pub(super) const VALUE_KEYWORDS: [&str; 4] = ["default", "enum", "const", "examples"];
/// Keywords whose value is a table from names to schemas.
pub(super) const NAMED_SCHEMA_KEYWORDS: [&str; 5] =
    ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];

/// Calls `visit` with every subschema of `document` and its key. Returns false if there are too
/// many, or they are nested too deeply.
pub(super) fn walk_schemas(
    document: &Value,
    scope: SubschemaScope,
    visit: &mut dyn FnMut(&Value, &KeyPath),
) -> bool {
    let mut walk = SchemaWalk { document, scope, visits: 0, ancestors: Vec::new(), visit };
    walk.visit_schema(document, &KeyPath::default());
    walk.visits < MAX_VISITS
}

struct SchemaWalk<'a, 'v> {
    document: &'a Value,
    scope: SubschemaScope,
    visits: usize,
    /// The enclosing schemas, outermost first.
    ancestors: Vec<&'a Value>,
    visit: &'v mut dyn FnMut(&Value, &KeyPath),
}

impl<'a> SchemaWalk<'a, '_> {
    fn visit_schema(&mut self, schema: &'a Value, at: &KeyPath) {
        if self.visits == MAX_VISITS {
            return;
        }
        if self.ancestors.len() == MAX_DEPTH {
            self.visits = MAX_VISITS;
            return;
        }
        self.visits += 1;
        if self.ancestors.iter().any(|ancestor| std::ptr::eq(*ancestor, schema)) {
            // A recursive schema: a secret in it may appear at any depth.
            if self.scope == SubschemaScope::AllValues && has_secret(self.document) {
                (self.visit)(&json!({ "writeOnly": true }), at);
            }
            return;
        }
        self.ancestors.push(schema);
        // Keywords next to a `$ref` override those of its target, so they are visited later.
        if let Some(target) = ref_target(self.document, schema) {
            self.visit_schema(target, at);
        }
        (self.visit)(schema, at);
        for part in COMBINATOR_KEYWORDS.iter().filter_map(|keyword| schema.get(keyword)) {
            self.visit_schema_or_array(part, at);
        }
        if self.scope == SubschemaScope::KeyedValues {
            conditional_parts(schema).into_iter().for_each(|part| self.visit_schema(part, at));
        } else {
            for part in SUBSCHEMA_KEYWORDS
                .iter()
                .chain(&["patternProperties"])
                .filter_map(|keyword| schema.get(keyword))
            {
                self.visit_schema_or_array(part, at);
                // Tables from patterns to schemas.
                part.as_object()
                    .into_iter()
                    .flatten()
                    .for_each(|(_, part)| self.visit_schema_or_array(part, at));
            }
        }
        for (name, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            self.visit_schema(schema, &at.join(name));
        }
        self.ancestors.pop();
    }

    /// Visits a schema or an array of schemas.
    fn visit_schema_or_array(&mut self, part: &'a Value, at: &KeyPath) {
        match part {
            Value::Array(parts) => parts.iter().for_each(|part| self.visit_schema(part, at)),
            Value::Object(_) => self.visit_schema(part, at),
            _ => {}
        }
    }
}

/// Returns the schemas that apply to the value itself under a condition: `then`, `else`, and those
/// of dependencies.
pub(super) fn conditional_parts(schema: &Value) -> Vec<&Value> {
    let parts = CONDITIONAL_KEYWORDS.iter().filter_map(|keyword| schema.get(keyword));
    let named = DEPENDENCY_KEYWORDS.iter().filter_map(|keyword| schema.get(keyword)?.as_object());
    parts.chain(named.flat_map(|named| named.values())).filter(|part| part.is_object()).collect()
}

/// Returns the target of a schema's `$ref` inside the document.
pub(super) fn ref_target<'a>(document: &'a Value, schema: &Value) -> Option<&'a Value> {
    let pointer = schema.get("$ref")?.as_str()?.strip_prefix('#')?;
    document.pointer(pointer)
}

fn has_secret(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_secret),
        Value::Object(members) => {
            members.get("writeOnly") == Some(&Value::Bool(true)) || members.values().any(has_secret)
        }
        _ => false,
    }
}

/// Returns the first reference that is dangling or points outside of the document.
pub(super) fn find_unsupported_ref(document: &Value) -> Option<String> {
    let members = document.as_object()?;
    members.iter().find_map(|(keyword, value)| unsupported_ref_of_keyword(document, keyword, value))
}

fn unsupported_ref_of_keyword(document: &Value, keyword: &str, value: &Value) -> Option<String> {
    match (keyword, value) {
        ("$ref", Value::String(to)) => {
            let is_there = to.strip_prefix('#').is_some_and(|pointer| document.pointer(pointer).is_some());
            (!is_there).then(|| to.clone())
        }
        ("$dynamicRef" | "$recursiveRef", Value::String(to)) => Some(to.clone()),
        (keyword, _) if VALUE_KEYWORDS.contains(&keyword) => None,
        (keyword, Value::Object(named)) if NAMED_SCHEMA_KEYWORDS.contains(&keyword) => {
            named.values().find_map(|schema| unsupported_ref_in_value(document, schema))
        }
        (_, value) => unsupported_ref_in_value(document, value),
    }
}

fn unsupported_ref_in_value(document: &Value, value: &Value) -> Option<String> {
    match value {
        Value::Array(items) => items.iter().find_map(|item| unsupported_ref_in_value(document, item)),
        // A nested `$id` changes the base of the references in it.
        Value::Object(members) => match members.get("$id") {
            Some(Value::String(id)) => Some(id.clone()),
            _ => members
                .iter()
                .find_map(|(keyword, value)| unsupported_ref_of_keyword(document, keyword, value)),
        },
        _ => None,
    }
}
