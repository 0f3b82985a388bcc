//! Configuration values: files and single values merged in order, and validated by a JSON Schema.
//!
//! Every value keeps its origin for error messages. Does not depend on templates or images.

mod error;
mod key_path;
mod parameters;
mod parse;
mod schema;
mod schema_walk;
mod source;
mod values_file;

use serde_json::Value;

pub use error::{ValuesError, Violation};
pub use key_path::KeyPath;
pub use parameters::SchemaParameter;
pub(crate) use parse::find_non_canonical_numbers;
pub use schema::Schema;
pub use source::{ValueOrigin, ValueSource};

/// Merged values with their origins.
#[derive(Clone, Debug)]
pub struct Values {
    /// In merge order: later layers override earlier ones.
    layers: Vec<(ValueOrigin, Value)>,
    merged: Value,
}

impl Default for Values {
    fn default() -> Self {
        Self { layers: Vec::new(), merged: Value::Object(serde_json::Map::new()) }
    }
}

/// Which required values may be missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Completeness {
    Complete,
    /// Only secret ones.
    SecretsOptional,
    /// Any: more values may be given later.
    Partial,
}

impl Values {
    /// Reads and merges the sources in order. Tables are merged; any other value replaces the
    /// earlier one.
    ///
    /// # Errors
    /// Fails if a source cannot be read; reports every such source.
    pub fn read(sources: &[ValueSource]) -> Result<Self, ValuesError> {
        let mut values = Self::default();
        let mut errors = Vec::new();
        for source in sources {
            match source.read() {
                Ok(layer) => values.add_layer(source.clone(), layer),
                Err(error) => errors.push(error),
            }
        }
        ValuesError::combine(errors).map_or(Ok(values), Err)
    }

    fn add_layer(&mut self, source: ValueSource, layer: Value) {
        merge(&mut self.merged, layer.clone());
        self.layers.push((ValueOrigin::Source(source), layer));
    }

    /// Returns the merged values, a table, as templates see them.
    pub fn merged(&self) -> &Value {
        &self.merged
    }

    /// Adds the schema's defaults as the lowest layer and validates the result.
    ///
    /// # Errors
    /// Fails if the values violate the schema; reports every violation with the value's origin.
    pub fn validate(self, schema: &Schema) -> Result<Self, ValuesError> {
        self.validate_with(schema, Completeness::Complete)
    }

    /// Like [`Values::held_to`], but required secret values may be missing.
    ///
    /// # Errors
    /// Fails like [`Values::held_to`].
    pub fn validate_without_secrets(self, schema: &Schema) -> Result<Self, ValuesError> {
        self.validate_with(schema, Completeness::SecretsOptional)
    }

    /// Like [`Values::held_to`], but any required value may be missing.
    ///
    /// # Errors
    /// Fails if there are violations that no further value can fix.
    pub fn validate_partial(self, schema: &Schema) -> Result<Self, ValuesError> {
        self.validate_with(schema, Completeness::Partial)
    }

    fn validate_with(self, schema: &Schema, completeness: Completeness) -> Result<Self, ValuesError> {
        let values = self.with_defaults(schema);
        let violations = schema.violations(&values, completeness);
        if violations.is_empty() { Ok(values) } else { Err(ValuesError::Violations(violations)) }
    }

    fn with_defaults(mut self, schema: &Schema) -> Self {
        let mut merged = schema.defaults();
        self.layers.insert(0, (ValueOrigin::Default(schema.path().to_owned()), merged.clone()));
        merge(&mut merged, std::mem::take(&mut self.merged));
        self.merged = merged;
        self
    }

    /// Returns the keys given by `--set-file`.
    pub fn set_file_keys(&self) -> Vec<KeyPath> {
        let key = |(origin, _): &(ValueOrigin, Value)| match origin {
            ValueOrigin::Source(ValueSource::SetFile { key, .. }) => Some(key.clone()),
            ValueOrigin::Source(ValueSource::File(_) | ValueSource::Set { .. }) | ValueOrigin::Default(_) => {
                None
            }
        };
        self.layers.iter().filter_map(key).collect()
    }

    /// Returns every string and number at or below one of `keys`, as text with that key.
    pub fn scalars_at(&self, keys: &[KeyPath]) -> Vec<(KeyPath, Vec<u8>)> {
        let mut texts = Vec::new();
        for key in keys {
            let mut pending: Vec<&Value> = key.find(&self.merged).into_iter().collect();
            while let Some(value) = pending.pop() {
                match value {
                    Value::Null | Value::Bool(_) => {}
                    Value::Number(number) => texts.push((key.clone(), number.to_string().into_bytes())),
                    Value::String(text) => texts.push((key.clone(), text.clone().into_bytes())),
                    Value::Array(items) => pending.extend(items),
                    Value::Object(table) => pending.extend(table.values()),
                }
            }
        }
        texts
    }

    /// Returns the origin of the value at `path`, or of the nearest table above it.
    fn origin_of(&self, path: &KeyPath) -> Option<&ValueOrigin> {
        let last = self.layers.iter().rev().find(|(_, layer)| path.find(layer).is_some());
        last.map(|(origin, _)| origin).or_else(|| self.origin_of(&path.parent()?))
    }
}

/// Merges `over` into `under`; `over` wins.
fn merge(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                merge(under.entry(key).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}

#[cfg(test)]
mod tests;
