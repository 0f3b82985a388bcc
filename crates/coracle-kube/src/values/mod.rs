//! Values of a configuration: files merged in order, single values on top, and a JSON Schema that they are held to.
//!
//! It knows no template and no image. Where each value is from is remembered, so that an error can point there.

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

/// Values with their origins.
#[derive(Clone, Debug)]
pub struct Values {
    /// The lowest first.
    layers: Vec<(Origin, Value)>,
    merged: Value,
}

impl Default for Values {
    fn default() -> Self {
        Self { layers: Vec::new(), merged: Value::Object(serde_json::Map::new()) }
    }
}

/// Whether all values are there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Completeness {
    Whole,
    /// All but secret ones.
    ButSecrets,
    /// More may come.
    Partial,
}

impl Values {
    /// The layers merged in order: later ones go first, tables are merged, everything else is replaced.
    ///
    /// # Errors
    /// When one of them can't be read, all of them at once.
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

    /// What a template sees: a table.
    pub fn merged(&self) -> &Value {
        &self.merged
    }

    /// Puts the schema's defaults below the values and holds them to it.
    ///
    /// # Errors
    /// Every violation, with the place that each value is from.
    pub fn held_to(self, schema: &Schema) -> Result<Self, Error> {
        self.held(schema, Completeness::Whole)
    }

    /// The same for whoever needs no secret value: those may be missing.
    ///
    /// # Errors
    /// As [`Values::held_to`].
    pub fn held_to_but_secrets(self, schema: &Schema) -> Result<Self, Error> {
        self.held(schema, Completeness::ButSecrets)
    }

    /// As [`Values::held_to`], but what is missing may come later.
    ///
    /// # Errors
    /// Every violation that is there whatever comes.
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

    /// The keys of `--set-file`.
    pub fn from_files(&self) -> Vec<KeyPath> {
        let key = |(origin, _): &(Origin, Value)| match origin {
            Origin::Given(Source::SetFile { key, .. }) => Some(key.clone()),
            Origin::Given(Source::File(_) | Source::Set { .. }) | Origin::Default(_) => None,
        };
        self.layers.iter().filter_map(key).collect()
    }

    /// Every text and number at one of `keys` or below, as text.
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

    /// Where what is at `path` is from, or the nearest table above it.
    fn origin_of(&self, path: &KeyPath) -> Option<&Origin> {
        let last = self.layers.iter().rev().find(|(_, layer)| path.find(layer).is_some());
        last.map(|(origin, _)| origin).or_else(|| self.origin_of(&path.parent()?))
    }
}

/// Puts `over` on top of `under`.
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
