//! Configuration values: files and single values merged in order, and validated by a JSON Schema.
//!
//! Every value keeps its origin for error messages. Does not depend on templates or images.

mod error;
mod file;
mod parameters;
mod path;
mod schema;
mod source;
mod walk;
mod written;

use serde_json::Value;

pub use error::{Error, Violation};
pub use parameters::Parameter;
pub use path::KeyPath;
pub use schema::Schema;
pub use source::{Origin, Source};
pub(crate) use written::altered_numbers;

/// Merged values with their origins.
#[derive(Clone, Debug)]
pub struct Values {
    /// In merge order: later layers override earlier ones.
    layers: Vec<(Origin, Value)>,
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
    Whole,
    /// Only secret ones.
    ButSecrets,
    /// Any: more values may be given later.
    Partial,
}

impl Values {
    /// Reads and merges the sources in order. Tables are merged; any other value replaces the
    /// earlier one.
    ///
    /// # Errors
    /// Fails if a source cannot be read; reports every such source.
    pub fn read(sources: &[Source]) -> Result<Self, Error> {
        let mut values = Self::default();
        let mut errors = Vec::new();
        for source in sources {
            match source.read() {
                Ok(layer) => values.add(source.clone(), layer),
                Err(error) => errors.push(error),
            }
        }
        Error::all(errors).map_or(Ok(values), Err)
    }

    fn add(&mut self, source: Source, layer: Value) {
        merge(&mut self.merged, layer.clone());
        self.layers.push((Origin::Given(source), layer));
    }

    /// Returns the merged values, a table, as templates see them.
    pub fn merged(&self) -> &Value {
        &self.merged
    }

    /// Adds the schema's defaults as the lowest layer and validates the result.
    ///
    /// # Errors
    /// Fails if the values violate the schema; reports every violation with the value's origin.
    pub fn held_to(self, schema: &Schema) -> Result<Self, Error> {
        self.held(schema, Completeness::Whole)
    }

    /// Like [`Values::held_to`], but required secret values may be missing.
    ///
    /// # Errors
    /// Fails like [`Values::held_to`].
    pub fn held_to_but_secrets(self, schema: &Schema) -> Result<Self, Error> {
        self.held(schema, Completeness::ButSecrets)
    }

    /// Like [`Values::held_to`], but any required value may be missing.
    ///
    /// # Errors
    /// Fails if there are violations that no further value can fix.
    pub fn held_as_far_as_known(self, schema: &Schema) -> Result<Self, Error> {
        self.held(schema, Completeness::Partial)
    }

    fn held(self, schema: &Schema, completeness: Completeness) -> Result<Self, Error> {
        let values = self.with_defaults(schema);
        let violations = schema.violations(&values, completeness);
        if violations.is_empty() { Ok(values) } else { Err(Error::Violations(violations)) }
    }

    fn with_defaults(mut self, schema: &Schema) -> Self {
        let mut merged = schema.defaults();
        self.layers.insert(0, (Origin::Default(schema.path().to_owned()), merged.clone()));
        merge(&mut merged, std::mem::take(&mut self.merged));
        self.merged = merged;
        self
    }

    /// Returns the keys given by `--set-file`.
    pub fn from_files(&self) -> Vec<KeyPath> {
        let key = |(origin, _): &(Origin, Value)| match origin {
            Origin::Given(Source::SetFile { key, .. }) => Some(key.clone()),
            Origin::Given(Source::File(_) | Source::Set { .. }) | Origin::Default(_) => None,
        };
        self.layers.iter().filter_map(key).collect()
    }

    /// Returns every string and number at or below one of `keys`, as text with that key.
    pub fn texts_at(&self, keys: &[KeyPath]) -> Vec<(KeyPath, Vec<u8>)> {
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
    fn origin_of(&self, path: &KeyPath) -> Option<&Origin> {
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
