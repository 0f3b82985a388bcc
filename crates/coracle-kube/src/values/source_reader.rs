//! Reads sources of values: files in TOML, YAML or JSON, and `--set` arguments.

use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::error::ValuesError;
use super::key_path::KeyPath;
use super::merged_values::ValueSource;
use super::parse_values::{self, ParsedValues};
use crate::strict_json;
use crate::yaml;
use coracle_core::fs::Context;

/// The largest values file, in bytes.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// Reads one source of values; returns a table.
pub(super) fn read_value_source(source: &ValueSource) -> Result<Value, ValuesError> {
    match source {
        ValueSource::File(path) => read_values_file(path),
        ValueSource::Set { key, text } => parse_set_value(source, key, text),
        ValueSource::SetFile { key, path, is_exact } => {
            let text = read_text(path)?;
            let text = if *is_exact { &text } else { without_line_ending(&text) };
            Ok(key.to_table(text.into()))
        }
    }
}

/// Returns `text` without a final line feed: editors add one, and a password has none.
fn without_line_ending(text: &str) -> &str {
    text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line))
}

/// Parses the value of `--set KEY=TEXT`: JSON, else a string. Fails for JSON with a duplicate key,
/// and for words that are booleans in YAML files: as text they would be true.
fn parse_set_value(source: &ValueSource, key: &KeyPath, text: &str) -> Result<Value, ValuesError> {
    match parse_values::parse_json(text) {
        Ok(parsed) => {
            ValuesError::combine(parsed.errors(source)).map_or_else(|| Ok(key.to_table(parsed.value)), Err)
        }
        Err(error) if error.is_data() => Err(ValuesError::InvalidSyntax {
            origin: source.clone(),
            message: strict_json::message_without_position(&error),
        }),
        Err(_) if is_boolean_word(text) => {
            Err(ValuesError::AmbiguousBoolean { key: key.clone(), origin: source.clone(), line: None })
        }
        Err(_) => Ok(key.to_table(Value::String(text.to_owned()))),
    }
}

/// Returns whether `text` is a boolean in YAML but not in JSON, and longer than one letter.
fn is_boolean_word(text: &str) -> bool {
    ["True", "TRUE", "False", "FALSE"].contains(&text) || text.len() > 1 && yaml::is_yaml_1_1_boolean(text)
}

/// Reads the values file at `path`; returns a table.
fn read_values_file(path: &Path) -> Result<Value, ValuesError> {
    let parsed = parse_file(path)?;
    ValuesError::combine(parsed.errors(&ValueSource::File(path.to_owned()))).map_or(Ok(parsed.value), Err)
}

/// Reads the schema file at `path`. Only defaults must be unambiguous: they are values.
pub(super) fn read_schema_file(path: &Path) -> Result<Value, ValuesError> {
    let mut parsed = parse_file(path)?;
    parsed.ambiguous.retain(|value| value.key.contains_key("default"));
    ValuesError::combine(parsed.errors(&ValueSource::File(path.to_owned()))).map_or(Ok(parsed.value), Err)
}

fn parse_file(path: &Path) -> Result<ParsedValues, ValuesError> {
    let text = read_text(path)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let syntax_error =
        |message: String| ValuesError::InvalidSyntax { origin: ValueSource::File(path.to_owned()), message };
    let parsed = match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => parse_values::parse_toml(text),
        Some("yaml" | "yml") => parse_values::parse_yaml(text),
        Some("json") => parse_values::parse_json(text).map_err(|error| {
            format!("line {}: {}", error.line(), strict_json::message_without_position(&error))
        }),
        _ => return Err(ValuesError::UnknownFormat(path.to_owned())),
    };
    let parsed = parsed.map_err(syntax_error)?;
    if parsed.value.is_object() {
        Ok(parsed)
    } else {
        Err(syntax_error("the top level is not a table".into()))
    }
}

/// Reads the text of the file at `path`; `-` is stdin.
fn read_text(path: &Path) -> Result<String, ValuesError> {
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
