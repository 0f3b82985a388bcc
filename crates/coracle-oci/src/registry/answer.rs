//! What a registry answered: read within bounds, and as an error without secrets.

use std::fmt;
use std::io::Read;
use std::time::Duration;

use serde::Deserialize;
use ureq::Body;
use ureq::http::{HeaderMap, StatusCode};

use super::challenge::Challenge;
use super::error::{Error, Request};
use super::secret::Censor;
use super::url::Url;
use super::{retry, wire};

/// How much of an error's body is read.
const LARGEST_ERROR: u64 = 64 << 10;

/// An answer, its body not read yet.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
    /// Who gave it, after redirects.
    pub(super) url: Url,
    pub(super) request: Request,
}

/// An answer that is a no.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The status of HTTP.
    pub status: u16,
    /// The registry's own code: `DENIED`, `MANIFEST_UNKNOWN` …
    pub code: Option<String>,
    /// What the registry says, without control characters and cut where it is long.
    pub message: Option<String>,
    /// How long the registry asks to wait.
    pub wait: Option<Duration>,
    /// As whom it was asked.
    pub login: Login,
}

/// What is known of whoever asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Login {
    /// There are no credentials.
    Nobody,
    /// There are some.
    Somebody,
    /// There may be some, but a helper failed, with this error.
    Unknown(String),
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    errors: Vec<Entry>,
    /// OAuth 2's form of it, which token servers use.
    error: Option<String>,
    error_description: Option<String>,
    /// Docker Hub's own.
    details: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    code: Option<String>,
    message: Option<String>,
}

impl Answer {
    /// A header that is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn challenges(&self) -> Vec<Challenge> {
        let fields = self.headers.get_all("www-authenticate").iter();
        Challenge::parse(fields.filter_map(|field| field.to_str().ok()))
    }

    /// How long the server asks to wait.
    pub(super) fn wait(&self) -> Option<Duration> {
        retry::asked(self.header("retry-after")?, self.header("date"))
    }

    /// The whole body, unless it is larger than `limit`.
    pub(super) fn bytes(self, limit: u64) -> Result<(Vec<u8>, Request), Error> {
        let Self { body, request, .. } = self;
        let mut bytes = Vec::new();
        match body.into_reader().take(limit + 1).read_to_end(&mut bytes) {
            Err(error) => Err(Error::NoAnswer { failure: wire::failure_of_io(&error), request }),
            Ok(_) if bytes.len() as u64 > limit => {
                Err(Error::Unexpected { request, why: format!("it is larger than {limit} bytes") })
            }
            Ok(_) => Ok((bytes, request)),
        }
    }

    /// Reads the rest of a small body, so that the connection can be used again; a large one ends it.
    pub(super) fn finish(self) {
        let mut rest = self.body.into_reader().take(LARGEST_ERROR);
        // Nobody needs these bytes: if they don't come, there is a new connection.
        let _ = std::io::copy(&mut rest, &mut std::io::sink());
    }

    /// What it says as an error.
    pub(super) fn into_error(self, censor: &Censor, login: Login) -> Error {
        let (status, wait) = (self.status, self.wait());
        let plain = self.header("content-type").is_some_and(|kind| kind.starts_with("text/plain"));
        let request = self.request;
        let mut body = Vec::new();
        // A body that is cut says what it says.
        let _ = self.body.into_reader().take(LARGEST_ERROR).read_to_end(&mut body);
        let (code, message) = words(&body, plain);
        let clean =
            |text: Option<String>| text.map(|text| censor.clean(&text)).filter(|text| !text.is_empty());
        let refusal = Refusal { status, code: clean(code), message: clean(message), wait, login };
        Error::Refused { request, refusal }
    }
}

/// The code and the message in an error's body.
fn words(body: &[u8], plain: bool) -> (Option<String>, Option<String>) {
    if let Ok(document) = serde_json::from_slice::<Document>(body) {
        let Document { errors, error, error_description, details } = document;
        return match errors.into_iter().next() {
            Some(Entry { code, message }) => (code, message),
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
    pub(super) fn hint(&self, request: &Request) -> Option<String> {
        let (registry, name) = (request.repository.registry(), request.repository.name());
        Some(match (self.status, self.code.as_deref()) {
            (401 | 403, _) if let Login::Unknown(why) = &self.login => {
                format!("{why}; without a login the registry refuses it")
            }
            (401, _) if self.login == Login::Nobody => {
                format!("log in with `docker login {registry}` or `podman login {registry}`")
            }
            (401 | 403, _) => {
                format!("check that the user may do this with `{name}`, and that the login is still valid")
            }
            (404, Some("MANIFEST_BLOB_UNKNOWN"))
            | (400, Some("MANIFEST_BLOB_UNKNOWN" | "MANIFEST_UNKNOWN")) => {
                "what the manifest names must be there first".into()
            }
            (404, _) => format!("check that `{registry}` has a repository `{name}`, and the tag"),
            (413, _) => "a proxy before the registry limits the size of a request; raise its limit".into(),
            (429, _) => match self.wait {
                Some(wait) => format!("try again in {} s", wait.as_secs()),
                None if self.login == Login::Somebody => "try again later".into(),
                None => "try again later, or log in: registries allow more to those that they know".into(),
            },
            (500..=599, _) => match self.wait {
                Some(wait) => format!("try again in {} s", wait.as_secs()),
                None => "the registry has a problem of its own; try again later".into(),
            },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_messages() {
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
            let (a, b) = words(body.as_bytes(), plain);
            assert_eq!((a.as_deref(), b.as_deref()), (code, message), "{body}");
        }
    }
}
