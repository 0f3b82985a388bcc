//! Responses: bodies are read up to a limit, error responses are redacted.

use std::io::Read;
use std::time::Duration;

use http::HeaderMap;

use super::challenge::Challenge;
use super::error::RegistryError;
use super::error_response::{self, ErrorResponse, LoginStatus};
use super::http_transport::{ResponseBody, TransportFailure};
use super::request::RequestSummary;
use super::secret::Redactor;
use super::url::Url;

/// The number of bytes that are read of an error response.
const MAX_ERROR_BODY: u64 = 64 << 10;

/// A response whose body has not been read yet.
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: ResponseBody,
    /// The URL that it came from, after redirects.
    pub(super) url: Url,
    pub(super) request: RequestSummary,
}

impl Response {
    /// A header. `None` if it is missing or not ASCII text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns whether the status is 2xx. Registries differ in which 2xx status they use.
    pub(super) fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// Returns whether the registry does not support the method of the request.
    pub(super) fn is_method_unsupported(&self) -> bool {
        matches!(self.status, 405 | 501)
    }

    /// The supported challenges of a 401 response.
    pub(super) fn challenges(&self) -> Vec<Challenge> {
        let fields = self.headers.get_all("www-authenticate").iter();
        Challenge::parse(fields.filter_map(|field| field.to_str().ok()))
    }

    /// The delay of the `Retry-After` header.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        parse_retry_after(self.header("retry-after")?, self.header("date"))
    }

    /// Reads the whole body. Fails if it is larger than `limit` bytes.
    pub(super) fn read_body(self, limit: u64) -> Result<(Vec<u8>, RequestSummary), RegistryError> {
        let Self { body, request, .. } = self;
        let mut bytes = Vec::new();
        match body.take(limit + 1).read_to_end(&mut bytes) {
            Err(error) => {
                Err(RegistryError::NoResponse { failure: TransportFailure::from_io_error(&error), request })
            }
            Ok(_) if bytes.len() as u64 > limit => Err(RegistryError::InvalidResponse {
                request,
                why: format!("the body is larger than {limit} bytes"),
            }),
            Ok(_) => Ok((bytes, request)),
        }
    }

    /// Reads the rest of a small body, so that the connection can be reused. With a large body the
    /// connection is closed.
    pub(super) fn drain(self) {
        let mut rest = self.body.take(MAX_ERROR_BODY);
        // The bytes are not needed. After a failure the next request opens a new connection.
        let _ = std::io::copy(&mut rest, &mut std::io::sink());
    }

    /// Reads the body and converts the response to an error.
    pub(super) fn into_error(self, redactor: &Redactor, login: LoginStatus) -> RegistryError {
        let (status, retry_after) = (self.status, self.retry_after());
        let is_plain_text = self.header("content-type").is_some_and(|kind| kind.starts_with("text/plain"));
        let mut body = Vec::new();
        // A truncated body is used as far as it was received.
        let _ = self.body.take(MAX_ERROR_BODY).read_to_end(&mut body);
        let (code, message) = error_response::parse_error_body(&body, is_plain_text);
        let clean =
            |text: Option<String>| text.map(|text| redactor.redact(&text)).filter(|text| !text.is_empty());
        let refusal =
            ErrorResponse { status, code: clean(code), message: clean(message), retry_after, login };
        RegistryError::Refused { request: self.request, refusal }
    }
}

/// Parses `Retry-After`: seconds, or a date. A date is relative to `now`, the `Date` header, so the
/// local clock does not matter. Source: RFC 9110, 10.2.3 and 5.6.7.
fn parse_retry_after(after: &str, now: Option<&str>) -> Option<Duration> {
    let after = after.trim();
    if let Ok(seconds) = after.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let (after, now) = (httpdate::parse_http_date(after).ok()?, httpdate::parse_http_date(now?).ok()?);
    Some(after.duration_since(now).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

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
