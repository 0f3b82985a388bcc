//! Retries: exponential backoff without jitter, and which failures are transient.

use std::time::Duration;

use super::error::RegistryError;
use super::http_transport::TransportFailure;
use super::response::Response;
use super::settings::RetryPolicy;

/// The backoff of one request.
pub(super) struct Backoff {
    retries: RetryPolicy,
    attempts_made: u32,
}

impl Backoff {
    pub(super) fn new(retries: RetryPolicy) -> Self {
        Self { retries, attempts_made: 1 }
    }

    /// The delay before the next attempt, at least `requested`. `None` if there are no attempts
    /// left, or `requested` is longer than the maximum.
    pub(super) fn next_delay(&mut self, requested: Option<Duration>) -> Option<Duration> {
        let RetryPolicy { attempts, initial_delay: first, max_delay: longest } = self.retries;
        if self.attempts_made >= attempts || requested.is_some_and(|requested| requested > longest) {
            return None;
        }
        let doubled = first.saturating_mul(1_u32.checked_shl(self.attempts_made - 1).unwrap_or(u32::MAX));
        self.attempts_made += 1;
        // `Retry-After: 0` must not lead to retries without a delay.
        Some(doubled.min(longest).max(requested.unwrap_or_default()))
    }

    /// Sleeps and returns true if a request with this outcome should be retried, else returns
    /// false.
    pub(super) fn wait_to_retry(
        &mut self,
        outcome: &Result<Response, RegistryError>,
        repeatable: bool,
    ) -> bool {
        let pause = match outcome {
            Ok(response) if is_transient_status(response.status, repeatable) => {
                self.next_delay(response.retry_after())
            }
            Err(error) if repeatable && is_connection_lost(error) => self.next_delay(None),
            _ => None,
        };
        pause.is_some_and(|pause| {
            std::thread::sleep(pause);
            true
        })
    }
}

/// Returns whether a status is transient. With 429 and 503 the request had no effect, so it can always be
/// repeated.
pub(super) fn is_transient_status(status: u16, repeatable: bool) -> bool {
    matches!(status, 429 | 503) || repeatable && matches!(status, 408 | 500 | 502 | 504)
}

/// Returns whether the connection was lost before the response was complete.
pub(super) fn is_connection_lost(error: &RegistryError) -> bool {
    matches!(error, RegistryError::NoResponse { failure: TransportFailure::ConnectionLost, .. })
}

/// Returns whether the connection was lost or timed out.
pub(super) fn is_response_lost(error: &RegistryError) -> bool {
    matches!(
        error,
        RegistryError::NoResponse {
            failure: TransportFailure::ConnectionLost | TransportFailure::Timeout,
            ..
        }
    )
}

/// Returns whether a failed upload can be resumed or restarted: `Some` with the delay that the server asks
/// for, if any.
pub(super) fn upload_retry_delay(error: &RegistryError) -> Option<Option<Duration>> {
    match error {
        RegistryError::Refused { refusal, .. } => {
            // The session has expired, or its offset is not the expected one.
            let lost = matches!(refusal.status, 404 | 416);
            (lost || is_transient_status(refusal.status, true)).then_some(refusal.retry_after)
        }
        error => is_response_lost(error).then_some(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_maximum() {
        let retries = RetryPolicy {
            attempts: 5,
            initial_delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(3),
        };
        let mut backoff = Backoff::new(retries);
        let seconds: Vec<u64> =
            std::iter::from_fn(|| backoff.next_delay(None)).map(|wait| wait.as_secs()).collect();
        assert_eq!(seconds, [1, 2, 3, 3]);
        let mut backoff = Backoff::new(retries);
        assert_eq!(backoff.next_delay(Some(Duration::from_secs(2))), Some(Duration::from_secs(2)));
        assert_eq!(backoff.next_delay(Some(Duration::from_secs(4))), None);
        let endless = RetryPolicy { attempts: u32::MAX, ..retries };
        assert_eq!(
            Backoff { retries: endless, attempts_made: u32::MAX - 1 }.next_delay(None),
            Some(retries.max_delay)
        );
    }
}
