//! The bytes around one offset of a file, as a rule sees them, independent of how the file was
//! split into chunks.

/// The maximum number of bytes before the offset.
pub(super) const BYTES_BEFORE: usize = 1024;
/// The maximum number of bytes from the offset on.
pub(super) const BYTES_AFTER: usize = 2048;

/// An offset in a file, and the bytes around it.
#[derive(Clone, Copy)]
pub(super) struct Window<'a> {
    /// The bytes before it, at most [`BEHIND`].
    pub(super) before: &'a [u8],
    /// The bytes from it on, at most [`AHEAD`].
    pub(super) rest: &'a [u8],
}

impl<'a> Window<'a> {
    /// Creates the window of offset `at` in `bytes`.
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        let (before, rest) = bytes.split_at(at.min(bytes.len()));
        Self { before: last_bytes(before, BYTES_BEFORE), rest: rest.get(..BYTES_AFTER).unwrap_or(rest) }
    }

    /// Returns the byte before the offset.
    pub(super) fn previous_byte(&self) -> Option<u8> {
        self.before.last().copied()
    }

    /// Returns the longest run of `alphabet` that starts at the offset.
    pub(super) fn leading_run(&self, alphabet: Alphabet) -> &'a [u8] {
        leading_run(self.rest, alphabet)
    }
}

/// A set of bytes.
pub(super) type Alphabet = fn(u8) -> bool;

/// Returns the longest prefix of `bytes` whose bytes are all in `alphabet`.
pub(super) fn leading_run(bytes: &[u8], alphabet: impl Fn(u8) -> bool) -> &[u8] {
    let end = bytes.iter().position(|&byte| !alphabet(byte)).unwrap_or(bytes.len());
    bytes.get(..end).unwrap_or_default()
}

/// Returns the last `size` bytes, or all if there are fewer.
pub(super) fn last_bytes(bytes: &[u8], size: usize) -> &[u8] {
    bytes.get(bytes.len().saturating_sub(size)..).unwrap_or_default()
}

/// Returns the bytes after the first occurrence of `start`; `None` if there is none.
pub(super) fn bytes_after<'a>(bytes: &'a [u8], start: &[u8]) -> Option<&'a [u8]> {
    Some(bytes.get(memchr::memmem::find(bytes, start)? + start.len()..).unwrap_or_default())
}

pub(super) fn is_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

/// Lower-case hexadecimal digits, as tokens use them.
pub(super) fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
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

pub(super) fn is_base64url_or_dot(byte: u8) -> bool {
    is_base64url(byte) || byte == b'.'
}

/// [`base64url`] with padding.
pub(super) fn is_padded_base64url(byte: u8) -> bool {
    is_base64url(byte) || byte == b'='
}

/// [`base64`], percent-encoded for a URL.
pub(super) fn is_escaped_base64(byte: u8) -> bool {
    is_base64(byte) || byte == b'%'
}
