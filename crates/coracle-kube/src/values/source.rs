//! Sources of values: files, and single values from the command line.

use std::fmt;
use std::path::PathBuf;

use serde_json::Value;

use super::{KeyPath, ValuesError, parse, values_file};
use coracle_core::json;

/// The source of one layer of values.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub enum ValueSource {
    /// A TOML, YAML or JSON file, by its extension.
    File(PathBuf),
    /// `--set KEY=VALUE`. The value is JSON if it parses as JSON, else a string.
    Set {
        /// The key.
        key: KeyPath,
        /// The text after `=`.
        text: String,
    },
    /// `--set-file KEY=FILE`. The value is the file's text.
    SetFile {
        /// The key.
        key: KeyPath,
        /// The file.
        path: PathBuf,
    },
}

/// The origin of a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ValueOrigin {
    /// Given by the user.
    Source(ValueSource),
    /// A default of this schema.
    Default(PathBuf),
}

impl ValueSource {
    pub(super) fn read(&self) -> Result<Value, ValuesError> {
        match self {
            Self::File(path) => values_file::read_values(path),
            Self::Set { key, text } => self.parse_set_value(key, text),
            Self::SetFile { key, path } => Ok(key.nest(Value::String(values_file::read_text(path)?))),
        }
    }

    /// Parses JSON; any other text is a string. Fails for JSON with a duplicate key.
    fn parse_set_value(&self, key: &KeyPath, text: &str) -> Result<Value, ValuesError> {
        match parse::parse_json(text) {
            Ok(read) => ValuesError::combine(read.errors(self)).map_or_else(|| Ok(key.nest(read.value)), Err),
            Err(error) if error.is_data() => {
                Err(ValuesError::InvalidSyntax { origin: self.clone(), message: json::error_message(&error) })
            }
            Err(_) => Ok(key.nest(Value::String(text.to_owned()))),
        }
    }
}

impl fmt::Display for ValueSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Set { key, .. } => write!(f, "--set {key}"),
            Self::SetFile { key, .. } => write!(f, "--set-file {key}"),
        }
    }
}

impl fmt::Display for ValueOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(source) => source.fmt(f),
            Self::Default(schema) => write!(f, "the default in {}", schema.display()),
        }
    }
}
