//! What keeps an application from running on Kubernetes, all of it.

use crate::config::Problem;
use crate::fs;

/// Why there are no manifests.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A patch can't be read.
    #[error(transparent)]
    Io(#[from] fs::Error),
    /// Everything that is wrong.
    #[error("{}", .0.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("\n"))]
    Problems(Vec<Problem>),
}

impl Error {
    /// The next steps, each once.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io(error) => error.hint(),
            Self::Problems(problems) => {
                let mut hints: Vec<&str> = Vec::new();
                for problem in problems {
                    if !problem.hint.is_empty() && !hints.contains(&problem.hint.as_str()) {
                        hints.push(&problem.hint);
                    }
                }
                (!hints.is_empty()).then(|| hints.join("\n"))
            }
        }
    }
}
