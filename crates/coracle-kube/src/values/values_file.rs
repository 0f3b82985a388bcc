//! Values files in TOML, YAML or JSON.

use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::parse::{self, ParsedValues};
use super::{ValueSource, ValuesError};
use coracle_core::fs::Context;
use coracle_core::json;

/// The largest values file, in bytes.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// Reads the values file at `path`; returns a table.
pub(super) fn read_values(path: &Path) -> Result<Value, ValuesError> {
    let read = parse_file(path)?;
    ValuesError::combine(read.errors(&ValueSource::File(path.to_owned()))).map_or(Ok(read.value), Err)
}

/// Reads the schema file at `path`. Only numbers in defaults must be in canonical form: they are
/// values.
pub(super) fn read_schema(path: &Path) -> Result<Value, ValuesError> {
    let mut read = parse_file(path)?;
    read.non_canonical.retain(|altered| altered.key.contains_key("default"));
    ValuesError::combine(read.errors(&ValueSource::File(path.to_owned()))).map_or(Ok(read.value), Err)
}

fn parse_file(path: &Path) -> Result<ParsedValues, ValuesError> {
    let text = read_text(path)?;
    let wrong =
        |message: String| ValuesError::InvalidSyntax { origin: ValueSource::File(path.to_owned()), message };
    let read = match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => parse::parse_toml(&text),
        Some("yaml" | "yml") => parse::parse_yaml(&text),
        Some("json") => parse::parse_json(&text)
            .map_err(|error| format!("line {}: {}", error.line(), json::message_without_position(&error))),
        _ => return Err(ValuesError::UnknownFormat(path.to_owned())),
    };
    let read = read.map_err(wrong)?;
    if read.value.is_object() { Ok(read) } else { Err(wrong("the top level is not a table".into())) }
}

/// Reads the text of the file at `path`; `-` is stdin.
pub(super) fn read_text(path: &Path) -> Result<String, ValuesError> {
    let mut bytes = Vec::new();
    let file: Box<dyn Read> = match path == Path::new("-") {
        true => Box::new(std::io::stdin().lock()),
        false => Box::new(std::fs::File::open(path).context("read", path)?),
    };
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).context("read", path)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(ValuesError::TooLarge { path: path.to_owned(), limit: MAX_FILE_BYTES });
    }
    String::from_utf8(bytes).map_err(|_| ValuesError::NotUtf8(path.to_owned()))
}
