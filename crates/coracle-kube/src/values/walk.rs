//! Every schema inside a schema, with the key of the value that it is about.
//!
//! References lead to places of the same document; what can't be followed is refused, because a secret may be behind it.

use serde_json::{Value, json};

use super::KeyPath;

/// More than any schema of values that people write.
const MAX_VISITS: usize = 100_000;

/// How far a walk goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// To values that have a name.
    Named,
    /// To every value: one without a name (an item, any other key) has that of the table or array above it.
    All,
}

/// Keywords whose value is a schema, or an array of them, about something in the value itself.
const UNNAMED: [&str; 15] = [
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
/// Keywords whose schemas hold for the value itself.
const ALTERNATIVES: [&str; 3] = ["allOf", "anyOf", "oneOf"];
/// Keywords that have values, not schemas.
const DATA: [&str; 4] = ["default", "enum", "const", "examples"];
/// Keywords whose tables have schemas by names.
pub(super) const BY_NAME: [&str; 5] =
    ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];

/// Shows `visit` every schema of `document` that is about a value; whether that came to an end.
pub(super) fn walk(document: &Value, reach: Reach, visit: &mut dyn FnMut(&Value, &KeyPath)) -> bool {
    let mut walk = Walk { document, reach, visits: 0, open: Vec::new(), visit };
    walk.schema(document, &KeyPath::default());
    walk.visits < MAX_VISITS
}

struct Walk<'a, 'v> {
    document: &'a Value,
    reach: Reach,
    visits: usize,
    /// Where the walk is inside of, outermost first.
    open: Vec<&'a Value>,
    visit: &'v mut dyn FnMut(&Value, &KeyPath),
}

impl<'a> Walk<'a, '_> {
    fn schema(&mut self, schema: &'a Value, at: &KeyPath) {
        if self.visits == MAX_VISITS {
            return;
        }
        self.visits += 1;
        if self.open.iter().any(|open| std::ptr::eq(*open, schema)) {
            // It goes on for ever, and so may what is secret in it.
            if self.reach == Reach::All && has_secret(self.document) {
                (self.visit)(&json!({ "writeOnly": true }), at);
            }
            return;
        }
        self.open.push(schema);
        // What stands beside a reference goes before what it leads to.
        if let Some(target) = target(self.document, schema) {
            self.schema(target, at);
        }
        (self.visit)(schema, at);
        for part in ALTERNATIVES.iter().filter_map(|keyword| schema.get(keyword)) {
            self.parts(part, at);
        }
        if self.reach == Reach::All {
            for part in UNNAMED.iter().chain(&["patternProperties"]).filter_map(|keyword| schema.get(keyword))
            {
                self.parts(part, at);
                // Schemas by names that say nothing of keys.
                part.as_object().into_iter().flatten().for_each(|(_, part)| self.parts(part, at));
            }
        }
        for (name, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            self.schema(schema, &at.joined(name));
        }
        self.open.pop();
    }

    /// A schema, or an array of them.
    fn parts(&mut self, part: &'a Value, at: &KeyPath) {
        match part {
            Value::Array(parts) => parts.iter().for_each(|part| self.schema(part, at)),
            Value::Object(_) => self.schema(part, at),
            _ => {}
        }
    }
}

/// What a reference inside the document means.
pub(super) fn target<'a>(document: &'a Value, schema: &Value) -> Option<&'a Value> {
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

/// A reference that leads somewhere else, or nowhere.
pub(super) fn unfollowed(document: &Value) -> Option<String> {
    let members = document.as_object()?;
    members.iter().find_map(|(keyword, value)| lost(document, keyword, value))
}

fn lost(document: &Value, keyword: &str, value: &Value) -> Option<String> {
    match (keyword, value) {
        ("$ref", Value::String(to)) => {
            let is_there = to.strip_prefix('#').is_some_and(|pointer| document.pointer(pointer).is_some());
            (!is_there).then(|| to.clone())
        }
        ("$dynamicRef" | "$recursiveRef", Value::String(to)) => Some(to.clone()),
        (keyword, _) if DATA.contains(&keyword) => None,
        (keyword, Value::Object(named)) if BY_NAME.contains(&keyword) => {
            named.values().find_map(|schema| inside(document, schema))
        }
        (_, value) => inside(document, value),
    }
}

fn inside(document: &Value, value: &Value) -> Option<String> {
    match value {
        Value::Array(items) => items.iter().find_map(|item| inside(document, item)),
        // References below another `$id` start there.
        Value::Object(members) => match members.get("$id") {
            Some(Value::String(id)) => Some(id.clone()),
            _ => members.iter().find_map(|(keyword, value)| lost(document, keyword, value)),
        },
        _ => None,
    }
}
