//! Text in other encodings: base64, hexadecimal, UTF-16.

use super::char_sets::{CharSet, decode_base64_prefix};
use super::escapes;
use super::key_files;

/// The minimum number of base64 digits that are decoded.
const MIN_BASE64: usize = 24;
/// The minimum number of hexadecimal digits that are decoded.
const MIN_HEX: usize = 40;
/// The minimum number of UTF-16 characters that are decoded.
const MIN_UTF16: usize = 16;
/// The minimum length of a line that is continued by the next one. Shorter ones are words.
const MIN_CONTINUED_LINE: usize = 48;

/// Text that was decoded.
#[derive(Debug)]
pub(super) struct DecodedText {
    pub(super) text: Vec<u8>,
    /// The encoding, for messages: `in base64`.
    pub(super) encoding: &'static str,
    /// The offset of the encoded text.
    pub(super) start: usize,
    /// The number of bytes that encode three bytes.
    pub(super) bytes_per_three: usize,
}

/// Decodes the run of credential characters from `start` until `end` of `bytes`, if it is text, a key
/// or compressed data in base64 or hexadecimal. It can continue on further lines.
pub(super) fn decode_run(bytes: &[u8], start: usize, end: usize, is_text: bool) -> Option<DecodedText> {
    let run = bytes.get(start..)?;
    let length = end - start;
    let named = run.get(..length.min(MAX_NAME))?;
    // An escape or, in binary data, a length can precede it.
    let skippable = if is_text { 2 } else { 4 };
    for (skipped, byte) in named.iter().enumerate().take((length + 1).saturating_sub(MIN_BASE64)) {
        let may_start = MAY_START_BASE64.get(usize::from(*byte)).copied().unwrap_or_default();
        if may_start
            && (skipped < skippable || is_after_sign(run, skipped))
            && starts_with_base64_of_text_or_key(run.get(skipped..)?)
        {
            let digits = joined_lines(run.get(skipped..)?, CharSet::BASE64_ANY);
            if digits.len() >= MIN_BASE64 {
                let (text, encoding) = (decode_base64_prefix(&digits), "in base64");
                return Some(DecodedText { text, encoding, start: start + skipped, bytes_per_three: 4 });
            }
        }
    }
    if length < MIN_HEX {
        return None;
    }
    let skipped = (1..named.len())
        .filter(|at| is_after_sign(run, *at))
        .chain([0])
        .find(|at| run.get(*at..).is_some_and(starts_with_hex_of_text_or_key))?;
    let digits = joined_lines(run.get(skipped..)?, CharSet::HEX);
    let text = decode_hex(&digits)?;
    Some(DecodedText { text, encoding: "in hexadecimal", start: start + skipped, bytes_per_three: 6 })
}

/// Returns whether `=` or `.`, which can end a name, is before the offset.
fn is_after_sign(run: &[u8], at: usize) -> bool {
    at.checked_sub(1).and_then(|before| run.get(before)).is_some_and(|byte| b"=.".contains(byte))
}

/// The maximum length of a name before an encoded value.
const MAX_NAME: usize = 128;

/// The base64 digits that text, or binary data that is recognized, can start with.
#[allow(clippy::indexing_slicing, reason = "it is evaluated by the compiler")]
const MAY_START_BASE64: [bool; 256] = {
    let mut digits = [false; 256];
    let mut digit = 0;
    while digit < 256 {
        let mut low = 0;
        while BASE64_VALUES[digit] < 64 && low < 4 {
            let byte = BASE64_VALUES[digit] << 2 | low;
            digits[digit] |= is_text(byte)
                || matches!(byte, 0 | 3 | 0x1f | 0x94..=0x9e | 0xc5 | 0xc7 | 0xce | 0xfe | 0xff);
            low += 1;
        }
        digit += 1;
    }
    digits
};

/// Returns whether `bytes` starts with base64 of something that can contain a credential: text, or the
/// start of a key file or of compressed data. Nearly every run fails at its first digits.
fn starts_with_base64_of_text_or_key(bytes: &[u8]) -> bool {
    let Some((start, _)) = bytes.split_at_checked(16) else { return false };
    let (groups, _) = start.as_chunks::<4>();
    let Some(first) = groups.first().and_then(decode_group) else { return false };
    let is_text_group = |bytes: [u8; 3]| bytes.iter().all(|byte| is_text(*byte));
    if is_text_group(first)
        && groups.iter().skip(1).all(|group| decode_group(group).is_some_and(is_text_group))
    {
        return true;
    }
    let Some(second) = groups.get(1).and_then(decode_group) else { return false };
    let ([a, b, c], [d, e, f]) = (first, second);
    may_start_binary([a, b, c, d, e, f])
        && is_binary_start(&decode_base64_prefix(bytes.get(..KEY_START).unwrap_or(bytes)))
}

