//! The source of a template: its text, path and delimiters.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::values::KeyPath;

/// A template and its syntax.
#[derive(Clone, Debug)]
pub struct Template {
    /// The path, for messages; includes are read from its directory and below.
    pub path: PathBuf,
    /// The text of the template.
    pub text: String,
    /// The delimiters of values, blocks and comments.
    pub delimiters: Delimiters,
}

/// Delimiters of a template, each a start and an end.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct Delimiters {
    /// Around values: `{{ }}`.
    pub variable: (String, String),
    /// Around blocks: `{% %}`.
    pub block: (String, String),
    /// Around comments: `{# #}`.
    pub comment: (String, String),
}

impl Default for Delimiters {
    fn default() -> Self {
        let pair = |start: &str, end: &str| (start.to_owned(), end.to_owned());
        Self { variable: pair("{{", "}}"), block: pair("{%", "%}"), comment: pair("{#", "#}") }
    }
}

impl Template {
    pub(super) fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Returns the name by which includes refer to this template.
    pub(super) fn file_name(&self) -> String {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned()
    }

    /// Returns the path of the template or include of this name.
    pub(super) fn path_of(&self, name: &str) -> String {
        self.directory().join(name).display().to_string()
    }
}

/// The keys that a template and its includes may use; a table's key represents all of its contents.
pub type UsedKeys = BTreeSet<KeyPath>;
