//! Errors of manifest generation; all problems are reported together.

use std::path::PathBuf;

use coracle_core::path::ImagePath;

/// Every problem that prevents manifests.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("\n"))]
pub struct ManifestsError(pub Vec<ManifestProblem>);

/// One problem.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ManifestProblem {
    /// The message.
    pub message: String,
    /// Advice on how to fix it.
    pub hint: String,
    /// The part of the recipe with the problem, if it is a single one.
    pub location: Option<RecipeLocation>,
}

/// A part of the recipe that a problem is reported at.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum RecipeLocation {
    /// A key of `[kubernetes]`.
    Key(&'static str),
    /// A mount, or the file of a variable.
    Mount(ImagePath),
    /// A patch file.
    Patch(PathBuf),
}

impl ManifestProblem {
    pub(super) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), location: None }
    }

    /// Locates the problem at a key of `[kubernetes]`.
    pub(super) fn at_key(self, key: &'static str) -> Self {
        Self { location: Some(RecipeLocation::Key(key)), ..self }
    }

    /// Locates the problem at a mount, or the file of a variable.
    pub(super) fn at_mount(self, path: &ImagePath) -> Self {
        Self { location: Some(RecipeLocation::Mount(path.clone())), ..self }
    }
}
