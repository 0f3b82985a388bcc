//! A YAML writer whose output YAML 1.1 and 1.2 parsers read alike; strings round-trip byte for
//! byte.

use serde_json::{Map, Value};

/// Keys that are written first, in this order; the others follow, sorted by bytes.
const FIRST_KEYS: [&str; 18] = [
    "apiVersion",
    "kind",
    "metadata",
    "immutable",
    "name",
    "namespace",
    "generateName",
    "type",
    "replicas",
    "schedule",
    "selector",
    "serviceName",
    "strategy",
    "image",
    "imagePullPolicy",
    "restartPolicy",
    "command",
    "args",
];
/// Keys with long values, which are written last.
const LAST_KEYS: [&str; 6] = ["initContainers", "containers", "volumes", "template", "data", "binaryData"];

/// The indentation of a block scalar, relative to its parent.
const INDENTATION_INDICATOR: &str = "2";

/// Words that some YAML version does not read as strings.
const AMBIGUOUS_WORDS: [&str; 11] =
    ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf"];

/// Writes documents as a stream, each preceded by `---`.
pub fn to_yaml_stream<'a>(documents: impl IntoIterator<Item = &'a Value>) -> String {
    documents.into_iter().fold(String::new(), |stream, document| stream + "---\n" + &to_yaml(document))
}

/// Writes one document; returns it as the content of a file.
pub(super) fn to_yaml_bytes(value: &Value) -> Vec<u8> {
    to_yaml(value).into_bytes()
}

/// Writes one document.
pub fn to_yaml(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => write_mapping(map, 0, false, &mut out),
        Value::Array(items) if !items.is_empty() => write_sequence(items, 0, &mut out),
        scalar => {
            write_inline(scalar, 0, &mut out);
            out.push('\n');
        }
    }
    out
}

/// Writes a mapping at `indent`; if `continues_line`, the first entry is on the line of its `- `.
fn write_mapping(map: &Map<String, Value>, indent: usize, continues_line: bool, out: &mut String) {
    let mut members: Vec<(&String, &Value)> = map.iter().collect();
    members.sort_by_key(|(key, _)| (key_rank(key), key.as_str()));
    for (index, (key, value)) in members.into_iter().enumerate() {
        if index > 0 || !continues_line {
            out.push_str(&" ".repeat(indent));
        }
        out.push_str(&scalar_string(key));
        out.push(':');
        match value {
            Value::Object(map) if !map.is_empty() => {
                out.push('\n');
                write_mapping(map, indent + 2, false, out);
            }
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                write_sequence(items, indent, out);
            }
            value => {
                out.push(' ');
                write_inline(value, indent + 2, out);
                out.push('\n');
            }
        }
    }
}

fn write_sequence(items: &[Value], indent: usize, out: &mut String) {
    for item in items {
        out.push_str(&" ".repeat(indent));
        out.push_str("- ");
        match item {
            Value::Object(map) if !map.is_empty() => write_mapping(map, indent + 2, true, out),
            // Nested lists use flow style.
            Value::Array(items) if !items.is_empty() => {
                out.push_str(&flow_style(item));
                out.push('\n');
            }
            item => {
                write_inline(item, indent + 2, out);
                out.push('\n');
            }
        }
    }
}

/// Writes a value in flow style, which is JSON except for some characters in strings.
fn flow_style(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(flow_style).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let member =
                |(key, value): (&String, &Value)| format!("{}: {}", quoted_string(key), flow_style(value));
            format!("{{{}}}", map.iter().map(member).collect::<Vec<_>>().join(", "))
        }
        Value::String(text) => quoted_string(text),
        other => other.to_string(),
    }
}

/// Writes a value after its key or dash, without the final line feed.
fn write_inline(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::String(text) if fits_block_scalar(text, indent) => write_block_scalar(text, indent, out),
        Value::String(text) => out.push_str(&scalar_string(text)),
        Value::Object(_) => out.push_str("{}"),
        Value::Array(_) => out.push_str("[]"),
        other => out.push_str(&other.to_string()),
    }
}

fn key_rank(key: &str) -> usize {
    let first = FIRST_KEYS.iter().position(|known| *known == key);
    let last = || LAST_KEYS.iter().position(|known| *known == key).map(|index| FIRST_KEYS.len() + 1 + index);
    first.or_else(last).unwrap_or(FIRST_KEYS.len())
}

