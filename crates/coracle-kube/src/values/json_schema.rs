//! A JSON Schema and its secret values (`writeOnly`).

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::error::ValuesError;
use super::key_path::KeyPath;
use super::source_reader;
use super::subschemas::{self, SubschemaScope, walk_schemas};

/// A compiled JSON Schema.
#[derive(Debug)]
pub struct Schema {
    path: PathBuf,
    pub(super) document: Value,
    pub(super) validator: jsonschema::Validator,
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
        Self::new(path.to_owned(), source_reader::read_schema_file(path)?)
    }

    /// Compiles the schema in `document`; `path` is used in errors.
    ///
    /// # Errors
    /// Fails if it is not a valid schema, or has unsupported references.
    pub fn new(path: PathBuf, document: Value) -> Result<Self, ValuesError> {
        let invalid = |message: String| ValuesError::InvalidSchema { path: path.clone(), message };
        let mut secrets = Vec::new();
        let is_complete = walk_schemas(&document, SubschemaScope::AllValues, &mut |schema, key| {
            if schema.get("writeOnly") == Some(&Value::Bool(true)) {
                secrets.push(key.clone());
            }
        });
        if !is_complete {
            return Err(invalid("it has too many references, or they are nested too deeply".into()));
        }
        if let Some(reference) = subschemas::find_unsupported_ref(&document) {
            let reference = coracle_core::path::escape_bytes(reference.as_bytes());
            return Err(invalid(format!(
                "the reference `{reference}` is not supported and might hide a secret: write `#/$defs/NAME`"
            )));
        }
        // A validator checks `format` only in drafts before 2019-09, unless it is set.
        let validator = jsonschema::options()
            .should_validate_formats(true)
            .build(&without_id(&document))
            .map_err(|error| invalid(error.to_string()))?;
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
        let mut is_allowed = false;
        walk_schemas(&self.document, SubschemaScope::KeyedValues, &mut |schema, at| {
            is_allowed |= key.is_prefix_of(at) || at.is_prefix_of(key) && schema.get("properties").is_none();
        });
        is_allowed
    }
}

/// Returns the document without its own address, so that the validator reports where a subschema is
/// as a JSON pointer. All references are local.
fn without_id(document: &Value) -> Value {
    let mut document = document.clone();
    if let Some(keywords) = document.as_object_mut() {
        keywords.retain(|keyword, _| keyword != "$id" && keyword != "id");
    }
    document
}
