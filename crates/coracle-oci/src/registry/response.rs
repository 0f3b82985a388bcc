//! Responses: bodies are read up to a limit, error responses are redacted.

use std::fmt;
use std::io::Read;
use std::time::Duration;

use serde::Deserialize;
use ureq::Body;
use ureq::http::{HeaderMap, StatusCode};

use super::challenge::Challenge;
use super::error::{Error, RequestSummary};
use super::secret::Redactor;
use super::url::Url;
use super::{retry, transport};

/// The number of bytes that are read of an error response.
const MAX_ERROR_BODY: u64 = 64 << 10;

/// A response whose body has not been read yet.
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
    /// The URL that it came from, after redirects.
    pub(super) url: Url,
    pub(super) request: RequestSummary,
}

/// An error response of a registry or token server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The error code of the distribution API, such as `DENIED` or `MANIFEST_UNKNOWN`.
    pub code: Option<String>,
    /// The message of the server: redacted, truncated, control characters escaped.
    pub message: Option<String>,
    /// The delay of the `Retry-After` header.
    pub retry_after: Option<Duration>,
    /// The login that the request used.
    pub login: LoginStatus,
}

/// Whether a request used credentials.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LoginStatus {
    /// No credentials are configured.
    Anonymous,
    /// Credentials are configured.
    HasCredentials,
    /// A credential helper failed with this error, so no credentials are sent.
    HelperFailed(String),
}

#[derive(Deserialize)]
struct ErrorBody {
    #[serde(default)]
    errors: Vec<ErrorEntry>,
    /// The error code of OAuth 2, which token servers use.
    error: Option<String>,
    error_description: Option<String>,
    /// The message of Docker Hub's token server.
    details: Option<String>,
}

#[derive(Deserialize)]
struct ErrorEntry {
    code: Option<String>,
    message: Option<String>,
}

impl Response {
    /// A header. `None` if it is missing or not ASCII text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The supported challenges of a 401 response.
    pub(super) fn challenges(&self) -> Vec<Challenge> {
        let fields = self.headers.get_all("www-authenticate").iter();
        Challenge::parse(fields.filter_map(|field| field.to_str().ok()))
    }

    /// The delay of the `Retry-After` header.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        retry::parse_retry_after(self.header("retry-after")?, self.header("date"))
    }

    /// Reads the whole body. Fails if it is larger than `limit` bytes.
    pub(super) fn read_body(self, limit: u64) -> Result<(Vec<u8>, RequestSummary), Error> {
        let Self { body, request, .. } = self;
        let mut bytes = Vec::new();
        match body.into_reader().take(limit + 1).read_to_end(&mut bytes) {
            Err(error) => Err(Error::NoResponse { failure: transport::classify_io_error(&error), request }),
            Ok(_) if bytes.len() as u64 > limit => {
                Err(Error::InvalidResponse { request, why: format!("the body is larger than {limit} bytes") })
            }
            Ok(_) => Ok((bytes, request)),
        }
    }

    /// Reads the rest of a small body, so that the connection can be reused. With a large body the
    /// connection is closed.
    pub(super) fn drain(self) {
        let mut rest = self.body.into_reader().take(MAX_ERROR_BODY);
        // The bytes are not needed. After a failure the next request opens a new connection.
        let _ = std::io::copy(&mut rest, &mut std::io::sink());
    }

    /// Reads the body and converts the response to an error.
    pub(super) fn into_error(self, censor: &Redactor, login: LoginStatus) -> Error {
        let (status, wait) = (self.status, self.retry_after());
        let plain = self.header("content-type").is_some_and(|kind| kind.starts_with("text/plain"));
        let request = self.request;
        let mut body = Vec::new();
        // A truncated body is used as far as it was received.
        let _ = self.body.into_reader().take(MAX_ERROR_BODY).read_to_end(&mut body);
        let (code, message) = parse_error(&body, plain);
        let clean =
            |text: Option<String>| text.map(|text| censor.redact(&text)).filter(|text| !text.is_empty());
        let refusal =
            Refusal { status, code: clean(code), message: clean(message), retry_after: wait, login };
        Error::Refused { request, refusal }
    }
}

/// Parses the code and the message of an error body. `plain`: the body is plain text.
fn parse_error(body: &[u8], plain: bool) -> (Option<String>, Option<String>) {
    if let Ok(document) = serde_json::from_slice::<ErrorBody>(body) {
        let ErrorBody { errors, error, error_description, details } = document;
        return match errors.into_iter().next() {
            Some(ErrorEntry { code, message }) => (code, message),
            None => (error, error_description.or(details)),
        };
    }
    let line = String::from_utf8_lossy(body).lines().next().map(|line| line.trim().to_owned());
    (None, line.filter(|_| plain))
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        let reason = StatusCode::from_u16(self.status).ok().and_then(|status| status.canonical_reason());
        reason.map_or(Ok(()), |reason| write!(f, " {reason}"))?;
        match (&self.code, &self.message) {
            (Some(code), Some(message)) => write!(f, " ({code}: {message})"),
            (Some(text), None) | (None, Some(text)) => write!(f, " ({text})"),
            (None, None) => Ok(()),
        }
    }
}

impl Refusal {
    /// The next step for the user.
    pub(super) fn hint(&self, request: &RequestSummary) -> Option<String> {
        let (registry, name) = (request.repository.registry(), request.repository.name());
        Some(match (self.status, self.code.as_deref()) {
            (401 | 403, _) if let LoginStatus::HelperFailed(error) = &self.login => {
                format!("{error}; the request was sent without credentials")
            }
            (401, _) if self.login == LoginStatus::Anonymous => {
                format!("log in with `docker login {registry}` or `podman login {registry}`")
            }
            (401 | 403, _) => {
                format!("check that the login is still valid and has access to `{name}`")
            }
            (404, Some("MANIFEST_BLOB_UNKNOWN"))
            | (400, Some("MANIFEST_BLOB_UNKNOWN" | "MANIFEST_UNKNOWN")) => {
                "push the blobs and manifests that the manifest refers to first".into()
            }
            (404, _) => format!("check that the repository `{name}` and the tag exist at `{registry}`"),
            (413, _) => "raise the request size limit of the registry or its reverse proxy".into(),
            (429, _) => match self.retry_after {
                Some(wait) => format!("try again in {} s", wait.as_secs()),
                None if self.login == LoginStatus::HasCredentials => "try again later".into(),
                None => {
                    "try again later, or log in: rate limits are higher for users who are logged in".into()
                }
            },
            (500..=599, _) => match self.retry_after {
                Some(wait) => format!("try again in {} s", wait.as_secs()),
                None => "the registry failed; try again later".into(),
            },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_error_bodies() {
        for (body, plain, code, message) in [
            (
                r#"{"errors":[{"code":"DENIED","message":"no","detail":{"a":[1]}},{"code":"X"}]}"#,
                false,
                Some("DENIED"),
                Some("no"),
            ),
            (r#"{"errors":[]}"#, false, None, None),
            (
                r#"{"details":"incorrect username or password"}"#,
                false,
                None,
                Some("incorrect username or password"),
            ),
            (r#"{"error":"invalid_grant","error_description":"x"}"#, false, Some("invalid_grant"), Some("x")),
            ("<html>nginx", false, None, None),
            ("404 page not found\nmore", true, None, Some("404 page not found")),
            ("", true, None, None),
            ("\u{0}\u{1}", false, None, None),
        ] {
            let (a, b) = parse_error(body.as_bytes(), plain);
            assert_eq!((a.as_deref(), b.as_deref()), (code, message), "{body}");
        }
    }
}
