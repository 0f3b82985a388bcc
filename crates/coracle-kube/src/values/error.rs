//! What is wrong with values, and where each is from.

use std::fmt;
use std::path::PathBuf;

use super::{KeyPath, Origin, Source};
use coracle_core::fs;

/// Why there are no values.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file can't be read.
    #[error(transparent)]
    Io(#[from] fs::Error),
    /// A file that is none of values.
    #[error("`{}` is larger than {limit} bytes, so it holds no values", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What one may have at most.
        limit: u64,
    },
    /// A file that is no text.
    #[error("`{}` is not UTF-8", .0.display())]
    NotText(PathBuf),
    /// A file of a kind that is not known.
    #[error("cannot tell what `{}` is written in", .0.display())]
    Unknown(PathBuf),
    /// A file that is not what its name says, or an argument that is JSON with a key twice.
    #[error("cannot understand `{origin}`: {message}")]
    Syntax {
        /// Where it stands.
        origin: Source,
        /// What is wrong, with the line where that is known.
        message: String,
    },
    /// A number that would come out otherwise than somebody wrote it. It is not shown: it may be secret.
    #[error("`{key}`: the number would not come out as it is written (from {origin}{})", on_line(*.line))]
    Number {
        /// Its key.
        key: KeyPath,
        /// Where it stands.
        origin: Source,
        /// From 1; an argument has one line.
        line: Option<usize>,
    },
    /// A schema that is none.
    #[error("`{}` is no JSON Schema: {message}", .path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// Values that the schema does not allow, all of them.
    #[error("{}", list(.0))]
    Violations(Vec<Violation>),
    /// Several files.
    #[error("{}", list(.0))]
    Several(Vec<Error>),
}

/// A value that the schema does not allow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Its key.
    pub key: KeyPath,
    /// Where it is from, or the nearest table above it when it is missing.
    pub origin: Option<Origin>,
    /// What is wrong with it, without the value of a secret.
    pub message: String,
}

impl Error {
    /// One error for many; nothing for none.
    pub(super) fn all(mut errors: Vec<Self>) -> Option<Self> {
        if errors.len() > 1 { Some(Self::Several(errors)) } else { errors.pop() }
    }

    /// The next step.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Io(error) => return error.hint(),
            Self::Several(errors) => {
                let hints: Vec<String> = errors.iter().filter_map(Self::hint).collect();
                let mut lines: Vec<&str> = hints.iter().flat_map(|hint| hint.lines()).collect();
                lines.sort_unstable();
                lines.dedup();
                lines.join("\n")
            }
            Self::Syntax { origin: Source::Set { .. }, .. } => "write each key once".into(),
            Self::TooLarge { .. } | Self::Syntax { .. } | Self::NotText(_) => "mend the file".into(),
            Self::Number { key, origin: Source::Set { .. }, .. } => {
                format!("{DECIMAL}\nput quotes around what is text: `--set '{key}=\"1.10\"'`")
            }
            Self::Number { .. } => {
                format!(
                    "{DECIMAL}\nput quotes around what is text, such as a version `\"1.10\"` or a mode `\"0644\"`"
                )
            }
            Self::Unknown(_) => "name it `.toml`, `.yaml` or `.json`".into(),
            Self::Schema { .. } => "mend the schema; json-schema.org tells how it is written".into(),
            Self::Violations(_) => "set the values as the schema says, or mend the schema".into(),
        })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.key.to_string();
        let key = if key.is_empty() { "the values".into() } else { format!("`{key}`") };
        write!(f, "{key}: {}", self.message)?;
        self.origin.as_ref().map_or(Ok(()), |origin| write!(f, " (from {origin})"))
    }
}

/// How a number comes out.
const DECIMAL: &str = "as a number write `420` for 0644, `1.5` for 1.50, `1000` for 1_000 or 1e3";

fn on_line(line: Option<usize>) -> String {
    line.map(|line| format!(", line {line}")).unwrap_or_default()
}

fn list<T: fmt::Display>(all: &[T]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
