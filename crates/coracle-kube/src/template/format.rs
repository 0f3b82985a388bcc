//! What a rendered file is to be, by its name, and whether it is.

mod lines;

use std::fmt;

use coracle_core::json;
use crate::yaml;

/// The formats that are read back.
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
    /// `.properties` of Java.
    Properties,
    /// `.env`: `NAME=value`, as shells read it.
    Env,
}

/// What is wrong with a text, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// What is wrong.
    pub message: String,
    /// The byte where it was noticed.
    pub offset: usize,
}

impl Format {
    /// The format that a file's name asks for; none for names that ask for nothing.
    pub fn of(name: &str) -> Option<Self> {
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

    /// Its name in a contract, which is how file names end.
    pub fn name(self) -> &'static str {
        match self {
            Self::Toml => "toml",
            Self::Yaml => "yaml",
            Self::Json => "json",
            Self::Ini => "ini",
            Self::Properties => "properties",
            Self::Env => "env",
        }
    }

    /// Reads `text` as this format.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check(self, text: &str) -> Result<(), Fault> {
        match self {
            Self::Toml => toml::from_str::<toml::Table>(text).map(drop).map_err(|error| Fault {
                message: error.message().to_owned(),
                offset: error.span().map_or(0, |span| span.start),
            }),
            Self::Json => json::read(text, |_| ()).map(drop).map_err(|error| Fault {
                offset: offset(text, error.line(), error.column()),
                message: json::message(&error),
            }),
            Self::Yaml => yaml::documents(text).map(drop).map_err(|error| Fault {
                offset: offset(text, error.line, error.column),
                message: error.message,
            }),
            Self::Ini => lines::ini(text),
            Self::Properties => lines::properties(text),
            Self::Env => lines::env(text),
        }
    }
}

/// The byte at a line and a column, both from 1.
fn offset(text: &str, line: usize, column: usize) -> usize {
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
