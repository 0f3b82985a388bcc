//! Error responses of registries and token servers. Source: distribution-spec, "Error Codes";
//! RFC 6749, 5.2.

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

use super::request::RequestSummary;

/// An error response of a registry or token server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ErrorResponse {
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

/// The credentials that a request used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LoginStatus {
    /// No credentials are configured.
    Anonymous,
    /// Credentials are configured.
    HasCredentials,
    /// A credential helper failed with this error, so no credentials are sent.
    HelperFailed(String),
}

/// Parses the code and the message of an error body, which is plain text or JSON.
pub(super) fn parse_error_body(body: &[u8], is_plain_text: bool) -> (Option<String>, Option<String>) {
    if let Ok(document @ Value::Object(_)) = coracle_core::json::parse(body) {
        // Some registries write codes as numbers.
        let text = |value: &Value, key: &str| match value.get(key)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        return match document.pointer("/errors/0") {
            Some(entry) => (text(entry, "code"), text(entry, "message")),
            // The code of OAuth 2, which token servers use. Docker Hub's has `details`, GitLab and
            // others only a message.
            None => {
                let message = ["error_description", "details", "message"];
                (text(&document, "error"), message.iter().find_map(|key| text(&document, key)))
            }
        };
    }
    let line = String::from_utf8_lossy(body).lines().next().map(|line| line.trim().to_owned());
    (None, line.filter(|_| is_plain_text))
}

impl fmt::Display for ErrorResponse {
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

impl ErrorResponse {
    /// The next step for the user.
    pub(super) fn hint(&self, request: &RequestSummary) -> Option<String> {
        let (registry, name) = (request.repository.registry(), request.repository.name());
        Some(match (self.status, self.code.as_deref()) {
            (401 | 403, _) if let LoginStatus::HelperFailed(error) = &self.login => {
                format!("{error}; the request was sent without credentials")
            }
            (401 | 403, _) if self.login == LoginStatus::Anonymous => format!(
                "log in with `docker login {registry}` or `podman login {registry}`, or set \
                 CORACLE_REGISTRY_USER and CORACLE_REGISTRY_PASSWORD, and CORACLE_REGISTRY={registry} \
                 where it is only read"
            ),
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
            (r#"{"errors":[{"code":401,"message":"no"}]}"#, false, Some("401"), Some("no")),
            (r#"{"errors":[{"status":404,"message":"no"}]}"#, false, None, Some("no")),
            (r#"{"errors":"none","message":"no"}"#, false, None, Some("no")),
            (r#"{"errors":null,"error":42}"#, false, Some("42"), None),
            ("[1]", true, None, Some("[1]")),
            ("<html>nginx", false, None, None),
            ("404 page not found\nmore", true, None, Some("404 page not found")),
            ("", true, None, None),
            ("\u{0}\u{1}", false, None, None),
        ] {
            let (a, b) = parse_error_body(body.as_bytes(), plain);
            assert_eq!((a.as_deref(), b.as_deref()), (code, message), "{body}");
        }
    }
}
