//! Escaping of untrusted text. Names, labels and messages of others must not control a terminal, and
//! must look like what they are.

/// Returns whether `c` controls a terminal, reorders text or is invisible: control characters, line
/// separators, bidirectional and other format characters. Source: Unicode Standard Annex 9, 2.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
        || matches!(c, '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}')
}

/// Returns `text` with unsafe characters escaped, as in Rust: `\n`, `\u{202e}`.
pub fn escape_text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        push_escaped(&mut escaped, c);
    }
    escaped
}

/// Returns `bytes` as text, with unsafe characters and invalid UTF-8 escaped.
pub fn escape_bytes(bytes: &[u8]) -> String {
    let mut escaped = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        escaped.push_str(&escape_text(chunk.valid()));
        for byte in chunk.invalid() {
            escaped.push_str(&format!("\\x{byte:02x}"));
        }
    }
    escaped
}

/// Returns the JSON document `text` with unsafe characters in its strings escaped. It has the same
/// value. Only strings of a document without white space contain such characters.
pub fn escape_json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| escaped.push_str(&format!("\\u{unit:04x}")));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Appends `c`, escaped if it is unsafe.
pub fn push_escaped(text: &mut String, c: char) {
    if is_unsafe(c) { text.extend(c.escape_default()) } else { text.push(c) }
}

/// The widest column of a table that is padded for. `format!` panics for widths above 65,535.
const MAX_COLUMN_WIDTH: usize = 256;

/// Returns the width that a column of these cells is padded to: that of the widest cell, but at most
/// 256. Wider cells move the rest of their row.
pub fn column_width<'a>(cells: impl IntoIterator<Item = &'a str>) -> usize {
    let widths = cells.into_iter().map(|cell| cell.chars().count());
    widths.max().unwrap_or_default().min(MAX_COLUMN_WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_controls_terminals_reorders_text_or_is_invisible() {
        for (text, escaped) in [
            ("a\x1b[2Jé", r"a\u{1b}[2Jé"),
            ("line\nline\t", r"line\nline\t"),
            ("\u{9b}2J\u{7f}", r"\u{9b}2J\u{7f}"),
            ("a\u{202e}b\u{2066}\u{200f}\u{61c}", r"a\u{202e}b\u{2066}\u{200f}\u{61c}"),
            ("zero\u{200b}width\u{feff}\u{ad}", r"zero\u{200b}width\u{feff}\u{ad}"),
            ("tag\u{e0041}", r"tag\u{e0041}"),
            ("\u{2028}\u{2029}", r"\u{2028}\u{2029}"),
            ("日本語 → ✓", "日本語 → ✓"),
        ] {
            assert_eq!(escape_text(text), escaped);
            assert_eq!(escape_bytes(text.as_bytes()), escaped);
        }
        assert_eq!(escape_bytes(b"a\xffb"), r"a\xffb");
    }

    #[test]
    fn escaped_json_has_the_same_value() {
        let value = serde_json::json!({"a\u{202e}": "\u{9b}\u{e0041}\u{7f}\n"});
        let escaped = escape_json(&value.to_string());
        assert!(!escaped.contains(is_unsafe), "{escaped}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap(), value);
    }

    #[test]
    fn columns_are_never_wider_than_format_accepts() {
        assert_eq!(column_width(["a", "äöü"]), 3);
        assert_eq!(column_width([]), 0);
        let long = "x".repeat(70_000);
        let width = column_width([long.as_str(), "x"]);
        assert_eq!(format!("{:width$}|", "x").len(), 257);
    }
}
