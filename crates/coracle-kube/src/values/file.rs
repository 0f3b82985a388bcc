//! Values files in TOML, YAML or JSON.

use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::written::{self, Written};
use super::{Error, Source};
use coracle_core::fs::Context;
use coracle_core::json;

/// The largest values file, in bytes.
const MAX_FILE: u64 = 4 << 20;

/// Reads the values file at `path`; returns a table.
pub(super) fn read(path: &Path) -> Result<Value, Error> {
    let read = written(path)?;
    Error::all(read.errors(&Source::File(path.to_owned()))).map_or(Ok(read.value), Err)
}

/// Reads the schema file at `path`. Only numbers in defaults must be in canonical form: they are
/// values.
pub(super) fn schema(path: &Path) -> Result<Value, Error> {
    let mut read = written(path)?;
    read.altered.retain(|altered| altered.key.passes("default"));
    Error::all(read.errors(&Source::File(path.to_owned()))).map_or(Ok(read.value), Err)
}

fn written(path: &Path) -> Result<Written, Error> {
    let text = text(path)?;
    let wrong = |message: String| Error::Syntax { origin: Source::File(path.to_owned()), message };
    let read = match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => written::toml(&text),
        Some("yaml" | "yml") => written::yaml(&text),
        Some("json") => {
            written::json(&text).map_err(|error| format!("line {}: {}", error.line(), json::message(&error)))
        }
        _ => return Err(Error::Unknown(path.to_owned())),
    };
    let read = read.map_err(wrong)?;
    if read.value.is_object() { Ok(read) } else { Err(wrong("the top level is not a table".into())) }
}

/// Reads the text of the file at `path`; `-` is stdin.
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
