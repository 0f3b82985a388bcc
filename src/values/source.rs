//! Where values are from: a file, or a single value of the command line.

use std::fmt;
use std::path::PathBuf;

use serde_json::Value;

use super::{Error, KeyPath, file};

/// One layer of values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// A file of TOML, YAML or JSON, as its name ends.
    File(PathBuf),
    /// `--set KEY=VALUE`, where the value is JSON, else text.
    Set {
        /// The key.
        key: KeyPath,
        /// The text behind `=`.
        text: String,
    },
    /// `--set-file KEY=FILE`: the file's text.
    SetFile {
        /// The key.
        key: KeyPath,
        /// The file.
        path: PathBuf,
    },
}

impl Source {
    pub(super) fn read(&self) -> Result<Value, Error> {
        match self {
            Self::File(path) => file::read(path),
            Self::Set { key, text } => {
                let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()));
                Ok(key.table(value))
            }
            Self::SetFile { key, path } => Ok(key.table(Value::String(file::text(path)?))),
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
