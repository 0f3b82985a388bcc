//! Errors of a configuration; all problems are reported together.

use std::io;
use std::path::Path;

use coracle_core::hint::Hint;

use crate::problem::{LocatedProblem, join_messages};
use crate::template::{Format, TemplateError};
use crate::values;

/// Why a configuration cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Invalid values or an invalid schema.
    #[error(transparent)]
    Values(#[from] values::ValuesError),
    /// Every problem with files, keys and mounts.
    #[error("{}", join_messages(.0))]
    Problems(Vec<LocatedProblem>),
}

impl Hint for ConfigError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Values(error) => error.hint(),
            Self::Problems(problems) => {
                let mut hints: Vec<&str> = problems.iter().map(|problem| problem.hint.as_str()).collect();
                hints.sort_unstable();
                hints.dedup();
                Some(hints.join("\n"))
            }
        }
    }
}

impl From<TemplateError> for LocatedProblem {
    fn from(error: TemplateError) -> Self {
        Self::new(error.to_string(), error.hint().unwrap_or_default())
    }
}

pub(super) fn cannot_read(path: &Path, error: &io::Error) -> LocatedProblem {
    LocatedProblem::new(
        format!("cannot read `{}`: {error}", path.display()),
        "check the spelling and the permissions",
    )
}

pub(super) fn template_not_utf8(path: &Path) -> LocatedProblem {
    LocatedProblem::new(
        format!("the template `{}` is not UTF-8", path.display()),
        "to copy the file unchanged, remove `.j2` from its name or write `verbatim = true`",
    )
}

pub(super) fn invalid_rendered_file(
    format: Format,
    message: &str,
    file: &str,
    line: usize,
) -> LocatedProblem {
    LocatedProblem::new(
        format!("the rendered file is not valid {format}: {message}\n   --> {file}:{line}"),
        "fix the template there; filters such as `|toml` print a value with quotes",
    )
}

pub(super) fn invalid_verbatim_file(
    format: Format,
    message: &str,
    path: &Path,
    line: usize,
) -> LocatedProblem {
    LocatedProblem::new(
        format!("`{}` is not valid {format}: {message}\n   --> {}:{line}", path.display(), path.display()),
        "fix the file, or use `key` to give it a name with another extension",
    )
}

pub(super) fn verbatim_file_not_utf8(format: Format, path: &Path) -> LocatedProblem {
    LocatedProblem::new(
        format!("`{}` is not UTF-8, so it is not valid {format}", path.display()),
        "fix the file, or use `key` to give it a name with another extension",
    )
}
