//! What is wrong with values, and where each is from.

use std::fmt;
use std::path::PathBuf;

use super::{KeyPath, Source};
use crate::fs;

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
    /// A file that is not what its name says.
    #[error("cannot understand `{}`: {message}", .path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line where that is known.
        message: String,
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
    /// Who set it; nobody when it is missing or a default.
    pub source: Option<Source>,
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
            Self::Several(errors) => return errors.iter().find_map(Self::hint),
            Self::TooLarge { .. } | Self::Syntax { .. } | Self::NotText(_) => "mend the file".into(),
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
        self.source.as_ref().map_or(Ok(()), |source| write!(f, " (from {source})"))
    }
}

fn list<T: fmt::Display>(all: &[T]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
