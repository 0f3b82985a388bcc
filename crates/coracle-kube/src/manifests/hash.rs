//! The name suffix of ConfigMaps and Secrets: the same content hash as kustomize's.
//!
//! Source: kustomize, `api/hasher/hasher.go`. Labels, annotations and `immutable` are not hashed,
//! and the hashed name is always empty.

use serde_json::{Value, json};

use super::map::{Contents, MapKind};
use coracle_core::digest::Digest;

/// The length of a suffix, in characters.
pub(super) const LENGTH: usize = 10;

/// Returns the suffix for a ConfigMap or Secret with these contents.
pub(super) fn suffix(kind: MapKind, contents: &Contents) -> String {
    let is_empty = |map: &Value| map.as_object().is_none_or(serde_json::Map::is_empty);
    // For empty `data`, kustomize hashes `""` in a ConfigMap but `{}` in a Secret.
    let data = if kind == MapKind::ConfigMap && is_empty(&contents.data) {
        json!("")
    } else {
        contents.data.clone()
    };
    let mut hashed = json!({ "kind": kind.as_str(), "name": "", "data": data });
    if let Some(members) = hashed.as_object_mut() {
        if kind == MapKind::Secret {
            members.insert("type".into(), json!("Opaque"));
        }
        if !is_empty(&contents.binary) {
            members.insert("binaryData".into(), contents.binary.clone());
        }
    }
    letters(&Digest::of(go_json(&hashed).as_bytes()).hex())
}

/// Encodes the first digits, replacing vowels and ambiguous digits.
fn letters(hex: &str) -> String {
    let letter = |digit| match digit {
        '0' => 'g',
        '1' => 'h',
        '3' => 'k',
        'a' => 'm',
        'e' => 't',
        other => other,
    };
    hex.chars().take(LENGTH).map(letter).collect()
}

/// Returns JSON as Go's `encoding/json` writes it: compact, keys sorted by bytes, `<`, `>` and `&`
/// escaped.
pub(super) fn go_json(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut members: Vec<_> = map.iter().collect();
            members.sort_unstable_by_key(|(key, _)| key.as_str());
            out.push('{');
            for (index, (key, value)) in members.into_iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                string(key, out);
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                write(item, out);
            }
            out.push(']');
        }
        Value::String(text) => string(text, out),
        other => out.push_str(&other.to_string()),
    }
}

fn string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: MapKind, files: &[(&str, &[u8])]) -> String {
        let files: Vec<(String, Vec<u8>)> =
            files.iter().map(|(key, bytes)| ((*key).to_owned(), bytes.to_vec())).collect();
        suffix(kind, &Contents::of(kind, &files))
    }

    /// The suffixes that `kubectl kustomize` 5.8.1 prints.
    #[test]
    fn matches_kustomize() {
        let conf: (&str, &[u8]) = ("app.conf", b"greeting=hello\nport=8080\n");
        for (kind, files, expected) in [
            (MapKind::ConfigMap, vec![conf], "bf28t4f822"),
            (MapKind::ConfigMap, vec![conf, ("raw.bin", b"\0\x01\xff")], "hm6mm6gmdm"),
            (MapKind::ConfigMap, vec![("a", b"1")], "h29d89cmmt"),
            (MapKind::ConfigMap, vec![("a", "<b>&\"é".as_bytes())], "fdfghf2mfm"),
            (MapKind::ConfigMap, vec![], "6ct58987ht"),
            (MapKind::Secret, vec![("password", b"s3cret")], "bf5fk5d75b"),
            (MapKind::Secret, vec![], "46f8b28mk5"),
        ] {
            assert_eq!(of(kind, &files), expected);
        }
    }
}
