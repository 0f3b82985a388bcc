//! Filters that print a value in the syntax of a language, with quotes and escapes, or in an encoding.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, Value};

/// Adds the filters.
pub(super) fn register_filters(environment: &mut Environment<'_>) {
    environment.add_filter("json", to_json);
    environment.add_filter("toml", to_toml);
    environment.add_filter("yaml", to_yaml);
    environment.add_filter("sh", to_shell_word);
    environment.add_filter("urlencode", to_url_component);
    environment.add_filter("b64encode", to_base64);
    environment.add_filter("b64decode", from_base64);
}

/// Prints JSON on one line with minimal escapes.
fn to_json(value: &Value) -> Result<String, Error> {
    require_defined(value)?;
    let value = serde_json::to_value(value).map_err(|error| filter_error("JSON", &error.to_string()))?;
    let bytes =
        coracle_core::json::to_bytes(&value).map_err(|error| filter_error("JSON", &error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| filter_error("JSON", &error.to_string()))
}

/// Prints TOML on one line. Fails for null, which TOML does not have.
fn to_toml(value: &Value) -> Result<String, Error> {
    require_defined(value)?;
    let value = toml::Value::try_from(value).map_err(|error| filter_error("TOML", &error.to_string()))?;
    Ok(value.to_string())
}

/// Prints YAML on one line, as JSON: it is a subset of YAML, and its quotes make types explicit.
fn to_yaml(value: &Value) -> Result<String, Error> {
    // YAML 1.1 treats these as line breaks or a byte order mark.
    let ends =
        [('\u{85}', "\\u0085"), ('\u{2028}', "\\u2028"), ('\u{2029}', "\\u2029"), ('\u{feff}', "\\ufeff")];
    Ok(ends.iter().fold(to_json(value)?, |text, (end, escaped)| text.replace(*end, escaped)))
}

/// Prints one word for a POSIX shell.
fn to_shell_word(value: &Value) -> Result<String, Error> {
    let text = plain_text(value, "a shell word")?;
    match value.as_str() {
        Some(text) if text.contains('\0') => Err(filter_error("a shell word", "it contains a NUL byte")),
        Some(text) => Ok(format!("'{}'", text.replace('\'', r"'\''"))),
        None => Ok(text),
    }
}

/// Prints a part of a URL: all but letters, digits and `-._~` is escaped, also `/`.
fn to_url_component(value: &Value) -> Result<String, Error> {
    let mut encoded = String::new();
    for byte in plain_text(value, "a part of a URL")?.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded += &format!("%{byte:02X}"),
        }
    }
    Ok(encoded)
}

/// Prints base64 with padding.
fn to_base64(value: &Value) -> Result<String, Error> {
    Ok(STANDARD.encode(plain_text(value, "base64")?))
}

/// Decodes base64. The result must be text.
fn from_base64(value: &Value) -> Result<String, Error> {
    let encoded: String = plain_text(value, "decoded base64")?.split_whitespace().collect();
    let bytes = STANDARD.decode(encoded).map_err(|_| filter_error("decoded base64", "it is not base64"))?;
    String::from_utf8(bytes).map_err(|_| filter_error("decoded base64", "the result is not UTF-8"))
}

/// Returns what `{{ }}` prints; fails for null, tables and lists.
fn plain_text(value: &Value, language: &str) -> Result<String, Error> {
    require_defined(value)?;
    match value.as_str() {
        Some(text) => Ok(text.to_owned()),
        None if value.is_number() || value.kind() == ValueKind::Bool => Ok(value.to_string()),
        None => Err(filter_error(language, "it is not a string, number or boolean")),
    }
}

/// Fails for an undefined value, which the engine passes on to filters.
fn require_defined(value: &Value) -> Result<(), Error> {
    if value.is_undefined() { Err(ErrorKind::UndefinedError.into()) } else { Ok(()) }
}

fn filter_error(language: &str, why: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("cannot write the value as {language}: {why}"))
}
