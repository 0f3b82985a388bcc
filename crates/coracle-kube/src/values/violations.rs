//! Finds values that violate a schema, and undeclared keys. Messages do not show secret values.

use jsonschema::error::{ValidationError, ValidationErrorKind};
use serde_json::Value;

use super::error::Violation;
use super::key_path::{KeyPath, similar_key};
use super::merged_values::Values;
use super::schema::Schema;

/// Keywords that allow keys which `properties` does not declare.
const OPEN_TABLE_KEYWORDS: [&str; 6] =
    ["additionalProperties", "patternProperties", "allOf", "anyOf", "oneOf", "unevaluatedProperties"];

/// Which of the values that a schema requires must be given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum RequiredValues {
    /// All.
    All,
    /// All but secret ones.
    NotSecret,
    /// None: more values may be given later.
    None,
}

/// Validates `values`; returns the violations, sorted by key.
pub(super) fn find_violations(schema: &Schema, values: &Values, required: RequiredValues) -> Vec<Violation> {
    let secrets = schema.secrets();
    let merged = values.merged();
    let mut violations: Vec<Violation> = schema
        .validator
        .iter_errors(merged)
        .filter(|error| match required {
            RequiredValues::All => true,
            RequiredValues::NotSecret => !is_missing_property(error, &secrets),
            RequiredValues::None => !is_fixable_by_more_values(error.kind()),
        })
        .map(|error| {
            let key = KeyPath::from_pointer(error.instance_path().as_str());
            let (key, message) = redacted_message(&error, key, &secrets);
            Violation { origin: values.origin_of(&key).cloned(), key, message }
        })
        .collect();
    let mut search = UndeclaredKeySearch { schema, values, secrets: &secrets, found: &mut violations };
    search.search_table(&schema.document, merged, &KeyPath::default());
    violations.sort_by(|a, b| (&a.key, &a.message).cmp(&(&b.key, &b.message)));
    violations.dedup();
    violations
}

/// Collects undeclared keys of tables whose schema allows no other keys: most likely typos.
struct UndeclaredKeySearch<'a> {
    schema: &'a Schema,
    values: &'a Values,
    secrets: &'a [KeyPath],
    found: &'a mut Vec<Violation>,
}

impl UndeclaredKeySearch<'_> {
    /// Searches the table `value` at `path`, which `schema` describes, and the tables in it.
    fn search_table(&mut self, schema: &Value, value: &Value, path: &KeyPath) {
        let schema = self.schema.resolve_refs(schema);
        let (Some(declared), Some(table)) =
            (schema.get("properties").and_then(Value::as_object), value.as_object())
        else {
            return;
        };
        let is_open = OPEN_TABLE_KEYWORDS.iter().any(|keyword| schema.get(keyword).is_some());
        for (name, value) in table {
            let key = path.join(name);
            match declared.get(name) {
                Some(schema) => self.search_table(schema, value, &key),
                None if is_open => {}
                None => self.report(key, name, declared.keys()),
            }
        }
    }

    fn report<'k>(&mut self, key: KeyPath, name: &str, declared: impl Iterator<Item = &'k String>) {
        let secret = self.secrets.iter().find(|secret| secret.is_prefix_of(&key));
        let message = match (secret, similar_key(name, declared)) {
            (None, Some(similar)) => {
                format!("the schema does not declare this key; did you mean `{similar}`?")
            }
            (None, None) => "the schema does not declare this key".into(),
            (Some(_), _) => "it contains a key that the schema does not declare".into(),
        };
        let key = secret.cloned().unwrap_or(key);
        self.found.push(Violation { origin: self.values.origin_of(&key).cloned(), key, message });
    }
}

/// Returns whether further values can fix an error, such as a missing required value.
fn is_fixable_by_more_values(kind: &ValidationErrorKind) -> bool {
    matches!(
        kind,
        ValidationErrorKind::Required { .. }
            | ValidationErrorKind::AnyOf { .. }
            | ValidationErrorKind::OneOfNotValid { .. }
            | ValidationErrorKind::MinProperties { .. }
    )
}

/// Returns whether the error is that one of `keys` is required and missing.
fn is_missing_property(error: &ValidationError<'_>, keys: &[KeyPath]) -> bool {
    let ValidationErrorKind::Required { property } = error.kind() else { return false };
    let above = KeyPath::from_pointer(error.instance_path().as_str());
    let key = property.as_str().map(|name| above.join(name)).unwrap_or(above);
    keys.iter().any(|missing| missing.overlaps(&key))
}

/// Returns the message for an error about the value at `key`. For a secret, it shows neither the
/// value nor its keys nor the constraint. The same holds for a table that contains a secret.
fn redacted_message(error: &ValidationError<'_>, key: KeyPath, secrets: &[KeyPath]) -> (KeyPath, String) {
    let keyword = error.schema_path().as_str().rsplit('/').next().unwrap_or_default();
    if let Some(secret) = secrets.iter().find(|secret| secret.is_prefix_of(&key)) {
        return (secret.clone(), format!("the value is secret and violates `{keyword}` of the schema"));
    }
    let message = match error.kind() {
        _ if !secrets.iter().any(|secret| secret.overlaps(&key)) => error.to_string(),
        ValidationErrorKind::Required { .. } => error.masked().to_string(),
        _ => format!("the value contains a secret and violates `{keyword}` of the schema"),
    };
    (key, message)
}
