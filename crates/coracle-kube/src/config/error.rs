//! Errors of a configuration; all problems are reported together.

use coracle_core::hint::Hint;

use crate::located_problem::{LocatedProblem, join_messages};
use crate::template::TemplateError;
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
