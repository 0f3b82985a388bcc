//! Parses JSON of unknown origin into a tree of limited size. A tree takes up to a hundred times the
//! memory of its text, so the size of the text alone is no limit.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The maximum number of values in a document that [`parse`] accepts. A manifest with a thousand
/// layers has some six thousand; with 100,000 a tree takes about 10 MB.
pub const MAX_VALUES: usize = 100_000;

/// Parses a JSON document of at most [`MAX_VALUES`] values.
///
/// # Errors
/// Fails if `bytes` is not JSON, or has more values.
pub fn parse(bytes: &[u8]) -> serde_json::Result<Value> {
    parse_with_budget(bytes, &mut { MAX_VALUES })
}

/// Parses a JSON document, and subtracts the number of its values from `budget`, which several
/// documents can share.
///
/// # Errors
/// Fails if `bytes` is not JSON, or has more values than `budget`.
pub fn parse_with_budget(bytes: &[u8], budget: &mut usize) -> serde_json::Result<Value> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = CountedValue(budget).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// Deserializes one JSON value, and counts it together with all values inside it.
struct CountedValue<'a>(&'a mut usize);

impl<'de> DeserializeSeed<'de> for CountedValue<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        *self.0 = self.0.checked_sub(1).ok_or_else(|| D::Error::custom("it has too many values"))?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CountedValue<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(CountedValue(self.0))? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            map.insert(key, members.next_value_seed(CountedValue(self.0))?);
        }
        Ok(map.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_as_serde_json_does() {
        for text in [r#"{"a":[1,-2,1.5,true,null,"é"],"b":{"a":{}},"a2":[]}"#, "3", "\"x\"", "[[[]]]", " {} "]
        {
            assert_eq!(parse(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        }
        for text in ["", "{", "[1,]", "1 2", "{\"a\":1} x", "nul"] {
            let expected = serde_json::from_str::<Value>(text).unwrap_err().to_string();
            assert_eq!(parse(text.as_bytes()).unwrap_err().to_string(), expected, "{text}");
        }
        assert!(parse("[".repeat(10_000).as_bytes()).is_err(), "the depth is limited");
    }

    #[test]
    fn limits_the_number_of_values() {
        let array = |count: usize| format!("[{}]", vec!["[]"; count].join(","));
        assert!(parse(array(MAX_VALUES - 1).as_bytes()).is_ok());
        let error = parse(array(MAX_VALUES).as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("it has too many values at line 1 column "), "{error}");
        let mut budget = 10;
        assert!(parse_with_budget(b"{\"a\":[1,2,3]}", &mut budget).is_ok());
        assert_eq!(budget, 5);
        assert!(parse_with_budget(b"[1,2,3,4,5]", &mut budget).is_err());
    }
}
