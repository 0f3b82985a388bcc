//! Parses TOML, YAML and JSON into values. Dates become strings.
//!
//! Numbers must be written in canonical form, so that rendering does not change them: a version
//! `1.10` is not `1.1`, and a mode `0644` is neither 644 nor 420. Unquoted words that are booleans
//! only in YAML 1.1, such as `no`, are ambiguous too.

use serde_json::{Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::ValuesError;
use super::key_path::KeyPath;
use super::merged_values::ValueSource;
use crate::strict_json::{NumberLiteral, read_strict};
use crate::yaml::{self, Node, NodeKind};

/// A parsed text.
pub(super) struct ParsedValues {
    pub(super) value: Value,
    /// Values that readers understand differently.
    pub(super) ambiguous: Vec<AmbiguousValue>,
}

/// The position of a value that readers understand differently.
pub(crate) struct AmbiguousValue {
    pub(crate) key: KeyPath,
    /// The line, from 1.
    pub(crate) line: usize,
    pub(crate) kind: Ambiguity,
}

/// Why a value is ambiguous.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ambiguity {
    /// A number whose text would change when it is rendered.
    Number,
    /// A word that is a boolean in YAML 1.1 and text in YAML 1.2.
    Boolean,
}

/// The maximum number of values that are reported.
const MAX_REPORTED_VALUES: usize = 50;

impl ParsedValues {
    /// Returns the errors about ambiguous values, for a text from `origin`.
    pub(super) fn errors(&self, origin: &ValueSource) -> Vec<ValuesError> {
        let error = |found: &AmbiguousValue| {
            let (key, line) = match origin {
                ValueSource::Set { key, .. } => (key.concat(&found.key), None),
                _ => (found.key.clone(), Some(found.line)),
            };
            let origin = origin.clone();
            match found.kind {
                Ambiguity::Number => ValuesError::NonCanonicalNumber { key, origin, line },
                Ambiguity::Boolean => ValuesError::AmbiguousBoolean { key, origin, line },
            }
        };
        self.ambiguous.iter().map(error).collect()
    }
}

/// Parses TOML.
pub(super) fn parse_toml(text: &str) -> Result<ParsedValues, String> {
    let table = DeTable::parse(text).map_err(|error| {
        let position =
            error.span().map(|span| format!("line {}: ", line_at(text, span.start))).unwrap_or_default();
        format!("{position}{}", error.message())
    })?;
    let mut reader = ValueReader { text, ..ValueReader::default() };
    let value = reader.read_toml_table(table.into_inner());
    Ok(reader.into_parsed(value))
}

/// Parses one YAML document; an empty one is an empty table.
pub(super) fn parse_yaml(text: &str) -> Result<ParsedValues, String> {
    let node = yaml::parse_single(text).map_err(|error| error.to_string())?;
    let mut reader = ValueReader { text, ..ValueReader::default() };
    let value = node.filter(|node| !node.is_null()).map(|node| reader.read_yaml_node(&node));
    Ok(reader.into_parsed(value.unwrap_or_else(|| Value::Object(serde_json::Map::new()))))
}

/// Parses JSON.
pub(super) fn parse_json(text: &str) -> Result<ParsedValues, serde_json::Error> {
    let mut reader = ValueReader::default();
    let value = read_strict(text, |NumberLiteral { key_path: path, line, text }| {
        if parse_canonical_number(text).is_none() {
            reader.report(path, line, Ambiguity::Number);
        }
    })?;
    Ok(reader.into_parsed(value))
}

/// Returns the ambiguous values in `documents`, which were parsed from `text`.
pub(crate) fn find_ambiguous_values(text: &str, documents: &[Node]) -> Vec<AmbiguousValue> {
    let mut reader = ValueReader { text, ..ValueReader::default() };
    documents.iter().for_each(|document| drop(reader.read_yaml_node(document)));
    reader.ambiguous
}

/// Parses a number in canonical form: templates and all filters print it as `text` again.
fn parse_canonical_number(text: &str) -> Option<Number> {
    let whole = text.parse().map(i64::into).or_else(|_| text.parse().map(u64::into));
    let number: Number = whole.ok().or_else(|| Number::from_f64(text.parse().ok()?))?;
    // The filters' formats differ in when they write an exponent.
    (number.to_string() == text && !text.contains('e')).then_some(number)
}

/// Returns why unquoted YAML text is ambiguous; `None` if it is not.
fn plain_text_ambiguity(node: &Node, source: &str) -> Option<Ambiguity> {
    // Text that a double overflows is a number for some readers.
    let overflows = || node.text()?.parse::<f64>().ok().filter(|number| number.is_infinite());
    if node.is_yaml_1_1_boolean(source) {
        Some(Ambiguity::Boolean)
    } else if node.is_plain(source) && node.text()?.contains(|c: char| c.is_ascii_digit()) {
        overflows().map(|_| Ambiguity::Number)
    } else {
        None
    }
}

