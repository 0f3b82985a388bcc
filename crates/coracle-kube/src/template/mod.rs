//! Templates: text with placeholders for values, rendered byte for byte.
//!
//! An undefined name is an error. Templates have no access to clock, environment, network or
//! randomness, and only to files below their own directory. Does not depend on schemas or images.

mod engine;
mod error;
mod file_format;
mod filters;
mod foreign_syntax;
mod jsonc;
mod key_expression;
mod line_formats;
mod nesting;
mod template_source;
mod unclosed_parts;

use std::collections::BTreeMap;

use crate::values::KeyPath;
use serde_json::Value;

pub use engine::RenderedText;
pub use error::{SyntaxError, TemplateError};
pub use file_format::{FileFormat, FormatChoice, ParseFormatError};
pub use template_source::{Delimiters, TemplateSource, TemplateSyntax, UsedKeys};

impl TemplateSource {
    /// Renders the template with `values`; reads its includes.
    ///
    /// # Errors
    /// Fails if the syntax is invalid, a name is undefined or a limit is exceeded.
    pub fn render(&self, values: &Value) -> Result<RenderedText, TemplateError> {
        engine::render_template(self, template_source::read_includes(self), values)
    }

    /// Returns the keys whose values may be in the output.
    ///
    /// # Errors
    /// Fails if the syntax is invalid.
    pub fn used_keys(&self) -> Result<UsedKeys, TemplateError> {
        engine::find_used_keys(self, template_source::read_includes(self))
    }

    /// Renders the template with `values` and these includes, from name to text.
    ///
    /// # Errors
    /// Fails like [`Self::render`].
    pub fn render_with(
        &self,
        includes: &BTreeMap<String, String>,
        values: &Value,
    ) -> Result<RenderedText, TemplateError> {
        engine::render_template(self, template_source::from_texts(includes), values)
    }

    /// Returns the keys whose values may be in the output of [`Self::render_with`].
    ///
    /// # Errors
    /// Fails if the syntax is invalid.
    pub fn used_keys_with(&self, includes: &BTreeMap<String, String>) -> Result<UsedKeys, TemplateError> {
        engine::find_used_keys(self, template_source::from_texts(includes))
    }

    /// Returns all templates that are included, recursively, from name to text. Leaves out those
    /// that cannot be read: rendering reports them.
    pub fn read_includes(&self) -> BTreeMap<String, String> {
        let includes = template_source::read_includes(self).into_iter();
        includes.filter_map(|(name, text)| Some((name, text.ok()??))).collect()
    }
}

/// Returns the key of a value that an expression begins with; `None` for any other expression.
pub(crate) fn key_of_expression(expression: &str) -> Option<KeyPath> {
    let names = key_expression::key_names(expression);
    (!names.is_empty()).then(|| KeyPath::new(&names))
}

#[cfg(test)]
mod tests;
