//! Problems of a configuration and its manifests, each with advice and a location in the recipe.

use std::path::PathBuf;

use coracle_core::path::ImagePath;

/// One problem. Callers collect all problems and report them together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LocatedProblem {
    /// The message.
    pub message: String,
    /// Advice on how to fix it.
    pub hint: String,
    /// The part of the recipe with the problem; `None` if it is in another file, or in several
    /// parts.
    pub location: Option<RecipePart>,
}

/// A part of the recipe that a problem is reported at.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum RecipePart {
    /// A key of `[kubernetes]`.
    Key(&'static str),
    /// A mount, or the file of a variable.
    Mount(ImagePath),
    /// A patch file.
    Patch(PathBuf),
}

/// Every problem that prevents manifests.
#[derive(Debug, thiserror::Error)]
#[error("{}", join_messages(.0))]
pub struct ManifestsError(pub Vec<LocatedProblem>);

impl LocatedProblem {
    /// Returns a problem without a location.
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), location: None }
    }

    /// Locates the problem at a key of `[kubernetes]`.
    pub(crate) fn at_key(self, key: &'static str) -> Self {
        Self { location: Some(RecipePart::Key(key)), ..self }
    }

    /// Locates the problem at a mount, or the file of a variable.
    pub(crate) fn at_mount(self, path: &ImagePath) -> Self {
        Self { location: Some(RecipePart::Mount(path.clone())), ..self }
    }

    /// Locates the problem at a patch file.
    pub(crate) fn at_patch(self, path: PathBuf) -> Self {
        Self { location: Some(RecipePart::Patch(path)), ..self }
    }

    /// The problem of a variable whose file is in no mount.
    pub(crate) fn variable_without_file(name: &str, file: &ImagePath) -> Self {
        Self::new(
            format!("the variable `{name}` refers to `{file}`, which is not a file of any mount"),
            "write the path of a mount and a key, for example `from = \"/etc/app/log-level\"`",
        )
    }

    /// The problem of a variable with a secret file, unless the recipe allows it.
    pub(crate) fn variable_with_secret(name: &str, file: &ImagePath) -> Self {
        Self::new(
            format!("the variable `{name}` would contain `{file}`, which is secret"),
            "let the program read the file: child processes and crash reports expose variables; if it cannot, write \
             `secret-in-environment = true`",
        )
    }
}

/// Joins the messages of problems, one per line.
pub(crate) fn join_messages(problems: &[LocatedProblem]) -> String {
    problems.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("\n")
}
