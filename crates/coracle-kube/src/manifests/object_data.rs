//! `data` and `binaryData` of a ConfigMap or Secret, and the name suffix, which is their hash.
//!
//! The hash is the same as kustomize's (`api/hasher/hasher.go`). Labels, annotations and `immutable`
//! are not hashed, and the hashed name is always empty.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use coracle_core::digest::Digest;

/// ConfigMap or Secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConfigObjectKind {
    /// For public files.
    ConfigMap,
    /// For secret files.
    Secret,
}

impl ConfigObjectKind {
    /// Returns the value of the object's `kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }
}

/// `data` and `binaryData` of a ConfigMap or Secret.
pub(super) struct ObjectData {
    pub(super) data: Value,
    pub(super) binary: Value,
}

impl ObjectData {
    /// Encodes the files. UTF-8 in a ConfigMap stays text; everything else is base64.
    pub(super) fn encode(kind: ConfigObjectKind, files: &[(String, Vec<u8>)]) -> Self {
        let (mut data, mut binary) = (Map::new(), Map::new());
        for (key, bytes) in files {
            match (kind, std::str::from_utf8(bytes)) {
                (ConfigObjectKind::Secret, _) => data.insert(key.clone(), json!(encode_base64(bytes))),
                (ConfigObjectKind::ConfigMap, Ok(text)) => data.insert(key.clone(), json!(text)),
                (ConfigObjectKind::ConfigMap, Err(_)) => {
                    binary.insert(key.clone(), json!(encode_base64(bytes)))
                }
            };
        }
        Self { data: Value::Object(data), binary: Value::Object(binary) }
    }
}

/// Encodes base64 as kustomize does: broken into lines, because the line breaks are hashed.
fn encode_base64(bytes: &[u8]) -> String {
    const LINE: usize = 70;
    let encoded = STANDARD.encode(bytes);
    if encoded.len() < LINE {
        return encoded;
    }
    let mut lines = String::with_capacity(encoded.len() + encoded.len() / LINE + 1);
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(LINE.min(rest.len()));
        lines.push_str(line);
        lines.push('\n');
        rest = after;
    }
    lines
}

/// The length of a suffix, in characters.
pub(super) const SUFFIX_LENGTH: usize = 10;

/// Returns the suffix for a ConfigMap or Secret with these contents.
pub(super) fn name_suffix(kind: ConfigObjectKind, contents: &ObjectData) -> String {
    let is_empty = |map: &Value| map.as_object().is_none_or(serde_json::Map::is_empty);
    // For empty `data`, kustomize hashes `""` in a ConfigMap but `{}` in a Secret.
    let data = if kind == ConfigObjectKind::ConfigMap && is_empty(&contents.data) {
        json!("")
    } else {
        contents.data.clone()
    };
    let mut hashed = json!({ "kind": kind.as_str(), "name": "", "data": data });
    if let Some(members) = hashed.as_object_mut() {
        if kind == ConfigObjectKind::Secret {
            members.insert("type".into(), json!("Opaque"));
        }
        if !is_empty(&contents.binary) {
            members.insert("binaryData".into(), contents.binary.clone());
        }
    }
    encode_suffix(&Digest::compute(to_go_json(&hashed).as_bytes()).hex())
}

/// Encodes the first digits, replacing vowels and ambiguous digits.
fn encode_suffix(hex: &str) -> String {
    let letter = |digit| match digit {
        '0' => 'g',
        '1' => 'h',
        '3' => 'k',
        'a' => 'm',
        'e' => 't',
        other => other,
    };
    hex.chars().take(SUFFIX_LENGTH).map(letter).collect()
}

/// Returns JSON as Go's `encoding/json` writes it: compact, keys sorted by bytes, `<`, `>` and `&`
/// escaped.
pub(super) fn to_go_json(value: &Value) -> String {
    let mut out = String::new();
    write_go_json(value, &mut out);
    out
}

fn write_go_json(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut members: Vec<_> = map.iter().collect();
            members.sort_unstable_by_key(|(key, _)| key.as_str());
            out.push('{');
            for (index, (key, value)) in members.into_iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                write_go_string(key, out);
                out.push(':');
                write_go_json(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                write_go_json(item, out);
            }
            out.push(']');
        }
        Value::String(text) => write_go_string(text, out),
        other => out.push_str(&other.to_string()),
    }
}

fn write_go_string(text: &str, out: &mut String) {
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

    fn suffix(kind: ConfigObjectKind, files: &[(&str, &[u8])]) -> String {
        let files: Vec<(String, Vec<u8>)> =
            files.iter().map(|(key, bytes)| ((*key).to_owned(), bytes.to_vec())).collect();
        name_suffix(kind, &ObjectData::encode(kind, &files))
    }

    /// The suffixes that `kubectl kustomize` 5.8.1 prints.
    #[test]
    fn matches_kustomize() {
        let conf: (&str, &[u8]) = ("app.conf", b"greeting=hello\nport=8080\n");
        for (kind, files, expected) in [
            (ConfigObjectKind::ConfigMap, vec![conf], "bf28t4f822"),
            (ConfigObjectKind::ConfigMap, vec![conf, ("raw.bin", b"\0\x01\xff")], "hm6mm6gmdm"),
            (ConfigObjectKind::ConfigMap, vec![("a", b"1")], "h29d89cmmt"),
            (ConfigObjectKind::ConfigMap, vec![("a", "<b>&\"é".as_bytes())], "fdfghf2mfm"),
            (ConfigObjectKind::ConfigMap, vec![], "6ct58987ht"),
            (ConfigObjectKind::Secret, vec![("password", b"s3cret")], "bf5fk5d75b"),
            (ConfigObjectKind::Secret, vec![], "46f8b28mk5"),
        ] {
            assert_eq!(suffix(kind, &files), expected);
        }
    }
}
