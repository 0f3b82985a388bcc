//! Errors about implicit dependencies.

use crate::closure;
use crate::elf;
use coracle_core::fs;
use coracle_core::hint::Hint;

/// Why the implicit dependencies of a program can't be provided.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Requested things that were not found, all of them.
    #[error("{}", join_messages(.0))]
    Unmet(Vec<UnmetRequest>),
    /// A library can't be resolved.
    #[error(transparent)]
    Closure(#[from] closure::Error),
    /// An ELF file is damaged.
    #[error(transparent)]
    Elf(#[from] elf::Error),
    /// A file can't be read.
    #[error(transparent)]
    Io(#[from] fs::Error),
    /// A broken invariant of this crate.
    #[error("internal error: {0}; please report it")]
    Internal(&'static str),
}

/// Something that was requested but not found or not usable.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct UnmetRequest {
    /// The message for the user.
    pub message: String,
    /// The next step.
    pub hint: String,
}

impl Hint for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Unmet(unmet) => {
                let mut hints: Vec<&str> =
                    unmet.iter().map(|unmet_request| unmet_request.hint.as_str()).collect();
                hints.dedup();
                Some(hints.join("\n"))
            }
            Self::Closure(error) => error.hint(),
            Self::Elf(_) | Self::Internal(_) => None,
            Self::Io(error) => error.hint(),
        }
    }
}

fn join_messages(unmet: &[UnmetRequest]) -> String {
    let messages: Vec<&str> = unmet.iter().map(|unmet_request| unmet_request.message.as_str()).collect();
    messages.join("\n")
}
