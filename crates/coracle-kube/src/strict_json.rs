//! Reads JSON strictly: duplicate keys are errors, and numbers are reported with their source text.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use coracle_core::path::escape_bytes;

/// A number literal in a JSON document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NumberLiteral<'a> {
    /// The keys and indices on the path to it.
    pub(crate) key_path: &'a [String],
    /// Line number, from 1.
    pub(crate) line: usize,
    /// The literal as it is written.
    pub(crate) text: &'a str,
}

/// Parses `text` and calls `on_number` for every number, in order.
///
/// # Errors
/// Fails if `text` is not JSON or an object has a duplicate key. Only the latter has
/// [`serde_json::error::Category::Data`].
pub(crate) fn read_strict(
    text: &str,
    on_number: impl FnMut(NumberLiteral<'_>),
) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let mut reader = StrictReader { rest: text, line: 1, key_path: Vec::new(), on_number };
    let value = reader.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// Returns the message of `error` without line and column.
pub(crate) fn message_without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message).to_owned()
}

/// Reads JSON, and reports the text of each number. serde_json does not provide that text, so it is searched for after
/// the number was parsed.
struct StrictReader<'t, F> {
    /// The text after the last number.
    rest: &'t str,
    line: usize,
    key_path: Vec<String>,
    on_number: F,
}

impl<F: FnMut(NumberLiteral<'_>)> StrictReader<'_, F> {
    /// Finds the next number in the text and reports it. Strings are skipped.
    fn report_number(&mut self) {
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
        while let Some(at) = self.rest.find(|c: char| c == '"' || c == '\n' || c == '-' || c.is_ascii_digit())
        {
            let (_, found) = self.rest.split_at(at);
            if let Some(string) = found.strip_prefix('"') {
                self.rest = after_string(string);
            } else if let Some(next) = found.strip_prefix('\n') {
                (self.line, self.rest) = (self.line + 1, next);
            } else {
                let (text, rest) = found.split_at(found.find(|c| !is_part(c)).unwrap_or(found.len()));
                self.rest = rest;
                return (self.on_number)(NumberLiteral { key_path: &self.key_path, line: self.line, text });
            }
        }
    }

    /// Calls `read_value` with `key` appended to the path.
    fn with_key<T>(&mut self, key: String, read_value: impl FnOnce(&mut Self) -> T) -> T {
        self.key_path.push(key);
        let value = read_value(self);
        self.key_path.pop();
        value
    }
}

/// Returns the text after a string literal. JSON strings contain no line feeds.
fn after_string(string: &str) -> &str {
    let mut is_escaped = false;
    let is_end = |c: char| {
        let is_end = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        is_end
    };
    string.find(is_end).and_then(|end| string.get(end + 1..)).unwrap_or_default()
}

impl<'de, F: FnMut(NumberLiteral<'_>)> DeserializeSeed<'de> for &mut StrictReader<'_, F> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(NumberLiteral<'_>)> Visitor<'de> for &mut StrictReader<'_, F> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        self.report_number();
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        self.report_number();
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        self.report_number();
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) =
            self.with_key(list.len().to_string(), |reader| items.next_element_seed(reader))?
        {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut table = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if table.contains_key(&name) {
                return Err(A::Error::custom(format!("duplicate key `{}`", escape_bytes(name.as_bytes()))));
            }
            let value = self.with_key(name.clone(), |reader| members.next_value_seed(reader))?;
            table.insert(name, value);
        }
        Ok(Value::Object(table))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reports_numbers_as_they_are_written() {
        let text =
            "{\"a\\\"1\": [1.10, \"2\", true, -0,\n{\"b\\\\\": 1E+2}], \"3\n\": 4}".replace("3\n", "3\\n");
        let mut found = Vec::new();
        read_strict(&text, |number| {
            found.push(format!("{} {} {}", number.line, number.key_path.join("/"), number.text));
        })
        .unwrap();
        assert_eq!(found, ["1 a\"1/0 1.10", "1 a\"1/3 -0", "2 a\"1/4/b\\ 1E+2", "2 3\n 4"]);
    }

    #[test]
    fn rejects_duplicate_keys_with_their_line() {
        for (text, line) in [("{\"a\": 1, \"a\": 1}", 1), ("[{\n\"a\":\n{\"b\": 1,\n\n \"b\": 2}}]", 5)] {
            let error = read_strict(text, |_| ()).unwrap_err();
            assert!(error.is_data() && error.line() == line, "{error}");
            assert!(error.to_string().starts_with("duplicate key `"), "{error}");
        }
        assert!(read_strict("{\"a\": {\"a\": [{\"a\": 1}, {\"a\": 1}]}}", |_| ()).is_ok());
        for text in ["{", "1 2", "01", "{\"a\": 1,}"] {
            assert!(!read_strict(text, |_| ()).unwrap_err().is_data(), "{text}");
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[0-9\"\\\\\n-]{0,4}".prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[0-9a\"\\\\\n-]{0,3}", inner, 0..5)
                    .prop_map(|table| Value::Object(table.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json_and_finds_every_number(value in values()) {
            let text = serde_json::to_string_pretty(&value).unwrap();
            let mut numbers = Vec::new();
            let read = read_strict(&text, |number| {
                numbers.push((number.key_path.to_vec(), number.text.to_owned(), number.line));
            });
            prop_assert_eq!(&read.unwrap(), &serde_json::from_str::<Value>(&text).unwrap());
            for (path, written, line) in numbers {
                let at = path.iter().fold(&value, |value, name| match value {
                    Value::Array(items) => &items[name.parse::<usize>().unwrap()],
                    table => &table[name],
                });
                prop_assert_eq!(at.to_string(), written.clone());
                prop_assert!(text.lines().nth(line - 1).unwrap().contains(&written));
            }
        }
    }
}
