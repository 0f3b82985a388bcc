//! File formats by file name, and their validation.

use std::fmt;

use super::error::SyntaxError;
use super::line_formats;
use crate::yaml;
use coracle_core::json;

/// A file format that rendered files are checked against.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// `.toml`
    Toml,
    /// `.yaml`, `.yml`
    Yaml,
    /// `.json`
    Json,
    /// `.ini`: sections and `name = value`.
    Ini,
    /// `.properties`: Java properties.
    Properties,
    /// `.env`: `NAME=value` in shell syntax.
    Env,
}

impl Format {
    /// Returns the format for a file name; `None` if the extension is unknown.
    pub fn from_file_name(name: &str) -> Option<Self> {
        let extension = name.rsplit_once('.').map(|(_, extension)| extension)?;
        Some(match extension.to_ascii_lowercase().as_str() {
            "toml" => Self::Toml,
            "yaml" | "yml" => Self::Yaml,
            "json" => Self::Json,
            "ini" => Self::Ini,
            "properties" => Self::Properties,
            "env" => Self::Env,
            _ => return None,
        })
    }

    /// Returns the format's name in a contract, which is also the file extension.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Toml => "toml",
            Self::Yaml => "yaml",
            Self::Json => "json",
            Self::Ini => "ini",
            Self::Properties => "properties",
            Self::Env => "env",
        }
    }

    /// Checks that `text` is valid in this format.
    ///
    /// # Errors
    /// Fails with the first syntax error.
    pub fn validate(self, text: &str) -> Result<(), SyntaxError> {
        match self {
            Self::Toml => toml::from_str::<toml::Table>(text).map(drop).map_err(|error| SyntaxError {
                message: error.message().to_owned(),
                offset: error.span().map_or(0, |span| span.start),
            }),
            Self::Json => json::read_strict(text, |_| ()).map(drop).map_err(|error| SyntaxError {
                offset: byte_offset(text, error.line(), error.column()),
                message: json::message_without_position(&error),
            }),
            Self::Yaml => yaml::parse_documents(text).map(drop).map_err(|error| SyntaxError {
                offset: byte_offset(text, error.line, error.column),
                message: error.message,
            }),
            Self::Ini => line_formats::validate_ini(text),
            Self::Properties => line_formats::validate_properties(text),
            Self::Env => line_formats::validate_env(text),
        }
    }
}

/// Returns the byte offset of a line and a column, both from 1.
fn byte_offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    (start + column.saturating_sub(1)).min(text.len())
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Toml => "TOML",
            Self::Yaml => "YAML",
            Self::Json => "JSON",
            Self::Ini => "INI",
            Self::Properties => "Java properties",
            Self::Env => "environment file",
        })
    }
}
