//! Finds values that violate a schema, and undeclared keys. Messages do not show secret values.

use jsonschema::error::{ValidationError, ValidationErrorKind};

use super::error::SchemaViolation;
use super::json_schema::Schema;
use super::key_path::{KeyPath, similar_key};
use super::merged_values::Values;
use super::undeclared_keys::{UndeclaredKey, find_undeclared_keys};

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
pub(super) fn find_violations(
    schema: &Schema,
    values: &Values,
    required: RequiredValues,
) -> Vec<SchemaViolation> {
    let secrets = schema.secrets();
    let merged = values.merged();
    let mut violations: Vec<SchemaViolation> = schema
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
            SchemaViolation { origin: values.origin_of(&key).cloned(), key, message }
        })
        .collect();
    let undeclared = find_undeclared_keys(schema, merged).into_iter();
    violations.extend(undeclared.filter_map(|found| undeclared_key(found, schema, values, required)));
    violations.sort_by(|a, b| (&a.key, &a.message).cmp(&(&b.key, &b.message)));
    violations.dedup();
    violations
}

/// Returns the violation for an undeclared key; `None` if further values may declare it, by the
/// condition of a `then` for example.
fn undeclared_key(
    found: UndeclaredKey,
    schema: &Schema,
    values: &Values,
    required: RequiredValues,
) -> Option<SchemaViolation> {
    let key = KeyPath::from_pointer(&found.pointer);
    if required == RequiredValues::None && schema.allows_key(&key) {
        return None;
    }
    let secrets = schema.secrets();
    let secret = secrets.iter().find(|secret| secret.is_prefix_of(&key));
    let message = match (secret, similar_key(&found.name, found.declared.iter())) {
        (None, Some(similar)) => {
            format!("the schema does not declare this key; did you mean `{similar}`?")
        }
        (None, None) => "the schema does not declare this key".into(),
        (Some(_), _) => "it contains a key that the schema does not declare".into(),
    };
    let key = secret.cloned().unwrap_or(key);
    Some(SchemaViolation { origin: values.origin_of(&key).cloned(), key, message })
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
