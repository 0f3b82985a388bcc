//! A JSON Schema: types, ranges, defaults, unknown keys, and which values are secret (`writeOnly`).

use std::path::{Path, PathBuf};

use jsonschema::error::{ValidationError, ValidationErrorKind};
use serde_json::{Map, Value};

use super::walk::{self, Reach, walk};
use super::{Completeness, Error, KeyPath, Values, Violation, file, merge};

/// A schema, ready to be asked.
#[derive(Debug)]
pub struct Schema {
    path: PathBuf,
    pub(super) document: Value,
    validator: jsonschema::Validator,
    secrets: Vec<KeyPath>,
}

/// Tables in tables: a schema that refers to itself has no end.
pub(super) const MAX_DEPTH: usize = 32;

impl Schema {
    /// Reads the schema at `path`.
    ///
    /// # Errors
    /// When it can't be read or is no schema; it can't refer to other files.
    pub fn read(path: &Path) -> Result<Self, Error> {
        Self::new(path.to_owned(), file::schema(path)?)
    }

    /// The schema in `document`; `path` names it in an error.
    ///
    /// # Errors
    /// When it is no schema.
    pub fn new(path: PathBuf, document: Value) -> Result<Self, Error> {
        let wrong = |message: String| Error::Schema { path: path.clone(), message };
        let validator = jsonschema::validator_for(&document).map_err(|error| wrong(error.to_string()))?;
        if let Some(reference) = walk::unfollowed(&document) {
            let reference = coracle_core::path::printable(reference.as_bytes());
            return Err(wrong(format!(
                "`{reference}` can't be followed, and a secret may be behind it; write references as `#/$defs/NAME`"
            )));
        }
        let mut secrets = Vec::new();
        let ends = walk(&document, Reach::All, &mut |schema, key| {
            if schema.get("writeOnly") == Some(&Value::Bool(true)) {
                secrets.push(key.clone());
            }
        });
        if !ends {
            return Err(wrong("it refers to itself in too many ways".into()));
        }
        secrets.sort();
        secrets.dedup();
        Ok(Self { path, document, validator, secrets })
    }

    /// Where it was read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The keys whose values are secret; of what has no key of its own, that of the table or array it is in.
    pub fn secrets(&self) -> Vec<KeyPath> {
        self.secrets.clone()
    }

    /// Whether a value can stand at `key`: the schema names it, or says nothing of what is in a table above it.
    pub fn knows(&self, key: &KeyPath) -> bool {
        let mut known = false;
        walk(&self.document, Reach::Named, &mut |schema, at| {
            known |= key.leads_to(at) || at.leads_to(key) && schema.get("properties").is_none();
        });
        known
    }

    /// Every default, at its place.
    pub(super) fn defaults(&self) -> Value {
        let mut defaults = Value::Object(Map::new());
        walk(&self.document, Reach::Named, &mut |schema, key| {
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
                let (key, message) = told(&error, key, &secrets);
                Violation { origin: values.origin_of(&key).cloned(), key, message }
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
                    let secret = self.secrets.iter().find(|secret| secret.leads_to(&key));
                    let message = match secret {
                        None => format!("the schema knows no such key{near}"),
                        Some(_) => "the schema does not know a key in it".into(),
                    };
                    let key = secret.cloned().unwrap_or(key);
                    found.push(Violation { origin: values.origin_of(&key).cloned(), key, message });
                }
            }
        }
    }

    /// What a reference inside the document means; one that leads nowhere was refused before.
    pub(super) fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let mut schema = schema;
        for _ in 0..MAX_DEPTH {
            match walk::target(&self.document, schema) {
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

/// What an error about the value at `key` may say. Of a secret neither its value nor its keys are told, and not what the
/// schema wants it to be either; a table that holds one may show it as well.
fn told(error: &ValidationError<'_>, key: KeyPath, secrets: &[KeyPath]) -> (KeyPath, String) {
    let keyword = error.schema_path().as_str().rsplit('/').next().unwrap_or_default();
    if let Some(secret) = secrets.iter().find(|secret| secret.leads_to(&key)) {
        return (secret.clone(), format!("it is secret, and not what `{keyword}` in the schema allows"));
    }
    let message = match error.kind() {
        _ if !secrets.iter().any(|secret| secret.is_along(&key)) => error.to_string(),
        ValidationErrorKind::Required { .. } => error.masked().to_string(),
        _ => format!("it holds a secret, and is not what `{keyword}` in the schema allows"),
    };
    (key, message)
}
