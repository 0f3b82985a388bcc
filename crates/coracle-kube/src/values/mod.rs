//! Configuration values: files and single values merged in order, and validated by a JSON Schema.
//!
//! Every value keeps its origin for error messages. Does not depend on templates or images.

mod applied_schemas;
mod defaults;
mod error;
mod json_schema;
mod key_path;
mod merged_values;
mod parameters;
mod parse_values;
mod source_reader;
mod subschemas;
mod undeclared_keys;
mod violations;

pub use error::{SchemaViolation, ValuesError};
pub use json_schema::Schema;
pub use key_path::KeyPath;
pub(crate) use key_path::similar_key;
pub use merged_values::Values;
pub use merged_values::{ValueOrigin, ValueSource};
pub use parameters::SchemaParameter;
pub(crate) use parse_values::{Ambiguity, AmbiguousValue, find_ambiguous_values};

use violations::RequiredValues;

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
            match source_reader::read_value_source(source) {
                Ok(layer) => values.add_layer(source.clone(), layer),
                Err(error) => errors.push(error),
            }
        }
        ValuesError::combine(errors).map_or(Ok(values), Err)
    }

    /// Adds the schema's defaults and validates the result. A default applies where its key is
    /// missing in a table that is given.
    ///
    /// # Errors
    /// Fails if the values violate the schema; reports every violation with the value's origin.
    pub fn validate(self, schema: &Schema) -> Result<Self, ValuesError> {
        self.validate_with(schema, RequiredValues::All)
    }

    /// Like [`Values::validate`], but required secret values may be missing.
    ///
    /// # Errors
    /// Fails like [`Values::validate`].
    pub fn validate_without_secrets(self, schema: &Schema) -> Result<Self, ValuesError> {
        self.validate_with(schema, RequiredValues::NotSecret)
    }

    /// Like [`Values::validate`], but any required value may be missing.
    ///
    /// # Errors
    /// Fails if there are violations that no further value can fix.
    pub fn validate_partial(self, schema: &Schema) -> Result<Self, ValuesError> {
        self.validate_with(schema, RequiredValues::None)
    }

    fn validate_with(mut self, schema: &Schema, required: RequiredValues) -> Result<Self, ValuesError> {
        let filled = defaults::with_defaults(schema, self.merged());
        self.set_defaults(schema.path().to_owned(), filled);
        let violations = violations::find_violations(schema, &self, required);
        if violations.is_empty() { Ok(self) } else { Err(ValuesError::Violations(violations)) }
    }
}

#[cfg(test)]
mod tests;
