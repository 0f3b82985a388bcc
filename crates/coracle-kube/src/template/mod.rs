//! Templates: text with placeholders for values, rendered byte for byte.
//!
//! An undefined name is an error. Templates have no access to clock, environment, network or
//! randomness, and only to files below their own directory. Does not depend on schemas or images.

mod engine;
mod error;
mod filters;
pub mod format;
mod includes;
mod rendered;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

pub use error::TemplateError;
pub use format::Format;
pub use rendered::RenderedText;

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
    /// Renders the template with `values`; reads its includes.
    ///
    /// # Errors
    /// Fails if the syntax is invalid, a name is undefined or a limit is exceeded.
    pub fn render(&self, values: &Value) -> Result<RenderedText, TemplateError> {
        engine::render_template(self, includes::read_includes(self), values)
    }

    /// Returns the keys whose values may be in the output.
    ///
    /// # Errors
    /// Fails if the syntax is invalid.
    pub fn used_keys(&self) -> Result<UsedKeys, TemplateError> {
        engine::find_used_keys(self, includes::read_includes(self))
    }

    /// Renders the template with `values` and these includes, from name to text.
    ///
    /// # Errors
    /// Fails like [`Self::render`].
    pub fn render_with(
        &self,
        includes: &std::collections::BTreeMap<String, String>,
        values: &Value,
    ) -> Result<RenderedText, TemplateError> {
        engine::render_template(self, includes::from_texts(includes), values)
    }

    /// Returns the keys whose values may be in the output of [`Self::render_with`].
    ///
    /// # Errors
    /// Fails if the syntax is invalid.
    pub fn used_keys_with(
        &self,
        includes: &std::collections::BTreeMap<String, String>,
    ) -> Result<UsedKeys, TemplateError> {
        engine::find_used_keys(self, includes::from_texts(includes))
    }

    /// Returns all templates that are included, recursively, from name to text.
    pub fn read_includes(&self) -> std::collections::BTreeMap<String, String> {
        let found = includes::read_includes(self).into_iter();
        found.filter_map(|(name, text)| Some((name, text.ok()??))).collect()
    }

    fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Returns the name by which includes refer to this template.
    fn file_name(&self) -> String {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned()
    }

    /// Returns the path of the template or include of this name.
    fn path_of(&self, name: &str) -> String {
        self.directory().join(name).display().to_string()
    }
}

/// The keys that a template and its includes may use; a table's key represents all of its contents.
pub type UsedKeys = BTreeSet<KeyPath>;

#[cfg(test)]
mod tests;
