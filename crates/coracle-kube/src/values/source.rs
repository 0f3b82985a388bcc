//! Sources of values: files, and single values from the command line.

use std::fmt;
use std::path::PathBuf;

use serde_json::Value;

use super::{Error, KeyPath, file, written};
use coracle_core::json;

/// The source of one layer of values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
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
pub enum Origin {
    /// Given by the user.
    Given(Source),
    /// A default of this schema.
    Default(PathBuf),
}

impl Source {
    pub(super) fn read(&self) -> Result<Value, Error> {
        match self {
            Self::File(path) => file::read(path),
            Self::Set { key, text } => self.json(key, text),
            Self::SetFile { key, path } => Ok(key.table(Value::String(file::text(path)?))),
        }
    }

    /// Parses JSON; any other text is a string. Fails for JSON with a duplicate key.
    fn json(&self, key: &KeyPath, text: &str) -> Result<Value, Error> {
        match written::json(text) {
            Ok(read) => Error::all(read.errors(self)).map_or_else(|| Ok(key.table(read.value)), Err),
            Err(error) if error.is_data() => {
                Err(Error::Syntax { origin: self.clone(), message: json::message(&error) })
            }
            Err(_) => Ok(key.table(Value::String(text.to_owned()))),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Set { key, .. } => write!(f, "--set {key}"),
            Self::SetFile { key, .. } => write!(f, "--set-file {key}"),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(source) => source.fmt(f),
            Self::Default(schema) => write!(f, "the default in {}", schema.display()),
        }
    }
}
