//! Filters that print a value in the syntax of a language, with quotes and escapes.

use minijinja::{Environment, Error, ErrorKind, Value};

pub(super) fn add(environment: &mut Environment<'_>) {
    environment.add_filter("json", json);
    environment.add_filter("toml", toml);
    environment.add_filter("yaml", yaml);
    environment.add_filter("sh", sh);
}

/// Prints JSON on one line with minimal escapes.
fn json(value: &Value) -> Result<String, Error> {
    defined(value)?;
    let value = serde_json::to_value(value).map_err(|error| wrong("JSON", &error.to_string()))?;
    let bytes = coracle_core::json::to_bytes(&value).map_err(|error| wrong("JSON", &error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| wrong("JSON", &error.to_string()))
}

/// Prints TOML on one line. Fails for null, which TOML does not have.
fn toml(value: &Value) -> Result<String, Error> {
    defined(value)?;
    let value = toml::Value::try_from(value).map_err(|error| wrong("TOML", &error.to_string()))?;
    Ok(value.to_string())
}

/// Prints YAML on one line, as JSON: it is a subset of YAML, and its quotes make types explicit.
fn yaml(value: &Value) -> Result<String, Error> {
    // YAML 1.1 treats these as line breaks or a byte order mark.
    let ends =
        [('\u{85}', "\\u0085"), ('\u{2028}', "\\u2028"), ('\u{2029}', "\\u2029"), ('\u{feff}', "\\ufeff")];
    Ok(ends.iter().fold(json(value)?, |text, (end, escaped)| text.replace(*end, escaped)))
}

/// Prints one word for a POSIX shell.
fn sh(value: &Value) -> Result<String, Error> {
    defined(value)?;
    match value.as_str() {
        Some(text) if text.contains('\0') => Err(wrong("a shell word", "it contains a NUL byte")),
        Some(text) => Ok(format!("'{}'", text.replace('\'', r"'\''"))),
        None if value.is_number() || value.kind() == minijinja::value::ValueKind::Bool => {
            Ok(value.to_string())
        }
        None => Err(wrong("a shell word", "it is not a string, number or boolean")),
    }
}

/// Fails for an undefined value, which the engine passes on to filters.
fn defined(value: &Value) -> Result<(), Error> {
    if value.is_undefined() { Err(ErrorKind::UndefinedError.into()) } else { Ok(()) }
}

fn wrong(language: &str, why: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("cannot write the value as {language}: {why}"))
}
