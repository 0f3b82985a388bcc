//! JSON Schema: validation, defaults, unknown keys, and secret values (`writeOnly`).

use std::path::{Path, PathBuf};

use jsonschema::error::{ValidationError, ValidationErrorKind};
use serde_json::{Map, Value};

use super::schema_walk::{self, WalkScope, walk_schemas};
use super::{Completeness, KeyPath, Values, ValuesError, Violation, merge, values_file};

/// A compiled JSON Schema.
#[derive(Debug)]
pub struct Schema {
    path: PathBuf,
    pub(super) document: Value,
    validator: jsonschema::Validator,
    secrets: Vec<KeyPath>,
}

/// The deepest nesting of tables that is followed; a schema may refer to itself.
pub(super) const MAX_DEPTH: usize = 32;

impl Schema {
    /// Reads the schema at `path`.
    ///
    /// # Errors
    /// Fails if it cannot be read, is not a valid schema, or refers to another file.
    pub fn read(path: &Path) -> Result<Self, ValuesError> {
        Self::new(path.to_owned(), values_file::read_schema(path)?)
    }

    /// Compiles the schema in `document`; `path` is used in errors.
    ///
    /// # Errors
    /// Fails if it is not a valid schema, or has unsupported references.
    pub fn new(path: PathBuf, document: Value) -> Result<Self, ValuesError> {
        let wrong = |message: String| ValuesError::InvalidSchema { path: path.clone(), message };
        let validator = jsonschema::validator_for(&document).map_err(|error| wrong(error.to_string()))?;
        if let Some(reference) = schema_walk::find_unsupported_ref(&document) {
            let reference = coracle_core::path::escape_bytes(reference.as_bytes());
            return Err(wrong(format!(
                "the reference `{reference}` is not supported and might hide a secret: write `#/$defs/NAME`"
            )));
        }
        let mut secrets = Vec::new();
        let ends = walk_schemas(&document, WalkScope::AllValues, &mut |schema, key| {
            if schema.get("writeOnly") == Some(&Value::Bool(true)) {
                secrets.push(key.clone());
            }
        });
        if !ends {
            return Err(wrong("it has too many references to itself".into()));
        }
        secrets.sort();
        secrets.dedup();
        Ok(Self { path, document, validator, secrets })
    }

    /// Returns the path that the schema was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the keys whose values are secret. A secret item without a key is represented by the
    /// table or array around it.
    pub fn secrets(&self) -> Vec<KeyPath> {
        self.secrets.clone()
    }

    /// Returns whether the schema allows `key`: it declares the key, or a table above it without
    /// `properties`.
    pub fn allows_key(&self, key: &KeyPath) -> bool {
        let mut known = false;
        walk_schemas(&self.document, WalkScope::KeyedValues, &mut |schema, at| {
            known |= key.is_prefix_of(at) || at.is_prefix_of(key) && schema.get("properties").is_none();
        });
        known
    }

    /// Returns a table of all defaults.
    pub(super) fn defaults(&self) -> Value {
        let mut defaults = Value::Object(Map::new());
        walk_schemas(&self.document, WalkScope::KeyedValues, &mut |schema, key| {
            if let Some(default) = schema.get("default") {
                // Outer defaults are visited first; inner ones override them.
                merge(&mut defaults, key.nest(default.clone()));
            }
        });
        defaults
    }

    /// Validates `values`; returns the violations, sorted by key.
    pub(super) fn violations(&self, values: &Values, completeness: Completeness) -> Vec<Violation> {
        let secrets = self.secrets();
        let merged = values.merged();
        let mut violations: Vec<Violation> = self
            .validator
            .iter_errors(merged)
            .filter(|error| match completeness {
                Completeness::Complete => true,
                Completeness::SecretsOptional => !is_missing_property(error, &secrets),
                Completeness::Partial => !is_fixable_by_more_values(error.kind()),
            })
            .map(|error| {
                let key = KeyPath::from_pointer(error.instance_path().as_str());
                let (key, message) = redacted_message(&error, key, &secrets);
                Violation { origin: values.origin_of(&key).cloned(), key, message }
            })
            .collect();
        self.find_undeclared_keys(&self.document, merged, &KeyPath::default(), values, &mut violations);
        violations.sort_by(|a, b| (&a.key, &a.message).cmp(&(&b.key, &b.message)));
        violations.dedup();
        violations
    }

    /// Collects undeclared keys of tables whose schema does not mention other keys: most likely
    /// typos.
    fn find_undeclared_keys(
        &self,
        schema: &Value,
        value: &Value,
        at: &KeyPath,
        values: &Values,
        found: &mut Vec<Violation>,
    ) {
        let schema = self.resolve_refs(schema);
        let (Some(known), Some(table)) =
            (schema.get("properties").and_then(Value::as_object), value.as_object())
        else {
            return;
        };
        let is_open =
            ["additionalProperties", "patternProperties", "allOf", "anyOf", "oneOf", "unevaluatedProperties"]
                .iter()
                .any(|keyword| schema.get(keyword).is_some());
        for (name, value) in table {
            let key = at.join(name);
            match known.get(name) {
                Some(schema) => self.find_undeclared_keys(schema, value, &key, values, found),
                None if is_open => {}
                None => {
                    let near = known.keys().min_by_key(|known| strsim::damerau_levenshtein(known, name));
                    let near = near.filter(|near| strsim::damerau_levenshtein(near, name) <= 2);
                    let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                    let secret = self.secrets.iter().find(|secret| secret.is_prefix_of(&key));
                    let message = match secret {
                        None => format!("the schema does not declare this key{near}"),
                        Some(_) => "it contains a key that the schema does not declare".into(),
                    };
                    let key = secret.cloned().unwrap_or(key);
                    found.push(Violation { origin: values.origin_of(&key).cloned(), key, message });
                }
            }
        }
    }

    /// Follows `$ref`s inside the document; dangling ones were rejected by [`Schema::new`].
    pub(super) fn resolve_refs<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let mut schema = schema;
        for _ in 0..MAX_DEPTH {
            match schema_walk::ref_target(&self.document, schema) {
                Some(target) => schema = target,
                None => break,
            }
        }
        schema
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