/// Returns the line at a byte offset, from 1.
fn line_at(text: &str, offset: usize) -> usize {
    text.get(..offset).unwrap_or_default().matches('\n').count() + 1
}

/// Converts parsed YAML and TOML to values, and collects those that are ambiguous.
#[derive(Default)]
struct ValueReader<'t> {
    text: &'t str,
    /// The key of the current value.
    path: Vec<String>,
    ambiguous: Vec<AmbiguousValue>,
}

impl ValueReader<'_> {
    fn into_parsed(self, value: Value) -> ParsedValues {
        ParsedValues { value, ambiguous: self.ambiguous }
    }

    fn report(&mut self, path: &[String], line: usize, kind: Ambiguity) {
        if self.ambiguous.len() < MAX_REPORTED_VALUES {
            self.ambiguous.push(AmbiguousValue { key: KeyPath::new(path), line, kind });
        }
    }

    /// Reads the number at a byte range of the text.
    fn read_number(&mut self, start: usize, end: usize) -> Value {
        match parse_canonical_number(self.text.get(start..end).unwrap_or_default()) {
            Some(number) => Value::Number(number),
            None => {
                self.report(&self.path.clone(), line_at(self.text, start), Ambiguity::Number);
                Value::Null
            }
        }
    }

    fn with_key<T>(&mut self, name: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(name.to_owned());
        let read = read(self);
        self.path.pop();
        read
    }

    fn read_yaml_node(&mut self, node: &Node) -> Value {
        match &node.kind {
            NodeKind::Scalar(value @ (Value::Null | Value::Bool(_))) => value.clone(),
            // A number; NaN and infinities, too.
            NodeKind::Scalar(_) => self.read_number(node.defined_span.start, node.defined_span.end),
            NodeKind::Text(text) => {
                if let Some(kind) = plain_text_ambiguity(node, self.text) {
                    self.report(&self.path.clone(), line_at(self.text, node.defined_span.start), kind);
                }
                text.as_str().into()
            }
            NodeKind::Sequence(items) => {
                let items = items.iter().enumerate();
                items
                    .map(|(at, item)| self.with_key(&at.to_string(), |below| below.read_yaml_node(item)))
                    .collect()
            }
            NodeKind::Mapping(members) => {
                let members = members.iter();
                let read = members.map(|(key, node)| {
                    (key.name.clone(), self.with_key(&key.name, |below| below.read_yaml_node(node)))
                });
                Value::Object(read.collect())
            }
        }
    }

    fn read_toml_table(&mut self, table: DeTable<'_>) -> Value {
        let read = table.into_iter().map(|(key, value)| {
            let value = self.with_key(key.get_ref(), |below| below.read_toml_value(value));
            (key.into_inner().into_owned(), value)
        });
        Value::Object(read.collect())
    }

    fn read_toml_value(&mut self, value: Spanned<DeValue<'_>>) -> Value {
        let span = value.span();
        match value.into_inner() {
            DeValue::String(text) => Value::String(text.into_owned()),
            DeValue::Boolean(flag) => flag.into(),
            DeValue::Integer(_) | DeValue::Float(_) => self.read_number(span.start, span.end),
            DeValue::Datetime(_) => self.text.get(span).unwrap_or_default().into(),
            DeValue::Array(items) => {
                let items = items.into_iter().enumerate();
                items
                    .map(|(at, item)| self.with_key(&at.to_string(), |below| below.read_toml_value(item)))
                    .collect()
            }
            DeValue::Table(table) => self.read_toml_table(table),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_canonical_numbers_only() {
        for text in ["0", "1", "-5", "1.5", "0.25", "1.0", "-0.0", "18446744073709551615", "0.1", "123456.75"]
        {
            assert_eq!(parse_canonical_number(text).map(|number| number.to_string()).as_deref(), Some(text));
        }
        for text in [
            "",
            "0644",
            "1_000",
            "1.10",
            "+1",
            ".5",
            "1.",
            "1e3",
            "1e16",
            "1e-7",
            "0.0000001",
            "0x1f",
            "0o644",
            "18446744073709551616",
            "10000000000000000.0",
            "0.10000000000000000001",
            "-0",
            "inf",
            "nan",
            ".inf",
            "\"1\"",
        ] {
            assert_eq!(parse_canonical_number(text), None, "{text}");
        }
    }
}
