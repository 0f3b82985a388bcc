//! The one writer of JSON: compact, keys sorted by their bytes, UTF-8; and a reader that misses nothing.
//!
//! Everything that is hashed goes through here. Keys are sorted by this module and not by the map behind
//! `serde_json::Value`, whose order any crate in the build can change (`preserve_order`).

mod read;

use serde::Serialize;
use serde_json::Value;

pub use read::{Number, message, read};

/// `value` as JSON: no spaces, keys sorted, no line feed at the end.
///
/// # Errors
/// When `value` cannot be JSON at all: a map whose keys are not strings, a number that is not finite.
pub fn to_bytes(value: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut out = Vec::new();
    write(&serde_json::to_value(value)?, &mut out);
    Ok(out)
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Array(items) => {
            out.push(b'[');
            separated(items, out, write);
            out.push(b']');
        }
        Value::Object(map) => {
            let mut members: Vec<(&String, &Value)> = map.iter().collect();
            members.sort_unstable_by_key(|(key, _)| key.as_str());
            out.push(b'{');
            separated(members, out, |(key, value), out| {
                scalar(&Value::String(key.clone()), out);
                out.push(b':');
                write(value, out);
            });
            out.push(b'}');
        }
        _ => scalar(value, out),
    }
}

fn separated<T>(items: impl IntoIterator<Item = T>, out: &mut Vec<u8>, one: impl Fn(T, &mut Vec<u8>)) {
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        one(item, out);
    }
}

/// Strings, numbers, `true`, `false` and `null` have one compact form each, which `Display` writes.
fn scalar(value: &Value, out: &mut Vec<u8>) {
    out.extend_from_slice(value.to_string().as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn compact_and_sorted() {
        let value = json!({"b": [1, {"z": null, "a": true}], "a": "é\"\n", "B": 1.5});
        let expected = r#"{"B":1.5,"a":"é\"\n","b":[1,{"a":true,"z":null}]}"#;
        assert_eq!(String::from_utf8(to_bytes(&value).unwrap()).unwrap(), expected);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_is_written_reads_back(map: std::collections::BTreeMap<String, (String, i64, Option<bool>)>) {
            let bytes = to_bytes(&map).unwrap();
            let back: std::collections::BTreeMap<String, (String, i64, Option<bool>)> = serde_json::from_slice(&bytes).unwrap();
            prop_assert_eq!(back, map);
        }
    }
}
