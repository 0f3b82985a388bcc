//! The bytes around one offset of a file, as a rule sees them.

/// The maximum number of bytes before the offset.
pub(super) const BYTES_BEFORE: usize = 4 << 10;
/// The maximum number of bytes from the offset on. The longest credentials are private keys.
pub(super) const BYTES_AFTER: usize = 32 << 10;

/// An offset in a file, and the bytes around it.
#[derive(Clone, Copy)]
pub(super) struct BytesAroundOffset<'a> {
    /// The bytes before it, at most [`BYTES_BEFORE`].
    pub(super) before: &'a [u8],
    /// The bytes from it on, at most [`BYTES_AFTER`].
    pub(super) rest: &'a [u8],
}

impl<'a> BytesAroundOffset<'a> {
    /// Creates the window of offset `at` in `bytes`.
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        let (before, rest) = bytes.split_at(at.min(bytes.len()));
        Self { before: last_bytes(before, BYTES_BEFORE), rest: first_bytes(rest, BYTES_AFTER) }
    }

    /// Returns the byte before the offset.
    pub(super) fn previous_byte(&self) -> Option<u8> {
        self.before.last().copied()
    }
}

/// Returns the first `size` bytes, or all if there are fewer.
pub(super) fn first_bytes(bytes: &[u8], size: usize) -> &[u8] {
    bytes.get(..size).unwrap_or(bytes)
}

/// Returns the last `size` bytes, or all if there are fewer.
pub(super) fn last_bytes(bytes: &[u8], size: usize) -> &[u8] {
    bytes.get(bytes.len().saturating_sub(size)..).unwrap_or_default()
}

/// Returns the bytes after the first occurrence of `start`; `None` if there is none.
pub(super) fn bytes_after<'a>(bytes: &'a [u8], start: &[u8]) -> Option<&'a [u8]> {
    Some(bytes.get(memchr::memmem::find(bytes, start)? + start.len()..).unwrap_or_default())
}
