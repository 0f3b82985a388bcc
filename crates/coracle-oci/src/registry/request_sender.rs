//! Sends a request and follows redirects. It does not depend on the registry API.

use std::cell::RefCell;
use std::io;

use http::{HeaderValue, Method, header};

use super::error::Error;
use super::http_transport::{HttpRequest, HttpTransport};
use super::repository::{Repository, canonical_registry};
use super::request::{ExactReader, OutgoingRequest, RequestSummary};
use super::response::Response;
use super::secret::{Redactor, Secret};
use super::settings::RegistrySettings;
use super::transport_failure::TransportFailure;
use super::url::{Url, host_of, is_loopback};
use coracle_core::progress::Cancelled;

/// Registries use two at most.
const MAX_REDIRECTS: usize = 5;

/// Sends requests, and remembers the secrets that errors must not show.
pub(super) struct RequestSender {
    transport: Box<dyn HttpTransport>,
    insecure_registries: Vec<String>,
    pub(super) redactor: Redactor,
}

impl RequestSender {
    pub(super) fn new(settings: &RegistrySettings, transport: Box<dyn HttpTransport>) -> Self {
        let insecure = settings.insecure_registries.iter();
        Self {
            transport,
            insecure_registries: insecure.map(|name| canonical_registry(name)).collect(),
            redactor: Redactor::default(),
        }
    }

    /// Whether this host may be used without TLS: on loopback, or configured as insecure.
    pub(super) fn allows_plain_http(&self, authority: &str) -> bool {
        is_loopback(host_of(authority)) || self.insecure_registries.iter().any(|name| name == authority)
    }

    /// Sends `call` to `url` and follows redirects. `authorization` is sent to the origin of `url`
    /// only.
    pub(super) fn send_following_redirects(
        &self,
        call: &OutgoingRequest<'_>,
        url: &Url,
        authorization: Option<&Secret>,
        repository: &Repository,
    ) -> Result<Response, Error> {
        let mut at = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let own = authorization.filter(|_| at.is_same_origin(url));
            let answer = self.send_once(call, &at, own, repository)?;
            let Some(location) = redirect_location(call, &answer) else { return Ok(answer) };
            let next = at.resolve_location(&location);
            let request = answer.request.clone();
            answer.drain();
            let Some(next) = next else {
                let why = "its redirect location is not a valid URL".into();
                return Err(Error::InvalidResponse { request, why });
            };
            if !next.is_tls() && (at.is_tls() || !self.allows_plain_http(next.authority())) {
                return Err(Error::WithoutTls { request, host: self.redactor.redact(next.authority()) });
            }
            at = next;
        }
        let request = self.summarize(call, url, repository);
        Err(Error::InvalidResponse { request, why: format!("more than {MAX_REDIRECTS} redirects") })
    }

    /// Sends `call` to `url` without following redirects.
    fn send_once(
        &self,
        call: &OutgoingRequest<'_>,
        url: &Url,
        authorization: Option<&Secret>,
        repository: &Repository,
    ) -> Result<Response, Error> {
        let request = self.summarize(call, url, repository);
        let no_answer = |failure| Error::NoResponse { request: request.clone(), failure };
        let mut head = http::Request::builder().method(call.method.clone()).uri(url.to_full_string());
        for (name, value) in &call.headers {
            head = head.header(*name, value);
        }
        if let Some(secret) = authorization {
            let unusable = |_| {
                no_answer(TransportFailure::Other(
                    "the credentials contain characters that a header can't hold".into(),
                ))
            };
            let mut value = HeaderValue::from_str(secret.reveal()).map_err(unusable)?;
            value.set_sensitive(true);
            head = head.header(header::AUTHORIZATION, value);
        }
        let failed = RefCell::new(None);
        let local = |error: io::Error| match Cancelled::is_cause_of(&error) {
            true => Error::Cancelled,
            false => Error::NoResponse {
                request: request.clone(),
                failure: TransportFailure::UnreadableContent(error.to_string()),
            },
        };
        let unusable = |_| no_answer(TransportFailure::Other("the request is not valid HTTP".into()));
        let mut reader = match &call.body {
            None => None,
            Some(body) => {
                head = head.header(header::CONTENT_LENGTH, body.length);
                Some(ExactReader::new(body.open().map_err(local)?, body, &failed))
            }
        };
        let head = head.body(()).map_err(unusable)?;
        let body = reader.as_mut().map(|reader| reader as &mut dyn io::Read);
        let result =
            self.transport.send(HttpRequest { url, head, body, has_body_timeout: call.has_body_timeout });
        drop(reader);
        if let Some(error) = failed.take() {
            return Err(local(error));
        }
        let (parts, body) = result.map_err(no_answer)?.into_parts();
        Ok(Response {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
            url: url.clone(),
            request,
        })
    }

    /// A summary of a request for error messages. The URL may come from a server and repeat
    /// credentials, so it is redacted.
    pub(super) fn summarize(
        &self,
        call: &OutgoingRequest<'_>,
        url: &Url,
        repository: &Repository,
    ) -> RequestSummary {
        let own = url.authority() == repository.api_authority();
        RequestSummary {
            repository: repository.clone(),
            method: call.method.to_string(),
            path: self.redactor.redact(url.path()),
            host: (!own).then(|| self.redactor.redact(url.authority())),
        }
    }
}

/// The location to repeat the request at. `None` if the response is not a redirect to follow.
fn redirect_location(call: &OutgoingRequest<'_>, answer: &Response) -> Option<String> {
    let reads = call.method == Method::GET || call.method == Method::HEAD;
    let moved = match answer.status {
        301..=303 => reads,
        307 | 308 => true,
        _ => false,
    };
    answer.header("location").filter(|_| moved && call.follows_redirects).map(str::to_owned)
}
