//! JSON: canonical output (compact, sorted keys, UTF-8), and input of limited size.
//!
//! All JSON that is hashed is written here. Keys are sorted explicitly, because any crate in the
//! build can change the order of `serde_json::Map` with the feature `preserve_order`.

mod parse;

use serde::Serialize;
use serde_json::Value;

pub use parse::{MAX_VALUES, parse, parse_with_budget};

/// Serializes `value` as canonical JSON: no spaces, sorted keys, no trailing line feed.
///
/// # Errors
/// Fails if `value` cannot be represented, for example a map whose keys are not strings.
pub fn to_bytes(value: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut out = Vec::new();
    write_value(&serde_json::to_value(value)?, &mut out);
    Ok(out)
}

fn write_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Array(items) => {
            out.push(b'[');
            write_separated(items, out, write_value);
            out.push(b']');
        }
        Value::Object(map) => {
            let mut members: Vec<(&String, &Value)> = map.iter().collect();
            members.sort_unstable_by_key(|(key, _)| key.as_str());
            out.push(b'{');
            write_separated(members, out, |(key, value), out| {
                write_scalar(&Value::String(key.clone()), out);
                out.push(b':');
                write_value(value, out);
            });
            out.push(b'}');
        }
        _ => write_scalar(value, out),
    }
}

fn write_separated<T>(
    items: impl IntoIterator<Item = T>,
    out: &mut Vec<u8>,
    write_item: impl Fn(T, &mut Vec<u8>),
) {
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_item(item, out);
    }
}

/// Writes a string, number, boolean or null with `Display`, which is already compact.
fn write_scalar(value: &Value, out: &mut Vec<u8>) {
    out.extend_from_slice(value.to_string().as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn writes_compact_json_with_sorted_keys() {
        let value = json!({"b": [1, {"z": null, "a": true}], "a": "é\"\n", "B": 1.5});
        let expected = r#"{"B":1.5,"a":"é\"\n","b":[1,{"a":true,"z":null}]}"#;
        assert_eq!(String::from_utf8(to_bytes(&value).unwrap()).unwrap(), expected);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn written_json_parses_to_the_same_value(map: std::collections::BTreeMap<String, (String, i64, Option<bool>)>) {
            let bytes = to_bytes(&map).unwrap();
            let parsed: std::collections::BTreeMap<String, (String, i64, Option<bool>)> = serde_json::from_slice(&bytes).unwrap();
            prop_assert_eq!(parsed, map);
        }
    }
}
