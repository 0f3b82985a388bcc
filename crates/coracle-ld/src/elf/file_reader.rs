//! Reads bytes and strings of a file, within limits.

use super::error::{Error, Result};
use coracle_core::content::OpenContent;

/// Reads exactly `size` bytes at `offset`. `what` names the bytes in the error.
pub(super) fn read_exact(
    file: &OpenContent,
    offset: u64,
    size: usize,
    what: &'static str,
) -> Result<Vec<u8>> {
    let end = offset.checked_add(size as u64).ok_or(Error::Truncated(what))?;
    if end > file.size() {
        return Err(Error::Truncated(what));
    }
    Ok(file.read_bytes_at(offset, size)?)
}

/// Maximum number of string bytes to read of one file.
const MAX_STRING_BYTES: usize = 1 << 20;

/// Reads strings of one file, with a limit on their total size.
pub(super) struct BoundedStringReader<'a> {
    file: &'a OpenContent,
    bytes_left: usize,
}

impl<'a> BoundedStringReader<'a> {
    pub(super) fn new(file: &'a OpenContent) -> Self {
        Self { file, bytes_left: MAX_STRING_BYTES }
    }

    /// Reads the string at `offset`, without its NUL.
    pub(super) fn read_at(&mut self, offset: u64) -> Result<Vec<u8>> {
        let mut string = Vec::new();
        loop {
            let chunk = self.file.read_bytes_at(offset.saturating_add(string.len() as u64), 256)?;
            let end = chunk.iter().position(|&byte| byte == 0);
            let taken = end.unwrap_or(chunk.len());
            self.bytes_left =
                self.bytes_left.checked_sub(taken + 1).ok_or(Error::Damaged("its strings are too long"))?;
            if chunk.is_empty() {
                return Err(Error::Truncated("string table"));
            }
            string.extend(chunk.into_iter().take(taken));
            if end.is_some() {
                return Ok(string);
            }
        }
    }
}
