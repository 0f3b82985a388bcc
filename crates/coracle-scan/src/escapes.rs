//! Escapes of JSON, programming languages, shells, URLs and XML: `\n`, `\u002d`, `\x2d`, `\-`,
//! `%2D`, `&#45;`, `&amp;`, and `=2D` of quoted-printable text.
//!
//! Which of them a file uses is not known, so all are decoded.

use super::bytes_around_offset::{first_bytes, last_bytes};
use super::credential_runs::is_credential_byte;

/// The maximum length of a run with escapes on each side of its first escape.
const MAX_BEFORE: usize = 512;
const MAX_AFTER: usize = 4096;

/// Decodes all escapes in `bytes`.
pub(super) fn unescape(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        match decode_escape(rest) {
            Some((decoded, length)) => {
                text.extend(decoded);
                rest = rest.get(length..).unwrap_or_default();
            }
            None => {
                text.push(byte);
                rest = after;
            }
        }
    }
    text
}

/// Calls `visit` with each run of credential characters that contains escapes and starts in `bytes`
/// from `from` until `to`: its offset, and the decoded text.
pub(super) fn visit_escaped_runs(
    bytes: &[u8],
    from: usize,
    to: usize,
    visit: &mut dyn FnMut(usize, Vec<u8>),
) {
    let part = bytes.get(from..to).unwrap_or_default();
    let mut done = from;
    for at in memchr::memchr3_iter(b'\\', b'%', b'&', part).map(|at| from + at) {
        if at < done {
            continue;
        }
        let (before, rest) = bytes.split_at(at);
        let is_escape = decode_escape(rest).is_some_and(|(byte, _)| byte.is_none_or(is_credential_byte));
        if !is_escape {
            continue;
        }
        let before = last_bytes(before, MAX_BEFORE);
        let length = before.iter().rev().take_while(|&&byte| is_credential_byte(byte)).count();
        let start = at - length;
        let run = bytes.get(start..).unwrap_or_default();
        let (text, end) = decode_run(first_bytes(run, length + MAX_AFTER));
        done = start + end;
        visit(start, text);
    }
}

/// Decodes the run of credential characters and escapes of such characters at the start of `bytes`.
/// Returns the text and the length of the run.
fn decode_run(bytes: &[u8]) -> (Vec<u8>, usize) {
    let (mut text, mut end) = (Vec::new(), 0);
    while let Some(rest) = bytes.get(end..).filter(|rest| !rest.is_empty()) {
        match (decode_escape(rest), rest.first()) {
            (Some((decoded, length)), _) if decoded.is_none_or(is_credential_byte) => {
                text.extend(decoded);
                end += length;
            }
            (None, Some(&byte)) if is_credential_byte(byte) => {
                text.push(byte);
                end += 1;
            }
            _ => break,
        }
    }
    (text, end)
}

/// Decodes the escape at the start of `bytes`. Returns the character, if it is one, and the length of
/// the escape.
fn decode_escape(bytes: &[u8]) -> Option<(Option<u8>, usize)> {
    match bytes {
        [b'\\', rest @ ..] => decode_backslash(rest),
        [b'%', a, b, ..] => Some((Some(hex_byte(&[*a, *b])?), 3)),
        [b'&', b'#', b'x' | b'X', a, b, b';', ..] => Some((Some(hex_byte(&[*a, *b])?), 6)),
        [b'&', b'#', rest @ ..] => {
            let digits = rest.iter().position(|byte| *byte == b';').filter(|length| *length <= 3)?;
            let number = std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()?;
            Some((Some(number), digits + 3))
        }
        [b'&', rest @ ..] => XML_ENTITIES
            .iter()
            .find_map(|(name, byte)| rest.starts_with(name).then_some((Some(*byte), name.len() + 1))),
        _ => None,
    }
}

const XML_ENTITIES: [(&[u8], u8); 5] =
    [(b"amp;", b'&'), (b"quot;", b'"'), (b"apos;", b'\''), (b"lt;", b'<'), (b"gt;", b'>')];

/// Decodes what follows a backslash. Text that was escaped twice has several backslashes.
fn decode_backslash(rest: &[u8]) -> Option<(Option<u8>, usize)> {
    let more = rest.iter().take_while(|&&byte| byte == b'\\').count();
    let (byte, length) = match rest.get(more..)? {
        [b'u', b'0', b'0', a, b, ..] => (Some(hex_byte(&[*a, *b])?), 5),
        [b'u', b'{', a, b, b'}', ..] => (Some(hex_byte(&[*a, *b])?), 5),
        [b'x', a, b, ..] => (Some(hex_byte(&[*a, *b])?), 3),
        [a @ b'0'..=b'1', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
            (Some((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0')), 3)
        }
        [b'n', ..] => (Some(b'\n'), 1),
        [b'r', ..] => (Some(b'\r'), 1),
        [b't', ..] => (Some(b'\t'), 1),
        // A line that continues.
        [b'\r', b'\n', ..] => (None, 2),
        [b'\n', ..] => (None, 1),
        [byte, ..] if byte.is_ascii_punctuation() => (Some(*byte), 1),
        _ => return None,
    };
    Some((byte, 1 + more + length))
}

pub(super) fn hex_byte(digits: &[u8; 2]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(digits[0])? * 16 + digit(digits[1])?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_escapes() {
        for (text, expected) in [
            (r"a\nb\\nc", "a\nb\nc"),
            (r#"\"key\": \"x\""#, r#""key": "x""#),
            (r"gl\u002dpat\x2d\055", "gl-pat--"),
            ("a%2Fb%zz%", "a/b%zz%"),
            ("a&#45;b&#x2d;&amp;&other;", "a-b-&&other;"),
            ("a\\\nb", "ab"),
            (r"\d \w \", r"\d \w \"),
        ] {
            assert_eq!(unescape(text.as_bytes()), expected.as_bytes(), "{text}");
        }
    }

    #[test]
    fn visits_runs_with_escapes() {
        let mut found = Vec::new();
        let text = br"x gl\u002dpat\u002dabc def 100% a%3Db";
        visit_escaped_runs(text, 0, text.len(), &mut |at, text| {
            found.push((at, String::from_utf8(text).unwrap()));
        });
        assert_eq!(found, [(2, "gl-pat-abc".to_owned()), (32, "a=b".to_owned())]);
    }
}
