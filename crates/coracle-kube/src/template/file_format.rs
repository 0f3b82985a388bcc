//! File formats by file name, and their validation.

use std::fmt;
use std::str::FromStr;

use coracle_core::hint::Hint;

use super::error::SyntaxError;
use super::jsonc;
use super::line_formats::{IniSyntax, validate_env, validate_ini, validate_properties};
use crate::strict_json;
use crate::yaml;

/// A file format that rendered files are checked against.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum FileFormat {
    /// `.toml`
    Toml,
    /// `.yaml`, `.yml`
    Yaml,
    /// `.json`
    Json,
    /// `.jsonc`: JSON with comments and trailing commas.
    Jsonc,
    /// `.ini`: sections and `name = value`.
    Ini,
    /// INI with names without a value, and directives such as `%include`.
    LenientIni,
    /// `.properties`: Java properties.
    Properties,
    /// `.env`: `NAME=value` in shell syntax.
    Env,
}

/// How the format of a file is chosen.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Hash)]
pub enum FormatChoice {
    /// By the file's name.
    #[default]
    ByName,
    /// This one.
    Fixed(FileFormat),
    /// The file is not checked.
    Unchecked,
}

/// Every format.
const FORMATS: [FileFormat; 8] = [
    FileFormat::Toml,
    FileFormat::Yaml,
    FileFormat::Json,
    FileFormat::Jsonc,
    FileFormat::Ini,
    FileFormat::LenientIni,
    FileFormat::Properties,
    FileFormat::Env,
];
/// Starts of the names of JSON files whose programs accept comments: .NET, TypeScript, Babel,
/// ESLint, Deno, development containers. An environment's name may follow: `appsettings.Test.json`.
const JSONC_NAMES: [&str; 12] = [
    "appsettings",
    "hosting",
    "global",
    "tsconfig",
    "jsconfig",
    "tslint",
    "babel.config",
    ".babelrc",
    ".eslintrc",
    ".jshintrc",
    "deno",
    "devcontainer",
];
/// INI files whose programs accept names without a value, or directives: MySQL, PHP, PgBouncer,
/// Mercurial, uWSGI.
const LENIENT_INI_NAMES: [&str; 5] = ["my", "php", "pgbouncer", "mercurial", "uwsgi"];

impl FileFormat {
    /// Returns the format for a file name or path; `None` if the extension is unknown.
    pub fn from_file_name(path: &str) -> Option<Self> {
        let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
        let (stem, extension) = name.rsplit_once('.')?;
        Some(match extension {
            "toml" => Self::Toml,
            "yaml" | "yml" => Self::Yaml,
            "json" if JSONC_NAMES.iter().any(|known| is_variant_of(stem, known)) => Self::Jsonc,
            "json" => Self::Json,
            "jsonc" => Self::Jsonc,
            "ini" if LENIENT_INI_NAMES.contains(&stem) => Self::LenientIni,
            "ini" => Self::Ini,
            "properties" => Self::Properties,
            "env" => Self::Env,
            _ => return None,
        })
    }

    /// Returns the format with this name in a contract or recipe.
    pub fn from_name(name: &str) -> Option<Self> {
        FORMATS.into_iter().find(|format| format.name() == name)
    }

    /// Returns the format's name in a contract and a recipe.
    pub fn name(self) -> &'static str {
        match self {
            Self::Toml => "toml",
            Self::Yaml => "yaml",
            Self::Json => "json",
            Self::Jsonc => "jsonc",
            Self::Ini => "ini",
            Self::LenientIni => "lenient-ini",
            Self::Properties => "properties",
            Self::Env => "env",
        }
    }

    /// Checks that `text` is valid in this format. A byte order mark at its start is allowed where
    /// programs skip it.
    ///
    /// # Errors
    /// Fails with the first syntax error, whose offset is inside the text.
    pub fn validate(self, text: &str) -> Result<(), SyntaxError> {
        let content = match self {
            Self::Properties | Self::Env => text,
            _ => text.strip_prefix('\u{feff}').unwrap_or(text),
        };
        self.validate_content(content).map_err(|error| {
            // The end of the text is after its last line.
            let end = text.trim_end().len();
            let offset = (error.offset + text.len() - content.len()).min(end);
            SyntaxError { offset: text.floor_char_boundary(offset), ..error }
        })
    }

    fn validate_content(self, text: &str) -> Result<(), SyntaxError> {
        match self {
            Self::Toml => toml::from_str::<toml::Table>(text).map(drop).map_err(|error| SyntaxError {
                message: error.message().to_owned(),
                offset: error.span().map_or(0, |span| span.start),
            }),
            Self::Json => validate_json(text),
            Self::Jsonc => validate_json(&jsonc::without_comments(text)?),
            Self::Yaml => yaml::parse_documents(text).map(drop).map_err(|error| SyntaxError {
                offset: byte_offset(text, error.line, error.column),
                message: error.message,
            }),
            Self::Ini => validate_ini(text, IniSyntax::Strict),
            Self::LenientIni => validate_ini(text, IniSyntax::Lenient),
            Self::Properties => validate_properties(text),
            Self::Env => validate_env(text),
        }
    }
}

impl FromStr for FormatChoice {
    type Err = ParseFormatError;

    fn from_str(name: &str) -> Result<Self, ParseFormatError> {
        let fixed = || FileFormat::from_name(name).map(Self::Fixed);
        let choice = if name == "none" { Some(Self::Unchecked) } else { fixed() };
        choice.ok_or_else(|| ParseFormatError(coracle_core::path::escape_bytes(name.as_bytes())))
    }
}

/// An unknown format.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not the name of a file format")]
pub struct ParseFormatError(String);

impl Hint for ParseFormatError {
    fn hint(&self) -> Option<String> {
        let names = FORMATS.map(|format| format!("`{}`", format.name())).join(", ");
        Some(format!("write {names} or `none`"))
    }
}

/// Returns whether `stem` is `name`, or has words behind it: `appsettings.test`.
fn is_variant_of(stem: &str, name: &str) -> bool {
    stem.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn validate_json(text: &str) -> Result<(), SyntaxError> {
    strict_json::read_strict(text, |_| ()).map(drop).map_err(|error| SyntaxError {
        offset: byte_offset(text, error.line(), error.column()),
        message: strict_json::message_without_position(&error),
    })
}

/// Returns the byte offset of a line and a column, both from 1.
fn byte_offset(text: &str, line: usize, column: usize) -> usize {
    let lines = text.split_inclusive('\n').take(line.saturating_sub(1));
    let start: usize = lines.map(str::len).sum();
    (start + column.saturating_sub(1)).min(text.len())
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Toml => "TOML",
            Self::Yaml => "YAML",
            Self::Json => "JSON",
            Self::Jsonc => "JSON with comments",
            Self::Ini | Self::LenientIni => "INI",
            Self::Properties => "Java properties",
            Self::Env => "environment file",
        })
    }
}
