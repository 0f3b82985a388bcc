//! The bytes around one offset of a file, as a rule sees them, independent of how the file was
//! split into chunks.

use super::alphabet::{Alphabet, leading_run};

/// The maximum number of bytes before the offset.
pub(super) const BYTES_BEFORE: usize = 1024;
/// The maximum number of bytes from the offset on.
pub(super) const BYTES_AFTER: usize = 2048;

/// An offset in a file, and the bytes around it.
#[derive(Clone, Copy)]
pub(super) struct Window<'a> {
    /// The bytes before it, at most [`BYTES_BEFORE`].
    pub(super) before: &'a [u8],
    /// The bytes from it on, at most [`BYTES_AFTER`].
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

    /// Returns the longest run of bytes in `alphabet` that starts at the offset.
    pub(super) fn leading_run(&self, alphabet: Alphabet) -> &'a [u8] {
        leading_run(self.rest, alphabet)
    }
}

/// Returns the last `size` bytes, or all if there are fewer.
pub(super) fn last_bytes(bytes: &[u8], size: usize) -> &[u8] {
    bytes.get(bytes.len().saturating_sub(size)..).unwrap_or_default()
}

/// Returns the bytes after the first occurrence of `start`; `None` if there is none.
pub(super) fn bytes_after<'a>(bytes: &'a [u8], start: &[u8]) -> Option<&'a [u8]> {
    Some(bytes.get(memchr::memmem::find(bytes, start)? + start.len()..).unwrap_or_default())
}
