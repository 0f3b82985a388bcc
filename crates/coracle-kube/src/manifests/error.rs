//! What keeps an application from running on Kubernetes, all of it.

use std::path::PathBuf;

use coracle_core::path::ImagePath;

/// Why there are no manifests: everything that is wrong.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("\n"))]
pub struct Error(pub Vec<Problem>);

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// What, which and why.
    pub message: String,
    /// The next step.
    pub hint: String,
    /// What of a recipe it is about, where that is one word.
    pub about: Option<About>,
}

/// What a recipe says that can be wrong only together with everything else.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum About {
    /// A key of `[kubernetes]`.
    Key(&'static str),
    /// A mount, or the file of a variable.
    Mount(ImagePath),
    /// A file of patches, where it is.
    Patch(PathBuf),
}

impl Problem {
    pub(super) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), about: None }
    }

    /// The same about a key of `[kubernetes]`.
    pub(super) fn at_key(self, key: &'static str) -> Self {
        Self { about: Some(About::Key(key)), ..self }
    }

    /// The same about a mount, or the file of a variable.
    pub(super) fn at_mount(self, path: &ImagePath) -> Self {
        Self { about: Some(About::Mount(path.clone())), ..self }
    }
}
