//! Errors of values and schemas, with the source of each value.

use std::fmt;
use std::path::PathBuf;

use super::key_path::KeyPath;
use super::merged_values::{ValueOrigin, ValueSource};
use coracle_core::fs;
use coracle_core::hint::Hint;

/// Why values or their schema cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ValuesError {
    /// A file cannot be read.
    #[error(transparent)]
    Io(#[from] fs::Error),
    /// A file that is too large.
    #[error("the values file `{}` is larger than {limit} bytes", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The largest size in bytes.
        limit: u64,
    },
    /// A file that is not UTF-8.
    #[error("`{}` is not UTF-8", .0.display())]
    NotUtf8(PathBuf),
    /// A file whose extension names no supported format.
    #[error("cannot tell the format of `{}` from its name", .0.display())]
    UnknownFormat(PathBuf),
    /// A file that is not valid in its format, or an argument that is JSON with a duplicate key.
    #[error("cannot parse `{origin}`: {message}")]
    InvalidSyntax {
        /// The file or argument.
        origin: ValueSource,
        /// The reason, with the line if it is known.
        message: String,
    },
    /// A number whose text would change when it is rendered. The number may be secret, so it is
    /// not shown.
    #[error("`{key}`: the number would change when it is rendered, because it is not in canonical form (from {origin}{})", line_suffix(*.line))]
    NonCanonicalNumber {
        /// The key of the number.
        key: KeyPath,
        /// The file or argument.
        origin: ValueSource,
        /// The line, from 1; `None` for an argument.
        line: Option<usize>,
    },
    /// A word that is a boolean in YAML 1.1 and text in YAML 1.2. The
    /// word may be secret, so it is not shown.
    #[error("`{key}`: the unquoted word is a boolean for some programs and text for others (from {origin}{})", line_suffix(*.line))]
    AmbiguousBoolean {
        /// The key of the word.
        key: KeyPath,
        /// The file or argument.
        origin: ValueSource,
        /// The line, from 1; `None` for an argument.
        line: Option<usize>,
    },
    /// An invalid or unsupported schema.
    #[error("`{}` is not a valid JSON Schema: {message}", .path.display())]
    InvalidSchema {
        /// The file.
        path: PathBuf,
        /// The reason.
        message: String,
    },
    /// Every value that violates the schema.
    #[error("{}", join_lines(.0))]
    Violations(Vec<SchemaViolation>),
    /// Several errors.
    #[error("{}", join_lines(.0))]
    Multiple(Vec<ValuesError>),
}

/// A value that violates the schema.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SchemaViolation {
    /// The key of the value.
    pub key: KeyPath,
    /// The source of the value. If the value is missing, the source of the nearest table that contains its key.
    pub origin: Option<ValueOrigin>,
    /// The reason, without the value of a secret.
    pub message: String,
}

impl ValuesError {
    /// Combines errors into one; `None` if there are none.
    pub(super) fn combine(mut errors: Vec<Self>) -> Option<Self> {
        if errors.len() > 1 { Some(Self::Multiple(errors)) } else { errors.pop() }
    }
}

impl Hint for ValuesError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Io(error) => return error.hint(),
            Self::Multiple(errors) => {
                let hints: Vec<String> = errors.iter().filter_map(Self::hint).collect();
                let mut lines: Vec<&str> = hints.iter().flat_map(|hint| hint.lines()).collect();
                lines.sort_unstable();
                lines.dedup();
                lines.join("\n")
            }
            Self::InvalidSyntax { origin: ValueSource::Set { .. }, .. } => "write each key once".into(),
            Self::TooLarge { .. } | Self::InvalidSyntax { .. } | Self::NotUtf8(_) => "fix the file".into(),
            Self::NonCanonicalNumber { key, origin: ValueSource::Set { .. }, .. } => {
                format!("{NUMBER_HINT}\nquote it if it is text: `--set '{key}=\"1.10\"'`")
            }
            Self::NonCanonicalNumber { .. } => {
                format!(
                    "{NUMBER_HINT}\nquote it if it is text, such as a version `\"1.10\"` or a mode `\"0644\"`"
                )
            }
            Self::AmbiguousBoolean { key, origin: ValueSource::Set { .. }, .. } => {
                format!("{BOOLEAN_HINT}\nquote it if it is text: `--set '{key}=\"no\"'`")
            }
            Self::AmbiguousBoolean { .. } => format!("{BOOLEAN_HINT}\nquote it if it is text: `\"no\"`"),
            Self::UnknownFormat(_) => "name it `.toml`, `.yaml` or `.json`".into(),
            Self::InvalidSchema { .. } => "fix the schema; see https://json-schema.org for the format".into(),
            Self::Violations(_) => "change the values to match the schema, or fix the schema".into(),
        })
    }
}

impl fmt::Display for SchemaViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.key.to_string();
        let key = if key.is_empty() { "the top-level table".into() } else { format!("`{key}`") };
        write!(f, "{key}: {}", self.message)?;
        self.origin.as_ref().map_or(Ok(()), |origin| write!(f, " (from {origin})"))
    }
}

/// The unambiguous form of booleans.
const BOOLEAN_HINT: &str = "write a boolean as `true` or `false`, for `yes`, `on`, `y`, `no`, `off` and `n`";
/// The canonical form of numbers.
const NUMBER_HINT: &str =
    "write a number in decimal: `420` for 0644, `1.5` for 1.50, `1000` for 1_000 or 1e3";

fn line_suffix(line: Option<usize>) -> String {
    line.map(|line| format!(", line {line}")).unwrap_or_default()
}

fn join_lines<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
