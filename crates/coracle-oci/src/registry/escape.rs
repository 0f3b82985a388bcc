//! Escaping: untrusted text for display, and text for URL queries.

use coracle_core::escape::escape_text;

/// Returns at most `limit` characters of `text`, with unsafe characters escaped.
pub(super) fn escape_untrusted(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => escape_text(text.get(..end).unwrap_or_default()) + "…",
        None => escape_text(text),
    }
}

/// Percent-encodes `text` for a URL query. `:` and `/` are kept. Source: RFC 3986, 2.1 and 3.4.
pub(super) fn encode_query(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_control_characters_and_truncates() {
        assert_eq!(escape_untrusted("a\x1b[2Jb\r\u{202e}é\u{9b}", 99), r"a\u{1b}[2Jb\r\u{202e}é\u{9b}");
        assert_eq!(escape_untrusted("abcdef", 3), "abc…");
        assert_eq!(escape_untrusted("abc", 3), "abc");
    }

    #[test]
    fn encodes_queries() {
        assert_eq!(encode_query("repository:a/b:pull,push"), "repository:a/b:pull%2Cpush");
        assert_eq!(encode_query("é&=+ #"), "%C3%A9%26%3D%2B%20%23");
    }
}
