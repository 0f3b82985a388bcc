//! Filters that write a value as a language writes it, quotes and all.

use minijinja::{Environment, Error, ErrorKind, Value};

pub(super) fn add(environment: &mut Environment<'_>) {
    environment.add_filter("json", json);
    environment.add_filter("toml", toml);
    environment.add_filter("yaml", yaml);
    environment.add_filter("sh", sh);
}

/// JSON on one line, nothing escaped that need not be.
fn json(value: &Value) -> Result<String, Error> {
    defined(value)?;
    let value = serde_json::to_value(value).map_err(|error| wrong("JSON", &error.to_string()))?;
    let bytes = coracle_core::json::to_bytes(&value).map_err(|error| wrong("JSON", &error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| wrong("JSON", &error.to_string()))
}

/// A value of TOML on one line: there is none for nothing.
fn toml(value: &Value) -> Result<String, Error> {
    defined(value)?;
    let value = toml::Value::try_from(value).map_err(|error| wrong("TOML", &error.to_string()))?;
    Ok(value.to_string())
}

/// A value of YAML on one line: JSON is YAML, too, and its quotes leave no doubt about types.
fn yaml(value: &Value) -> Result<String, Error> {
    // These end a line for YAML 1.1, or mark an order of bytes.
    let ends =
        [('\u{85}', "\\u0085"), ('\u{2028}', "\\u2028"), ('\u{2029}', "\\u2029"), ('\u{feff}', "\\ufeff")];
    Ok(ends.iter().fold(json(value)?, |text, (end, escaped)| text.replace(*end, escaped)))
}

/// One word of a shell.
fn sh(value: &Value) -> Result<String, Error> {
    defined(value)?;
    match value.as_str() {
        Some(text) if text.contains('\0') => Err(wrong("a word of a shell", "it holds a NUL byte")),
        Some(text) => Ok(format!("'{}'", text.replace('\'', r"'\''"))),
        None if value.is_number() || value.kind() == minijinja::value::ValueKind::Bool => {
            Ok(value.to_string())
        }
        None => Err(wrong("a word of a shell", "it is neither text, number nor truth")),
    }
}

/// A name that is undefined is that behind a filter, too.
fn defined(value: &Value) -> Result<(), Error> {
    if value.is_undefined() { Err(ErrorKind::UndefinedError.into()) } else { Ok(()) }
}

fn wrong(language: &str, why: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("cannot write the value as {language}: {why}"))
}
