//! What is wrong with a configuration, all of it.

use std::io;
use std::path::Path;

use coracle_core::path::ImagePath;
use crate::template::{self, Format};
use crate::values;

/// Why a configuration can't be rendered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The values, or their schema.
    #[error(transparent)]
    Values(#[from] values::Error),
    /// Files, keys and mounts, everything that is wrong.
    #[error("{}", .0.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("\n"))]
    Problems(Vec<Problem>),
}

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// What, which and why.
    pub message: String,
    /// The next step.
    pub hint: String,
    /// The mount, or the file of a variable, that it is about; nothing for what is wrong with a file itself.
    pub about: Option<ImagePath>,
}

impl Problem {
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), about: None }
    }

    pub(super) fn about(path: &ImagePath, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { about: Some(path.clone()), ..Self::new(message, hint) }
    }

    pub(super) fn unreadable(path: &Path, error: &io::Error) -> Self {
        Self::new(
            format!("cannot read `{}`: {error}", path.display()),
            "check the spelling, and who may read it",
        )
    }

    pub(super) fn not_text(path: &Path) -> Self {
        Self::new(
            format!("`{}` is not UTF-8, so it is no template", path.display()),
            "take it as it is: leave `.j2` out of its name, or write `verbatim = true`",
        )
    }

    pub(super) fn broken(format: Format, message: &str, file: &str, line: usize) -> Self {
        Self::new(
            format!("what is rendered is no {format}: {message}\n   --> {file}:{line}"),
            "mend the template there; filters such as `|toml` write a value with its quotes",
        )
    }

    pub(super) fn mistaken(format: Format, message: &str, path: &Path, line: usize) -> Self {
        Self::new(
            format!("`{}` is no {format}: {message}\n   --> {}:{line}", path.display(), path.display()),
            "mend it, or give it a name that does not end like that with `key`",
        )
    }

    pub(super) fn not_written(format: Format, path: &Path) -> Self {
        Self::new(
            format!("`{}` is not UTF-8, so it is no {format}", path.display()),
            "mend it, or give it a name that does not end like that with `key`",
        )
    }
}

impl From<template::Error> for Problem {
    fn from(error: template::Error) -> Self {
        Self::new(error.to_string(), error.hint().unwrap_or_default())
    }
}

impl Error {
    /// The next steps, each once.
    pub fn hint(&self) -> Option<String> {
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
