//! What was asked for and can't be had.

use crate::closure;
use crate::elf;
use coracle_core::fs;

/// Why the needs of a program can't be met.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Things that were asked for and are not there, all of them.
    #[error("{}", lines(.0))]
    Lacking(Vec<Lack>),
    /// Something can't be followed.
    #[error(transparent)]
    Closure(#[from] closure::Error),
    /// A library lies about itself.
    #[error(transparent)]
    Elf(#[from] elf::Error),
    /// Something could not be read.
    #[error(transparent)]
    Io(#[from] fs::Error),
}

/// Something that was asked for and is not there.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Lack {
    /// What, which and why.
    pub message: String,
    /// The next step.
    pub hint: String,
}

impl Error {
    /// The next step.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Lacking(lacks) => {
                let mut hints: Vec<&str> = lacks.iter().map(|lack| lack.hint.as_str()).collect();
                hints.dedup();
                Some(hints.join("\n"))
            }
            Self::Closure(error) => error.hint(),
            Self::Elf(_) => None,
            Self::Io(error) => error.hint(),
        }
    }
}

fn lines(lacks: &[Lack]) -> String {
    let messages: Vec<&str> = lacks.iter().map(|lack| lack.message.as_str()).collect();
    messages.join("\n")
}
