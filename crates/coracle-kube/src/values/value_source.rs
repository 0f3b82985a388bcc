//! Sources of values: files, and single values from the command line.

use std::fmt;
use std::path::PathBuf;

use super::key_path::KeyPath;

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