/// Writes a string on one line: plain if every parser reads it as a string, else quoted.
fn scalar_string(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./@+:".contains(c);
    let is_word = AMBIGUOUS_WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    if starts && text.chars().all(is_plain) && !text.ends_with(':') && !is_word {
        text.to_owned()
    } else {
        quoted_string(text)
    }
}

/// Writes any string in double quotes.
fn quoted_string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_safe_character(c) => out.push(c),
            c if u32::from(c) < 0x80 => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push_str(&format!("\\u{:04x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

/// Returns whether a block scalar at `indent` preserves the text: it has no control characters except
/// tabs, and is not blank. A document's root has no parent that an indentation indicator refers to.
fn fits_block_scalar(text: &str, indent: usize) -> bool {
    text.contains('\n')
        && !text.trim_matches('\n').is_empty()
        && (indent > 0 || !needs_indentation_indicator(text))
        && text.chars().all(|c| c == '\n' || c == '\t' || is_safe_character(c))
}

/// Returns whether parsers cannot detect the indentation from the first line.
fn needs_indentation_indicator(text: &str) -> bool {
    text.starts_with(['\n', ' ', '\t'])
}

fn write_block_scalar(text: &str, indent: usize, out: &mut String) {
    let body = text.trim_end_matches('\n');
    let feeds = text.len() - body.len();
    out.push('|');
    if needs_indentation_indicator(text) {
        out.push_str(INDENTATION_INDICATOR);
    }
    out.push_str(match feeds {
        0 => "-",
        1 => "",
        _ => "+",
    });
    for line in body.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            out.push_str(&" ".repeat(indent));
            out.push_str(line);
        }
    }
    out.push_str(&"\n".repeat(feeds.saturating_sub(1)));
}

/// Returns whether `c` is allowed unescaped and is neither a line break nor a byte order mark in
/// any YAML version.
fn is_safe_character(c: char) -> bool {
    !matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn writes_readable_yaml() {
        let value = json!({
            "kind": "ConfigMap",
            "apiVersion": "v1",
            "data": { "a.toml": "x = 1\n\ny = 2\n", "b": "no", "c": "1", "d": "two words", "e": "x: y\r\n", "f": "a\nb", "g": "\na", "h": "  a\n\tb \n" },
            "list": [{ "b": [1, "2"], "name": "nm" }, [], [["a"]], {}, "ghcr.io/a:1@sha256:b"],
        });
        let expected = "apiVersion: v1\nkind: ConfigMap\nlist:\n- name: nm\n  b:\n  - 1\n  - \"2\"\n- []\n- [[\"a\"]]\n- {}\n\
            - ghcr.io/a:1@sha256:b\ndata:\n  a.toml: |\n    x = 1\n\n    y = 2\n  b: \"no\"\n  c: \"1\"\n  d: \"two words\"\n  \
            e: \"x: y\\r\\n\"\n  f: |-\n    a\n    b\n  g: |2-\n\n    a\n  h: |2\n      a\n    \tb \n";
        assert_eq!(to_yaml(&value), expected);
    }

    fn strings() -> impl Strategy<Value = String> {
        let pieces = prop::sample::select(vec![
            "a", " ", "\n", "\r", "\t", ":", "#", "-", "---", "'", "\"", "\\", "\0", "\u{feff}", "\u{85}",
            "\u{2028}", "é", "𝄞", "{{", "|", ">", "%", "&", "*", "\u{7f}", "\u{ffff}", "yes", "1e3", "0o7",
            "~", "=", "<<",
        ]);
        prop_oneof![
            prop::collection::vec(pieces, 0..9).prop_map(|pieces| pieces.concat()),
            any::<String>(),
            "[ -~\n]{0,40}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn strings_round_trip(key in strings(), value in strings(), other in strings()) {
            let document = json!({ "data": { key: value.clone(), "z": other }, "list": [value.clone(), { "x": value }] });
            let back = crate::yaml::parse_documents(&to_yaml(&document));
            prop_assert_eq!(back, Ok(vec![document]));
        }
    }
}
