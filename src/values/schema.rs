//! A JSON Schema: types, ranges, defaults, unknown keys, and which values are secret (`writeOnly`).

use std::path::{Path, PathBuf};

use jsonschema::error::{ValidationError, ValidationErrorKind};
use serde_json::{Map, Value};

use super::{Completeness, Error, KeyPath, Values, Violation, file, merge};

/// A schema, ready to be asked.
#[derive(Debug)]
pub struct Schema {
    path: PathBuf,
    pub(super) document: Value,
    validator: jsonschema::Validator,
}

/// Tables in tables: a schema that refers to itself has no end.
pub(super) const MAX_DEPTH: usize = 32;

impl Schema {
    /// Reads the schema at `path`.
    ///
    /// # Errors
    /// When it can't be read or is no schema; it can't refer to other files.
    pub fn read(path: &Path) -> Result<Self, Error> {
        Self::new(path.to_owned(), file::read(path)?)
    }

    /// The schema in `document`; `path` names it in an error.
    ///
    /// # Errors
    /// When it is no schema.
    pub fn new(path: PathBuf, document: Value) -> Result<Self, Error> {
        let validator = jsonschema::validator_for(&document)
            .map_err(|error| Error::Schema { path: path.clone(), message: error.to_string() })?;
        Ok(Self { path, document, validator })
    }

    /// Where it was read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The keys whose values are secret.
    pub fn secrets(&self) -> Vec<KeyPath> {
        let mut secrets = Vec::new();
        self.walk(&self.document, &KeyPath::default(), 0, &mut |schema, key| {
            if schema.get("writeOnly") == Some(&Value::Bool(true)) {
                secrets.push(key.clone());
            }
        });
        secrets.sort();
        secrets.dedup();
        secrets
    }

    /// Whether a value can stand at `key`: the schema names it, or says nothing of what is in a table above it.
    pub fn knows(&self, key: &KeyPath) -> bool {
        let mut known = false;
        self.walk(&self.document, &KeyPath::default(), 0, &mut |schema, at| {
            known |= key.leads_to(at) || at.leads_to(key) && schema.get("properties").is_none();
        });
        known
    }

    /// Every default, at its place.
    pub(super) fn defaults(&self) -> Value {
        let mut defaults = Value::Object(Map::new());
        self.walk(&self.document, &KeyPath::default(), 0, &mut |schema, key| {
            if let Some(default) = schema.get("default") {
                // One further up is there first, and what stands deeper goes on top of it.
                merge(&mut defaults, key.table(default.clone()));
            }
        });
        defaults
    }

    /// What the schema does not allow of `values`, by key.
    pub(super) fn violations(&self, values: &Values, completeness: Completeness) -> Vec<Violation> {
        let secrets = self.secrets();
        let merged = values.merged();
        let mut violations: Vec<Violation> = self
            .validator
            .iter_errors(merged)
            .filter(|error| match completeness {
                Completeness::Whole => true,
                Completeness::ButSecrets => !is_missing(error, &secrets),
                Completeness::Partial => !may_be_mended(error.kind()),
            })
            .map(|error| {
                let key = KeyPath::from_pointer(error.instance_path().as_str());
                let is_secret = secrets.iter().any(|secret| secret.is_along(&key));
                let message = if is_secret { error.masked().to_string() } else { error.to_string() };
                Violation { source: values.source_of(&key).cloned(), key, message }
            })
            .collect();
        self.unknown(&self.document, merged, &KeyPath::default(), values, &mut violations);
        violations.sort_by(|a, b| (&a.key, &a.message).cmp(&(&b.key, &b.message)));
        violations.dedup();
        violations
    }

    /// Keys that a table of the schema does not name, although it says nothing of others: a slip, most likely.
    fn unknown(
        &self,
        schema: &Value,
        value: &Value,
        at: &KeyPath,
        values: &Values,
        found: &mut Vec<Violation>,
    ) {
        let schema = self.resolved(schema);
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
            let key = at.joined(name);
            match known.get(name) {
                Some(schema) => self.unknown(schema, value, &key, values, found),
                None if is_open => {}
                None => {
                    let near = known.keys().min_by_key(|known| strsim::damerau_levenshtein(known, name));
                    let near = near.filter(|near| strsim::damerau_levenshtein(near, name) <= 2);
                    let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                    let source = values.source_of(&key).cloned();
                    found.push(Violation {
                        key,
                        source,
                        message: format!("the schema knows no such key{near}"),
                    });
                }
            }
        }
    }

    /// Visits the schema of every value that has a name.
    fn walk(&self, schema: &Value, at: &KeyPath, depth: usize, visit: &mut dyn FnMut(&Value, &KeyPath)) {
        if depth > MAX_DEPTH {
            return;
        }
        let schema = self.resolved(schema);
        visit(schema, at);
        for part in ["allOf", "anyOf", "oneOf"]
            .iter()
            .filter_map(|key| schema.get(key))
            .filter_map(Value::as_array)
            .flatten()
        {
            self.walk(part, at, depth + 1, visit);
        }
        for (name, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            self.walk(schema, &at.joined(name), depth + 1, visit);
        }
    }

    /// What a reference inside the document means; one that leads nowhere was refused before.
    pub(super) fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let mut schema = schema;
        for _ in 0..MAX_DEPTH {
            let pointer =
                schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
            match pointer.and_then(|pointer| self.document.pointer(pointer)) {
                Some(target) => schema = target,
                None => break,
            }
        }
        schema
    }
}

/// Whether more values can mend an error: what is required may come, and an alternative may hold then.
fn may_be_mended(kind: &ValidationErrorKind) -> bool {
    matches!(
        kind,
        ValidationErrorKind::Required { .. }
            | ValidationErrorKind::AnyOf { .. }
            | ValidationErrorKind::OneOfNotValid { .. }
            | ValidationErrorKind::MinProperties { .. }
    )
}

/// Whether one of `keys` is required and not there.
fn is_missing(error: &ValidationError<'_>, keys: &[KeyPath]) -> bool {
    let ValidationErrorKind::Required { property } = error.kind() else { return false };
    let above = KeyPath::from_pointer(error.instance_path().as_str());
    let key = property.as_str().map(|name| above.joined(name)).unwrap_or(above);
    keys.iter().any(|missing| missing.is_along(&key))
}
