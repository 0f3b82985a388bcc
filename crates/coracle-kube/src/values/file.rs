//! A file of values: TOML, YAML or JSON.

use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::written::{self, Written};
use super::{Error, Source};
use coracle_core::fs::Context;
use coracle_core::json;

/// A file of values larger than this is something else.
const MAX_FILE: u64 = 4 << 20;

/// The table in the file at `path`.
pub(super) fn read(path: &Path) -> Result<Value, Error> {
    let read = written(path)?;
    Error::all(read.errors(&Source::File(path.to_owned()))).map_or(Ok(read.value), Err)
}

/// The schema in the file at `path`. A number that bounds others may be written in any way; a default is a value.
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
    if read.value.is_object() { Ok(read) } else { Err(wrong("it holds no table of names and values".into())) }
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
