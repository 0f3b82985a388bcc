//! Templates: text with values in it, byte for byte what it says.
//!
//! An undefined name is an error. There is no clock, no environment, no network and no randomness, and no file but those
//! below the template's own folder. It knows no schema and no image.

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

/// A template's text, and how it is written.
#[derive(Clone, Debug)]
pub struct Template {
    /// Its file, for messages; includes are looked for in its folder and below.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// What stands around values, blocks and comments.
    pub delimiters: Delimiters,
}

/// What stands around the parts of a template, start and end each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delimiters {
    /// `{{ }}`
    pub variable: (String, String),
    /// `{% %}`
    pub block: (String, String),
    /// `{# #}`
    pub comment: (String, String),
}

impl Default for Delimiters {
    fn default() -> Self {
        let pair = |start: &str, end: &str| (start.to_owned(), end.to_owned());
        Self { variable: pair("{{", "}}"), block: pair("{%", "%}"), comment: pair("{#", "#}") }
    }
}

impl Template {
    /// Renders it with `values`.
    ///
    /// # Errors
    /// When it is no template, a name in it is undefined, or it has no end; with file and line.
    pub fn render(&self, values: &Value) -> Result<Rendered, Error> {
        environment::render(self, includes::of(self), values)
    }

    /// The values that may be in what it makes, whatever they are.
    ///
    /// # Errors
    /// When it is no template.
    pub fn uses(&self) -> Result<Uses, Error> {
        environment::uses(self, includes::of(self))
    }

    /// Renders it with `values`, where `includes` are all that it can include.
    ///
    /// # Errors
    /// As [`Self::render`].
    pub fn render_with(
        &self,
        includes: &std::collections::BTreeMap<String, String>,
        values: &Value,
    ) -> Result<Rendered, Error> {
        environment::render(self, includes::given(includes), values)
    }

    /// The values that may be in what [`Self::render_with`] makes.
    ///
    /// # Errors
    /// When it is no template.
    pub fn uses_with(&self, includes: &std::collections::BTreeMap<String, String>) -> Result<Uses, Error> {
        environment::uses(self, includes::given(includes))
    }

    /// The templates that it includes, and what they include, by the names that it calls them.
    pub fn includes(&self) -> std::collections::BTreeMap<String, String> {
        let found = includes::of(self).into_iter();
        found.filter_map(|(name, text)| Some((name, text.ok()??))).collect()
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// What includes call it.
    fn name(&self) -> String {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned()
    }

    /// The file of this name, which an include has, or the template itself.
    fn file(&self, name: &str) -> String {
        self.folder().join(name).display().to_string()
    }
}

/// The values that a template may use, itself and what it included; a table stands for all that is in it.
pub type Uses = BTreeSet<KeyPath>;

#[cfg(test)]
mod tests;
