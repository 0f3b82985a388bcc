//! A file of values: TOML, YAML or JSON. Numbers, text and truth are what all three have in common; a date is text.

use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::Error;
use crate::fs::Context;
use crate::yaml;

/// A file of values larger than this is something else.
const MAX_FILE: u64 = 4 << 20;

/// The table in the file at `path`.
pub(super) fn read(path: &Path) -> Result<Value, Error> {
    let text = text(path)?;
    let wrong = |message: String| Error::Syntax { path: path.to_owned(), message };
    let value = match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => toml(&text).map_err(wrong)?,
        Some("yaml" | "yml") => {
            yaml::document(&text).map_err(|error| wrong(error.to_string()))?.unwrap_or_default()
        }
        Some("json") => serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?,
        _ => return Err(Error::Unknown(path.to_owned())),
    };
    match value {
        // An empty file of YAML.
        Value::Null => Ok(Value::Object(serde_json::Map::new())),
        Value::Object(_) => Ok(value),
        _ => Err(wrong("it holds no table of names and values".into())),
    }
}

/// The text of the file at `path`; `-` is what is piped in.
pub(super) fn text(path: &Path) -> Result<String, Error> {
    let mut bytes = Vec::new();
    let file: Box<dyn Read> = match path == Path::new("-") {
        true => Box::new(std::io::stdin().lock()),
        false => Box::new(std::fs::File::open(path).context("read", path)?),
    };
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).context("read", path)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(Error::TooLarge { path: path.to_owned(), limit: MAX_FILE });
    }
    String::from_utf8(bytes).map_err(|_| Error::NotText(path.to_owned()))
}

fn toml(text: &str) -> Result<Value, String> {
    let table: toml::Table = toml::from_str(text).map_err(|error| {
        let line = error
            .span()
            .and_then(|span| text.get(..span.start))
            .map(|before| before.matches('\n').count() + 1);
        let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
        format!("{place}{}", error.message())
    })?;
    plain(toml::Value::Table(table))
}

/// The same in the words of JSON.
fn plain(value: toml::Value) -> Result<Value, String> {
    Ok(match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => serde_json::Number::from_f64(number)
            .map(Value::Number)
            .ok_or(format!("`{number}` is no number of JSON"))?,
        toml::Value::Boolean(flag) => flag.into(),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(array) => Value::Array(array.into_iter().map(plain).collect::<Result<_, _>>()?),
        toml::Value::Table(table) => Value::Object(
            table.into_iter().map(|(key, value)| Ok((key, plain(value)?))).collect::<Result<_, String>>()?,
        ),
    })
}
