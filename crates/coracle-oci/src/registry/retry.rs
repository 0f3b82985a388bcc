//! Retry policy: exponential backoff without jitter, and `Retry-After`. Source: RFC 9110, 10.2.3
//! and 5.6.7.

use std::time::Duration;

use super::answer::Answer;
use super::error::{Error, Failure};
use super::settings::Retries;

/// The backoff of one request.
pub(super) struct Waits {
    retries: Retries,
    tried: u32,
}

impl Waits {
    pub(super) fn new(retries: Retries) -> Self {
        Self { retries, tried: 1 }
    }

    /// The delay before the next attempt, at least `asked`. `None` if there are no attempts left,
    /// or `asked` is longer than the maximum.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Option<Duration> {
        let Retries { attempts, first, longest } = self.retries;
        if self.tried >= attempts || asked.is_some_and(|asked| asked > longest) {
            return None;
        }
        let doubled = first.saturating_mul(1_u32.checked_shl(self.tried - 1).unwrap_or(u32::MAX));
        self.tried += 1;
        // `Retry-After: 0` must not lead to retries without a delay.
        Some(doubled.min(longest).max(asked.unwrap_or_default()))
    }

    /// Sleeps and returns true if a request with this outcome should be retried, else returns
    /// false.
    pub(super) fn again(&mut self, outcome: &Result<Answer, Error>, repeatable: bool) -> bool {
        let pause = match outcome {
            Ok(answer) if is_passing(answer.status, repeatable) => self.next(answer.wait()),
            Err(error) if repeatable && is_cut(error) => self.next(None),
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
pub(super) fn is_passing(status: u16, repeatable: bool) -> bool {
    matches!(status, 429 | 503) || repeatable && matches!(status, 408 | 500 | 502 | 504)
}

/// Whether the connection was lost before the response was complete.
pub(super) fn is_cut(error: &Error) -> bool {
    matches!(error, Error::NoAnswer { failure: Failure::Cut, .. })
}

/// Whether the connection was lost or timed out.
pub(super) fn is_lost(error: &Error) -> bool {
    matches!(error, Error::NoAnswer { failure: Failure::Cut | Failure::TooSlow, .. })
}

/// Whether a failed upload can be resumed or restarted: `Some` with the delay that the server asks
/// for, if any.
pub(super) fn after_upload(error: &Error) -> Option<Option<Duration>> {
    match error {
        Error::Refused { refusal, .. } => {
            // The session has expired, or its offset is not the expected one.
            let lost = matches!(refusal.status, 404 | 416);
            (lost || is_passing(refusal.status, true)).then_some(refusal.wait)
        }
        error => is_lost(error).then_some(None),
    }
}

/// Parses `Retry-After`: seconds, or a date. A date is relative to `now`, the `Date` header, so the
/// local clock does not matter.
pub(super) fn asked(after: &str, now: Option<&str>) -> Option<Duration> {
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
        let retries = Retries { attempts: 5, first: Duration::from_secs(1), longest: Duration::from_secs(3) };
        let mut waits = Waits::new(retries);
        let seconds: Vec<u64> = std::iter::from_fn(|| waits.next(None)).map(|wait| wait.as_secs()).collect();
        assert_eq!(seconds, [1, 2, 3, 3]);
        let mut waits = Waits::new(retries);
        assert_eq!(waits.next(Some(Duration::from_secs(2))), Some(Duration::from_secs(2)));
        assert_eq!(waits.next(Some(Duration::from_secs(4))), None);
        let endless = Retries { attempts: u32::MAX, ..retries };
        assert_eq!(Waits { retries: endless, tried: u32::MAX - 1 }.next(None), Some(retries.longest));
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
            assert_eq!(asked(after, now).map(|wait| wait.as_secs()), seconds, "{after}");
        }
    }
}
