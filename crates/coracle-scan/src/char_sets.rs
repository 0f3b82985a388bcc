//! The sets of characters that credentials consist of, and runs of them.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// A set of ASCII characters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct CharSet(u128);

impl CharSet {
    pub(super) const DIGITS: Self = Self::EMPTY.with_range(b'0', b'9');
    pub(super) const LETTERS_LOWER: Self = Self::EMPTY.with_range(b'a', b'z');
    pub(super) const LOWER_HEX: Self = Self::DIGITS.with_range(b'a', b'f');
    pub(super) const HEX: Self = Self::LOWER_HEX.with_range(b'A', b'F');
    pub(super) const HEX_OR_DASH: Self = Self::HEX.with(b"-");
    /// RFC 4648, section 6.
    pub(super) const BASE32: Self = Self::EMPTY.with_range(b'A', b'Z').with_range(b'2', b'7');
    pub(super) const LOWER_OR_DIGIT: Self = Self::DIGITS.with_range(b'a', b'z');
    pub(super) const UPPER_OR_DIGIT: Self = Self::DIGITS.with_range(b'A', b'Z');
    pub(super) const LETTERS: Self = Self::LETTERS_LOWER.with_range(b'A', b'Z');
    pub(super) const ALPHANUMERIC: Self = Self::LETTERS.with_range(b'0', b'9');
    pub(super) const WORD: Self = Self::ALPHANUMERIC.with(b"_");
    /// RFC 4648, section 5.
    pub(super) const BASE64URL: Self = Self::WORD.with(b"-");
    /// RFC 4648, section 4, with padding.
    pub(super) const BASE64: Self = Self::ALPHANUMERIC.with(b"+/=");
    /// Both alphabets of base64, with padding.
    pub(super) const BASE64_ANY: Self = Self::BASE64.with(b"-_");
    pub(super) const PRINTABLE: Self = Self::EMPTY.with_range(b'!', b'~');

    pub(super) const DASH: Self = Self::EMPTY.with(b"-");

    const EMPTY: Self = Self(0);

    /// Returns the set with the characters from `first` to `last`.
    pub(super) const fn with_range(self, first: u8, last: u8) -> Self {
        let (mut bits, mut byte) = (self.0, first);
        while byte <= last {
            bits |= 1 << byte;
            byte += 1;
        }
        Self(bits)
    }

    /// Returns the set with `characters`.
    pub(super) const fn with(self, mut characters: &[u8]) -> Self {
        let mut bits = self.0;
        while let [first, rest @ ..] = characters {
            bits |= 1 << (*first & 0x7f);
            characters = rest;
        }
        Self(bits)
    }

    pub(super) const fn contains(self, byte: u8) -> bool {
        byte < 0x80 && self.0 >> byte & 1 == 1
    }

    /// The number of characters.
    pub(super) const fn size(self) -> u32 {
        self.0.count_ones()
    }

    /// Returns the longest prefix of `bytes` in the set.
    pub(super) fn leading_run(self, bytes: &[u8]) -> &[u8] {
        leading_run(bytes, |byte| self.contains(byte))
    }

    /// Returns the length of the longest suffix of `bytes` in the set.
    pub(super) fn trailing_run(self, bytes: &[u8]) -> usize {
        bytes.iter().rev().take_while(|&&byte| self.contains(byte)).count()
    }
}

/// Returns the longest prefix of `bytes` whose bytes all satisfy `is_in`.
pub(super) fn leading_run(bytes: &[u8], is_in: impl Fn(u8) -> bool) -> &[u8] {
    let end = bytes.iter().position(|&byte| !is_in(byte)).unwrap_or(bytes.len());
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
            _ => CharSet::BASE64.contains(byte).then_some(byte),
        })
        .collect();
    // A single digit has fewer bits than a byte.
    if digits.len() % 4 == 1 {
        digits.pop();
    }
    // This cannot fail: all bytes are digits, and every number of them is allowed.
    TRUNCATED_BASE64.decode(digits).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_have_their_characters() {
        assert_eq!(CharSet::HEX.size(), 22);
        assert_eq!(CharSet::BASE64URL.size(), 64);
        assert!(CharSet::BASE64.contains(b'=') && !CharSet::BASE64.contains(b'-'));
        assert!(!CharSet::PRINTABLE.contains(b' ') && !CharSet::PRINTABLE.contains(0xe9));
        assert_eq!(CharSet::DIGITS.leading_run(b"12a3"), b"12");
        assert_eq!(CharSet::DIGITS.trailing_run(b"a123"), 3);
    }

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
