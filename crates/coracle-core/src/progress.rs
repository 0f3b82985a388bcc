//! Progress of a long operation, and its cancellation.
//!
//! An operation takes a `&dyn Progress`, reports the bytes that it has processed, and ends with the
//! `Cancelled` variant of its error once the caller cancels it.

use std::io::{self, Read};

/// Receives the progress of an operation, and can cancel it.
pub trait Progress: Sync {
    /// Called after `bytes` more bytes have been processed.
    fn advance(&self, bytes: u64) {
        let _ = bytes;
    }

    /// Returns whether the operation should end. Must not return false after it has returned true.
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// A [`Progress`] that ignores all reports and never cancels.
impl Progress for () {}

/// A [`Progress`] that forwards cancellation, but reports no bytes.
pub struct CancelOnly<'a>(pub &'a dyn Progress);

impl Progress for CancelOnly<'_> {
    fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}

/// The error of a cancelled operation. Readers return it inside an [`io::Error`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("interrupted")]
pub struct Cancelled;

impl Cancelled {
    /// Returns whether `error` was created from a [`Cancelled`].
    pub fn is_cause_of(error: &io::Error) -> bool {
        error.get_ref().is_some_and(
            <dyn std::error::Error + std::marker::Send + std::marker::Sync + 'static>::is::<Self>,
        )
    }
}

impl From<Cancelled> for io::Error {
    fn from(cancelled: Cancelled) -> Self {
        Self::other(cancelled)
    }
}

/// A reader that reports the bytes read, and fails with [`Cancelled`] once the operation is
/// cancelled.
pub struct ProgressReader<'a, R> {
    reader: R,
    progress: &'a dyn Progress,
}

impl<'a, R: Read> ProgressReader<'a, R> {
    /// Creates a reader of `reader`.
    pub fn new(reader: R, progress: &'a dyn Progress) -> Self {
        Self { reader, progress }
    }
}

impl<R: Read> Read for ProgressReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.progress.is_cancelled() {
            return Err(Cancelled.into());
        }
        let read = self.reader.read(buffer)?;
        self.progress.advance(read as u64);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Cancels after three bytes.
    #[derive(Default)]
    struct ThreeBytes(AtomicU64);

    impl Progress for ThreeBytes {
        fn advance(&self, bytes: u64) {
            self.0.fetch_add(bytes, Ordering::Relaxed);
        }

        fn is_cancelled(&self) -> bool {
            self.0.load(Ordering::Relaxed) >= 3
        }
    }

    #[test]
    fn reader_reports_bytes_and_ends_when_cancelled() {
        let progress = ThreeBytes::default();
        let mut reader = ProgressReader::new(&b"abcdef"[..], &progress);
        let mut buffer = [0; 3];
        assert_eq!(reader.read(&mut buffer).unwrap(), 3);
        assert!(Cancelled::is_cause_of(&reader.read(&mut buffer).unwrap_err()));
        assert!(!Cancelled::is_cause_of(&io::ErrorKind::Interrupted.into()));
        let mut rest = Vec::new();
        let unlimited = CancelOnly(&());
        ProgressReader::new(&b"abcdef"[..], &unlimited).read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"abcdef");
    }
}
