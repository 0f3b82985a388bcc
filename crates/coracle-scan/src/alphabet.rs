//! The sets of bytes that credentials consist of, and runs of them.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// A set of bytes.
pub(super) type Alphabet = fn(u8) -> bool;

/// Returns the longest prefix of `bytes` whose bytes are all in `alphabet`.
pub(super) fn leading_run(bytes: &[u8], alphabet: impl Fn(u8) -> bool) -> &[u8] {
    let end = bytes.iter().position(|&byte| !alphabet(byte)).unwrap_or(bytes.len());
    bytes.get(..end).unwrap_or_default()
}

/// Base64 without padding. The last digit may have bits that belong to a byte that is cut off.
const TRUNCATED_BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// Decodes the longest base64 prefix of `text`, in either alphabet of RFC 4648, with or without
/// padding.
///
/// The text after a credential is unknown and windows end anywhere, so the prefix can end in the
/// middle of a group of four digits. Decoders refuse such texts as a whole.
pub(super) fn decode_base64_prefix(text: &[u8]) -> Vec<u8> {
    let mut digits: Vec<u8> = text
        .iter()
        .map_while(|&byte| match byte {
            b'-' => Some(b'+'),
            b'_' => Some(b'/'),
            b'=' => None,
            _ => is_base64(byte).then_some(byte),
        })
        .collect();
    // A single digit has fewer bits than a byte.
    if digits.len() % 4 == 1 {
        digits.pop();
    }
    // This cannot fail: all bytes are digits, and every number of them is allowed.
    TRUNCATED_BASE64.decode(digits).unwrap_or_default()
}

pub(super) fn is_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

/// Lower-case hexadecimal digits, as tokens use them.
pub(super) fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// Lower-case hexadecimal digits and dashes, as in UUIDs.
pub(super) fn is_lower_hex_or_dash(byte: u8) -> bool {
    is_lower_hex(byte) || byte == b'-'
}

/// RFC 4648, section 6.
pub(super) fn is_base32(byte: u8) -> bool {
    matches!(byte, b'A'..=b'Z' | b'2'..=b'7')
}

pub(super) fn is_upper_or_digit(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

pub(super) fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// RFC 4648, section 5.
pub(super) fn is_base64url(byte: u8) -> bool {
    is_word_byte(byte) || byte == b'-'
}

/// RFC 4648, section 4, with padding.
pub(super) fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

pub(super) fn is_alphanumeric_or_slash(byte: u8) -> bool {
    is_alphanumeric(byte) || byte == b'/'
}

pub(super) fn is_base64url_or_slash(byte: u8) -> bool {
    is_base64url(byte) || byte == b'/'
}

pub(super) fn is_base64url_or_dot(byte: u8) -> bool {
    is_base64url(byte) || byte == b'.'
}

/// [`is_base64url`] with padding.
pub(super) fn is_padded_base64url(byte: u8) -> bool {
    is_base64url(byte) || byte == b'='
}

/// [`is_base64`], percent-encoded for a URL.
pub(super) fn is_escaped_base64(byte: u8) -> bool {
    is_base64(byte) || byte == b'%'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_the_longest_base64_prefix() {
        for (text, expected) in [
            ("dXNlcjpwYXNzd29yZA==", "user:password"),
            ("dXNlcjpwYXNzd29yZA", "user:password"),
            ("dXNlcjpwYXNzd29yZ", "user:passwor"),
            ("dXNlcjpwYXNzd29y", "user:passwor"),
            ("dXNl, and more", "use"),
            ("dXN", "us"),
            ("d", ""),
            ("", ""),
            ("=dXNl", ""),
            ("Pz8_Pj4-", "???>>>"),
        ] {
            assert_eq!(decode_base64_prefix(text.as_bytes()), expected.as_bytes(), "{text}");
        }
    }
}
