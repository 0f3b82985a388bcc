//! File formats by file name, and their validation.

use std::fmt;

use super::error::SyntaxError;
use crate::strict_json;
use crate::yaml;

/// A file format that rendered files are checked against.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileFormat {
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

impl FileFormat {
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
            Self::Json => strict_json::read_strict(text, |_| ()).map(drop).map_err(|error| SyntaxError {
                offset: byte_offset(text, error.line(), error.column()),
                message: strict_json::message_without_position(&error),
            }),
            Self::Yaml => yaml::parse_documents(text).map(drop).map_err(|error| SyntaxError {
                offset: byte_offset(text, error.line, error.column),
                message: error.message,
            }),
            Self::Ini => validate_ini(text),
            Self::Properties => validate_properties(text),
            Self::Env => validate_env(text),
        }
    }
}

/// Returns the byte offset of a line and a column, both from 1.
fn byte_offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    (start + column.saturating_sub(1)).min(text.len())
}

impl fmt::Display for FileFormat {
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

/// Checks INI: sections in brackets, `name = value` or `name: value`, comments after `;` or `#`. A
/// line that starts with a space or tab continues the value before it.
pub(super) fn validate_ini(text: &str) -> Result<(), SyntaxError> {
    let mut has_name = false;
    validate_lines(text, |line| {
        let is_continuation = line.starts_with([' ', '\t']) && has_name;
        let line = line.trim();
        if line.is_empty() || line.starts_with([';', '#']) || is_continuation {
            return Ok(());
        }
        if let Some(section) = line.strip_prefix('[') {
            has_name = false;
            let name = section.split_once(']').map(|(name, _)| name.trim());
            return if name.is_some_and(|name| !name.is_empty()) {
                Ok(())
            } else {
                Err("a section header has no name or no closing `]`")
            };
        }
        has_name = true;
        match line.split_once(['=', ':']) {
            Some((name, _)) if !name.trim().is_empty() => Ok(()),
            _ => Err("a line is neither a section nor `name = value`"),
        }
    })
}

/// Checks Java properties: any line is valid, except for invalid escapes.
pub(super) fn validate_properties(text: &str) -> Result<(), SyntaxError> {
    validate_lines(text, |line| {
        let mut rest = line;
        while let Some((_, escaped)) = rest.split_once('\\') {
            if let Some(code) = escaped.strip_prefix('u') {
                let is_code =
                    code.get(..4).is_some_and(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
                if !is_code {
                    return Err("`\\u` is not followed by four hexadecimal digits");
                }
            }
            rest = escaped.get(escaped.chars().next().map_or(0, char::len_utf8)..).unwrap_or_default();
        }
        Ok(())
    })
}

/// Checks `NAME=value` or `export NAME=value`; quotes may span lines.
pub(super) fn validate_env(text: &str) -> Result<(), SyntaxError> {
    let mut open: Option<char> = None;
    let result = validate_lines(text, |line| {
        if open.is_none() {
            let line = line.trim_start();
            if line.is_empty() || line.starts_with('#') {
                return Ok(());
            }
            let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
            let name = line.split_once('=').map(|(name, _)| name);
            let is_name = |name: &str| {
                name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                    && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            };
            if !name.is_some_and(is_name) {
                return Err("a line is not `NAME=value`");
            }
        }
        let mut escaped = false;
        for c in line.chars() {
            match (open, c) {
                _ if escaped => escaped = false,
                (Some('"') | None, '\\') => escaped = true,
                (Some(quote), c) if c == quote => open = None,
                (None, '"' | '\'') => open = Some(c),
                _ => {}
            }
        }
        Ok(())
    });
    result?;
    match open {
        Some(_) => Err(SyntaxError { message: "a quote is not closed".into(), offset: text.len() }),
        None => Ok(()),
    }
}

/// Calls `validate_line` with each line; adds the line's offset to an error.
fn validate_lines(
    text: &str,
    mut validate_line: impl FnMut(&str) -> Result<(), &'static str>,
) -> Result<(), SyntaxError> {
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        validate_line(line.trim_end_matches(['\n', '\r']))
            .map_err(|message| SyntaxError { message: message.into(), offset })?;
        offset += line.len();
    }
    Ok(())
}
