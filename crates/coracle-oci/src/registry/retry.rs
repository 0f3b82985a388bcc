//! Retry policy: exponential backoff without jitter, and `Retry-After`. Source: RFC 9110, 10.2.3
//! and 5.6.7.

use std::time::Duration;

use super::error::{Error, TransportFailure};
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

    /// The delay before the next attempt, at least `asked`. `None` if there are no attempts left,
    /// or `asked` is longer than the maximum.
    pub(super) fn next_delay(&mut self, asked: Option<Duration>) -> Option<Duration> {
        let RetryPolicy { attempts, initial_delay: first, max_delay: longest } = self.retries;
        if self.attempts_made >= attempts || asked.is_some_and(|asked| asked > longest) {
            return None;
        }
        let doubled = first.saturating_mul(1_u32.checked_shl(self.attempts_made - 1).unwrap_or(u32::MAX));
        self.attempts_made += 1;
        // `Retry-After: 0` must not lead to retries without a delay.
        Some(doubled.min(longest).max(asked.unwrap_or_default()))
    }

    /// Sleeps and returns true if a request with this outcome should be retried, else returns
    /// false.
    pub(super) fn wait_to_retry(&mut self, outcome: &Result<Response, Error>, repeatable: bool) -> bool {
        let pause = match outcome {
            Ok(answer) if is_transient_status(answer.status, repeatable) => {
                self.next_delay(answer.retry_after())
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

/// Whether a status is transient. With 429 and 503 the request had no effect, so it can always be
/// repeated.
pub(super) fn is_transient_status(status: u16, repeatable: bool) -> bool {
    matches!(status, 429 | 503) || repeatable && matches!(status, 408 | 500 | 502 | 504)
}

/// Whether the connection was lost before the response was complete.
pub(super) fn is_connection_lost(error: &Error) -> bool {
    matches!(error, Error::NoResponse { failure: TransportFailure::ConnectionLost, .. })
}

/// Whether the connection was lost or timed out.
pub(super) fn is_response_lost(error: &Error) -> bool {
    matches!(
        error,
        Error::NoResponse { failure: TransportFailure::ConnectionLost | TransportFailure::Timeout, .. }
    )
}

/// Whether a failed upload can be resumed or restarted: `Some` with the delay that the server asks
/// for, if any.
pub(super) fn upload_retry_delay(error: &Error) -> Option<Option<Duration>> {
    match error {
        Error::Refused { refusal, .. } => {
            // The session has expired, or its offset is not the expected one.
            let lost = matches!(refusal.status, 404 | 416);
            (lost || is_transient_status(refusal.status, true)).then_some(refusal.retry_after)
        }
        error => is_response_lost(error).then_some(None),
    }
}

/// Parses `Retry-After`: seconds, or a date. A date is relative to `now`, the `Date` header, so the
/// local clock does not matter.
pub(super) fn parse_retry_after(after: &str, now: Option<&str>) -> Option<Duration> {
    let after = after.trim();
    if let Ok(seconds) = after.parse() {
        return Some(Duration::from_secs(seconds));
    }
    Some(Duration::from_secs(http_date(after)?.saturating_sub(http_date(now?)?)))
}

/// Parses `Sun, 06 Nov 1994 08:49:37 GMT` as seconds since the year 0.
fn http_date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_weekday, rest) = text.split_once(", ")?;
    let fields: Vec<&str> = rest.split([' ', ':']).collect();
    let [day, month, year, hour, minute, second, "GMT"] = fields.as_slice() else { return None };
    let number = |text: &str, most: u64| text.parse::<u64>().ok().filter(|number| *number <= most);
    let (day, year) = (number(day, 31)?, number(year, 9999)?);
    let month = MONTHS.iter().position(|name| name == month)? as u64;
    // Count years from March, so that the leap day is the last day.
    let (year, month) = if month < 2 { (year.checked_sub(1)?, month + 10) } else { (year, month - 2) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day;
    Some(((days * 24 + number(hour, 23)?) * 60 + number(minute, 59)?) * 60 + number(second, 60)?)
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
        let mut waits = Backoff::new(retries);
        let seconds: Vec<u64> =
            std::iter::from_fn(|| waits.next_delay(None)).map(|wait| wait.as_secs()).collect();
        assert_eq!(seconds, [1, 2, 3, 3]);
        let mut waits = Backoff::new(retries);
        assert_eq!(waits.next_delay(Some(Duration::from_secs(2))), Some(Duration::from_secs(2)));
        assert_eq!(waits.next_delay(Some(Duration::from_secs(4))), None);
        let endless = RetryPolicy { attempts: u32::MAX, ..retries };
        assert_eq!(
            Backoff { retries: endless, attempts_made: u32::MAX - 1 }.next_delay(None),
            Some(retries.max_delay)
        );
    }

    #[test]
    fn parses_retry_after() {
        let now = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        for (after, now, seconds) in [
            ("7", None, Some(7)),
            ("0", now, Some(0)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", now, Some(30)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", now, Some(0)),
            ("Wed, 01 Mar 2000 00:00:00 GMT", Some("Mon, 28 Feb 2000 23:59:59 GMT"), Some(86_401)),
            ("Sat, 01 Jan 2000 00:00:00 GMT", Some("Fri, 31 Dec 1999 23:59:59 GMT"), Some(1)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", None, None),
            ("-1", now, None),
            ("soon", now, None),
            ("Sun, 99 Nov 1994 08:50:07 GMT", now, None),
            ("99999999999999999999999", now, None),
        ] {
            assert_eq!(parse_retry_after(after, now).map(|wait| wait.as_secs()), seconds, "{after}");
        }
    }
}