/// Decodes four base64 digits.
fn decode_group(digits: &[u8; 4]) -> Option<[u8; 3]> {
    let mut bits = 0;
    for digit in digits {
        bits = bits << 6
            | u32::from(BASE64_VALUES.get(usize::from(*digit)).copied().filter(|value| *value < 64)?);
    }
    let [_, bytes @ ..] = u32::to_be_bytes(bits);
    Some(bytes)
}

/// The values of base64 digits in either alphabet; 64 for other bytes.
#[allow(clippy::indexing_slicing, reason = "it is evaluated by the compiler")]
const BASE64_VALUES: [u8; 256] = {
    let mut values = [64; 256];
    let mut value = 0;
    while value < 62 {
        values[b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"[value as usize] as usize] =
            value;
        value += 1;
    }
    values[b'+' as usize] = 62;
    values[b'-' as usize] = 62;
    values[b'/' as usize] = 63;
    values[b'_' as usize] = 63;
    values
};

/// Returns whether `bytes` can be the start of binary data that is recognized. Those that words
/// decode to rarely are. [`MAY_START_BASE64`] has their first bytes.
fn may_start_binary(bytes: [u8; 6]) -> bool {
    match bytes {
        // DER: a sequence that starts with an integer or a sequence.
        [0x30, 0..=0x80, 2 | 0x30, ..]
        | [0x30, 0x81, _, 2 | 0x30, ..]
        | [0x30, 0x82, _, _, 2 | 0x30, _]
        | [0x30, 0x83, _, _, _, 2 | 0x30] => true,
        // OpenPGP: a packet, its length and its version.
        [0x94 | 0x9c, _, 3..=6, ..]
        | [0x95 | 0x9d, _, _, 3..=6, ..]
        | [0x96 | 0x9e, _, _, _, _, 3..=6]
        | [0xc5 | 0xc7, 0..=191, 3..=6, ..]
        | [0xc5 | 0xc7, 192..=223, _, 3..=6, ..]
        | [0xc5 | 0xc7, 255, ..] => true,
        [0xfe, 0xed, 0xfe, 0xed, ..] | [0xce, 0xce, 0xce, 0xce, ..] => true,
        [0x1f, 0x8b, 8, ..] | [b'P', b'K', 3, 4, ..] | [0, 0, 0, ..] | [3, 0xd9, 0xa2, ..] => true,
        [first, 0, second, 0, ..] | [0, first, 0, second, ..] => is_text(first) && is_text(second),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        [b'o', b'p', b'e', b'n', ..] => true,
        _ => false,
    }
}

/// The number of base64 digits that are enough to recognize a key.
const KEY_START: usize = 128;

/// Returns whether `start` is that of a file of keys, of compressed data or of text in UTF-16.
fn is_binary_start(start: &[u8]) -> bool {
    const MAGIC: [&[u8]; 2] = [b"\x1f\x8b\x08", b"PK\x03\x04"];
    MAGIC.iter().any(|magic| start.starts_with(magic))
        || key_files::may_be_key_file(start)
        || start.get(..12).is_some_and(is_utf16)
        || start.get(2..14).is_some_and(is_utf16)
}

fn starts_with_hex_of_text_or_key(bytes: &[u8]) -> bool {
    bytes.get(..MIN_HEX).is_some_and(|start| start.chunks(2).all(|pair| hex_byte(pair).is_some_and(is_text)))
}

const fn is_text(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t')
}

/// Returns the characters of `set` at the start of `bytes`, which can continue on further lines.
fn joined_lines(bytes: &[u8], set: CharSet) -> Vec<u8> {
    let (mut joined, mut rest) = (Vec::new(), bytes);
    loop {
        let line = set.leading_run(rest);
        joined.extend_from_slice(line);
        let after = rest.get(line.len()..).unwrap_or_default();
        let Some(next) = skip_line_end(after).filter(|_| line.len() >= MIN_CONTINUED_LINE) else {
            return joined;
        };
        rest = next;
    }
}

/// Skips the end of a line, as it is or escaped, and the indentation of the next one.
fn skip_line_end(bytes: &[u8]) -> Option<&[u8]> {
    let is_ignored_path = |byte: &u8| b" \t\r\"'`+,>#*".contains(byte);
    let before = bytes.iter().take_while(|byte| is_ignored_path(byte)).count();
    let rest = bytes.get(before..)?;
    let rest = match rest {
        [b'\n', rest @ ..] | [b'\\', b'n', rest @ ..] | [b'\\', b'\n', rest @ ..] => rest,
        [b'\\', b'r', b'\\', b'n', rest @ ..] => rest,
        _ => return None,
    };
    rest.get(rest.iter().take_while(|byte| is_ignored_path(byte)).count()..)
}

fn decode_hex(digits: &[u8]) -> Option<Vec<u8>> {
    digits.chunks_exact(2).map(hex_byte).collect()
}

fn hex_byte(pair: &[u8]) -> Option<u8> {
    let [high, low] = pair else { return None };
    escapes::hex_byte(&[*high, *low])
}

/// Calls `visit` with each text in UTF-16, of either byte order, that starts in `bytes` from `from`
/// until `to`.
pub(super) fn visit_utf16(bytes: &[u8], from: usize, to: usize, visit: &mut dyn FnMut(DecodedText)) {
    // Each text covers one of these offsets, so a text across the border is found at the first one.
    let mut at = from;
    while at < to {
        let sample = bytes.get(at..at + 8).unwrap_or_default();
        if !is_utf16(sample) {
            at += MIN_UTF16;
            continue;
        }
        // The offset of the first byte of a character.
        let is_little_endian = sample.get(1) == Some(&0);
        let is_character = |at: usize| {
            let (Some(first), Some(second)) = (bytes.get(at), bytes.get(at + 1)) else { return false };
            let (low, high) = if is_little_endian { (first, second) } else { (second, first) };
            *high == 0 && is_text(*low)
        };
        let mut start = at;
        while start >= from + 2 && is_character(start - 2) {
            start -= 2;
        }
        let mut end = at;
        while is_character(end) {
            end += 2;
        }
        // At an odd offset, one byte order looks like the other one, which misses a character.
        let first = start.checked_sub(1).and_then(|at| bytes.get(at).copied());
        let (first, last) = if is_little_endian {
            (None, bytes.get(end).copied().filter(|_| first == Some(0)))
        } else {
            (first, None)
        };
        let is_text = |byte: &u8| is_text(*byte);
        let characters = (start..end)
            .step_by(2)
            .filter_map(|at| bytes.get(if is_little_endian { at } else { at + 1 }).copied());
        let first = first.filter(is_text);
        start -= usize::from(first.is_some() || start > 0 && last.is_some());
        let text: Vec<u8> = first.into_iter().chain(characters).chain(last.filter(is_text)).collect();
        if text.len() >= MIN_UTF16 {
            visit(DecodedText { text, encoding: "in UTF-16", start, bytes_per_three: 6 });
        }
        at = end.max(at + MIN_UTF16);
    }
}

/// Returns whether `bytes` are at least four characters of UTF-16.
fn is_utf16(bytes: &[u8]) -> bool {
    let is_le = |pair: &[u8]| matches!(pair, [byte, 0] if is_text(*byte));
    let is_be = |pair: &[u8]| matches!(pair, [0, byte] if is_text(*byte));
    bytes.len() >= 8 && (bytes.chunks_exact(2).all(is_le) || bytes.chunks_exact(2).all(is_be))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};

    use super::*;

    const TEXT: &str = "user: ada\npassword: tr0ub4dor, and more of it, so that there are lines.\n";

    fn decoded(text: &str) -> Option<String> {
        let run = super::super::char_sets::leading_run(
            text.as_bytes(),
            super::super::credential_runs::is_credential_byte,
        );
        let found = decode_run(text.as_bytes(), 0, run.len(), true)?;
        Some(String::from_utf8_lossy(&found.text).into_owned())
    }

    #[test]
    fn decodes_base64() {
        let encoded = BASE64_STANDARD.encode(TEXT);
        assert_eq!(decoded(&encoded).as_deref(), Some(TEXT));
        assert_eq!(decoded(&BASE64_URL_SAFE_NO_PAD.encode(TEXT)).as_deref(), Some(TEXT));
        assert_eq!(decoded(&format!("data={encoded}")).as_deref(), Some(TEXT));
        assert_eq!(decoded(&format!("x{encoded}")).as_deref(), Some(TEXT));
        let lines = encoded.as_bytes().chunks(60).map(|line| std::str::from_utf8(line).unwrap());
        for separator in ["\n", "\r\n  ", "\\n"] {
            let lines = lines.clone().collect::<Vec<_>>().join(separator);
            assert_eq!(decoded(&lines).as_deref(), Some(TEXT), "{separator:?}");
        }
        for text in ["internationalization_of_everything", "0123456789abcdef0123456789abcdef", "aaaa"] {
            assert_eq!(decoded(text), None, "{text}");
        }
    }

    #[test]
    fn decodes_hexadecimal() {
        let encoded: String = TEXT.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(decoded(&encoded).as_deref(), Some(TEXT));
        assert_eq!(decoded(&format!("key={encoded}")).as_deref(), Some(TEXT));
    }

    #[test]
    fn decodes_utf16() {
        let mut found = Vec::new();
        let little: Vec<u8> = TEXT.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = TEXT.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for before in 0..20 {
            let bytes = [&vec![1; before], &little[..], &[1, 1, 1], &big, &[1]].concat();
            found.clear();
            visit_utf16(&bytes, 0, bytes.len(), &mut |decoded| found.push((decoded.start, decoded.text)));
            let text = TEXT.as_bytes().to_vec();
            let second = before + little.len() + 3;
            assert_eq!(found, [(before, text.clone()), (second, text)], "{before}");
        }
    }
}
