//! Limits how slowly a blob may be transferred: the timeouts of single reads and writes would let a
//! server hold a transfer for ever.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use super::http_transport::TransportFailure;

/// The minimum transfer rate of a blob, in bytes per second.
const MIN_BYTES_PER_SECOND: u64 = 1 << 10;

/// The time that the transfer of `length` bytes may take, in addition to `timeout`.
pub(super) fn max_transfer_time(length: u64, timeout: Duration) -> Duration {
    timeout.saturating_add(Duration::from_secs(length / MIN_BYTES_PER_SECOND))
}

/// A reader that fails if a period of waiting brings less than the minimum rate. Time between reads
/// does not count, because the receiver may be the slow one.
pub(super) struct MinimumRateReader<R> {
    inner: R,
    period: Duration,
    waited: Duration,
    received: u64,
}

impl<R: Read> MinimumRateReader<R> {
    pub(super) fn new(inner: R, period: Duration) -> Self {
        Self { inner, period, waited: Duration::ZERO, received: 0 }
    }

    /// Counts a read of `received` bytes. Returns false if the period is over and the rate in it
    /// was too low.
    fn count_and_check_rate(&mut self, waited: Duration, received: usize) -> bool {
        self.waited += waited;
        self.received += received as u64;
        if self.waited < self.period {
            return true;
        }
        let expected = u128::from(MIN_BYTES_PER_SECOND) * self.waited.as_millis() / 1000;
        let received = u128::from(std::mem::take(&mut self.received));
        self.waited = Duration::ZERO;
        received >= expected
    }
}

impl<R: Read> Read for MinimumRateReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let start = Instant::now();
        let read = self.inner.read(buffer)?;
        match read == 0 || self.count_and_check_rate(start.elapsed(), read) {
            true => Ok(read),
            false => Err(io::Error::new(io::ErrorKind::TimedOut, TransportFailure::Timeout)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_period_needs_the_minimum_rate() {
        let second = Duration::from_secs(1);
        let mut reader = MinimumRateReader::new(io::empty(), 10 * second);
        // Slow reads are allowed until the period is over.
        assert!((0..9).all(|_| reader.count_and_check_rate(second, 1)));
        assert!(!reader.count_and_check_rate(second, 1));
        assert!((0..9).all(|_| reader.count_and_check_rate(second, 1)));
        assert!(reader.count_and_check_rate(second, 10 << 10));
        assert!(!reader.count_and_check_rate(100 * second, 10 << 10));
    }

    #[test]
    fn transfers_may_take_longer_if_they_are_larger() {
        let timeout = Duration::from_secs(120);
        assert_eq!(max_transfer_time(0, timeout), timeout);
        assert_eq!(max_transfer_time(1 << 20, timeout), Duration::from_secs(120 + 1024));
        assert!(max_transfer_time(u64::MAX, Duration::MAX) == Duration::MAX);
    }
}
