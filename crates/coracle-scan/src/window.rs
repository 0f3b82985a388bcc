//! What a rule sees: bytes around one place of a file, as many on each side wherever the file was cut into chunks.

/// Bytes in front of a place that a rule can see.
pub(super) const BEHIND: usize = 1024;
/// Bytes from a place on that a rule can see.
pub(super) const AHEAD: usize = 2048;

/// A place in a file, and what is around it.
#[derive(Clone, Copy)]
pub(super) struct Window<'a> {
    /// What stands in front of it, [`BEHIND`] bytes at most.
    pub(super) before: &'a [u8],
    /// What stands there, [`AHEAD`] bytes at most.
    pub(super) at: &'a [u8],
}

impl<'a> Window<'a> {
    /// The place `at` in `bytes`.
    pub(super) fn of(bytes: &'a [u8], at: usize) -> Self {
        let (before, rest) = bytes.split_at(at.min(bytes.len()));
        Self { before: last(before, BEHIND), at: rest.get(..AHEAD).unwrap_or(rest) }
    }

    /// The byte in front of the place.
    pub(super) fn previous(&self) -> Option<u8> {
        self.before.last().copied()
    }

    /// The bytes of `alphabet` from the place on.
    pub(super) fn run(&self, alphabet: Alphabet) -> &'a [u8] {
        run(self.at, alphabet)
    }
}

/// Which bytes something may be made of.
pub(super) type Alphabet = fn(u8) -> bool;

/// The longest start of `bytes` that is made of `alphabet`.
pub(super) fn run(bytes: &[u8], alphabet: impl Fn(u8) -> bool) -> &[u8] {
    let end = bytes.iter().position(|&byte| !alphabet(byte)).unwrap_or(bytes.len());
    bytes.get(..end).unwrap_or_default()
}

/// The last `size` bytes.
pub(super) fn last(bytes: &[u8], size: usize) -> &[u8] {
    bytes.get(bytes.len().saturating_sub(size)..).unwrap_or_default()
}

/// What follows `start` in `bytes`, when it is there.
pub(super) fn after<'a>(bytes: &'a [u8], start: &[u8]) -> Option<&'a [u8]> {
    Some(bytes.get(memchr::memmem::find(bytes, start)? + start.len()..).unwrap_or_default())
}

pub(super) fn alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

/// Lower-case hexadecimal digits, as every token that has such is written.
pub(super) fn hexadecimal(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// RFC 4648, section 6.
pub(super) fn base32(byte: u8) -> bool {
    matches!(byte, b'A'..=b'Z' | b'2'..=b'7')
}

pub(super) fn upper_or_digit(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

pub(super) fn word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// RFC 4648, section 5.
pub(super) fn base64url(byte: u8) -> bool {
    word(byte) || byte == b'-'
}

/// RFC 4648, section 4, with its padding.
pub(super) fn base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

pub(super) fn dotted(byte: u8) -> bool {
    base64url(byte) || byte == b'.'
}

/// [`base64url`] with padding.
pub(super) fn padded(byte: u8) -> bool {
    base64url(byte) || byte == b'='
}

/// [`base64`] as it stands in a URL.
pub(super) fn escaped(byte: u8) -> bool {
    base64(byte) || byte == b'%'
}
