//! Templates: text with placeholders for values, rendered byte for byte.
//!
//! An undefined name is an error. Templates have no access to clock, environment, network or
//! randomness, and only to files below their own directory. Does not depend on schemas or images.

mod environment;
mod error;
mod filters;
pub mod format;
mod includes;
mod rendered;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

pub use error::Error;
pub use format::Format;
pub use rendered::Rendered;

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
#[derive(Clone, PartialEq, Eq, Debug)]
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
    /// Renders the template with `values`; reads its includes.
    ///
    /// # Errors
    /// Fails if the syntax is invalid, a name is undefined or a limit is exceeded.
    pub fn render(&self, values: &Value) -> Result<Rendered, Error> {
        environment::render(self, includes::of(self), values)
    }

    /// Returns the keys whose values may be in the output.
    ///
    /// # Errors
    /// Fails if the syntax is invalid.
    pub fn uses(&self) -> Result<Uses, Error> {
        environment::uses(self, includes::of(self))
    }

    /// Renders the template with `values` and these includes, from name to text.
    ///
    /// # Errors
    /// Fails like [`Self::render`].
    pub fn render_with(
        &self,
        includes: &std::collections::BTreeMap<String, String>,
        values: &Value,
    ) -> Result<Rendered, Error> {
        environment::render(self, includes::given(includes), values)
    }

    /// Returns the keys whose values may be in the output of [`Self::render_with`].
    ///
    /// # Errors
    /// Fails if the syntax is invalid.
    pub fn uses_with(&self, includes: &std::collections::BTreeMap<String, String>) -> Result<Uses, Error> {
        environment::uses(self, includes::given(includes))
    }

    /// Returns all templates that are included, recursively, from name to text.
    pub fn includes(&self) -> std::collections::BTreeMap<String, String> {
        let found = includes::of(self).into_iter();
        found.filter_map(|(name, text)| Some((name, text.ok()??))).collect()
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Returns the name by which includes refer to this template.
    fn name(&self) -> String {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned()
    }

    /// Returns the path of the template or include of this name.
    fn file(&self, name: &str) -> String {
        self.folder().join(name).display().to_string()
    }
}

/// The keys that a template and its includes may use; a table's key represents all of its contents.
pub type Uses = BTreeSet<KeyPath>;

#[cfg(test)]
mod tests;
