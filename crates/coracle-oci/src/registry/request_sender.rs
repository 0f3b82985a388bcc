//! Sends a request and follows redirects. It does not depend on the registry API.

use std::cell::RefCell;
use std::io;

use http::{HeaderValue, Method, header};

use super::error::RegistryError;
use super::http_transport::{HttpRequest, HttpTransport, TransportFailure};
use super::repository::{Repository, canonical_registry};
use super::request::{ExactReader, OutgoingRequest, RequestSummary};
use super::response::Response;
use super::secret::{Redactor, Secret};
use super::settings::RegistrySettings;
use super::url::{Url, host_of, is_loopback, port_of};
use coracle_core::progress::Cancelled;

/// The maximum number of redirects that are followed. Registries use two at most.
const MAX_REDIRECTS: usize = 5;

/// Sends requests, and remembers the secrets that errors must not show.
pub(super) struct RequestSender {
    transport: Box<dyn HttpTransport>,
    insecure_registries: Vec<String>,
    upload_hosts: Vec<String>,
    pub(super) redactor: Redactor,
}

impl RequestSender {
    pub(super) fn new(settings: &RegistrySettings, transport: Box<dyn HttpTransport>) -> Self {
        let insecure = settings.insecure_registries.iter();
        Self {
            transport,
            insecure_registries: insecure.map(|name| canonical_registry(name)).collect(),
            upload_hosts: settings.upload_hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
            redactor: Redactor::default(),
        }
    }

    /// Fails if content must not be sent to `url`: it is neither at the registry of `request` nor at
    /// a configured upload host. Else a registry could make this machine write to internal servers.
    pub(super) fn check_upload_host(&self, url: &Url, request: &RequestSummary) -> Result<(), RegistryError> {
        let host = || self.redactor.redact(url.authority());
        if !url.is_tls() && !self.allows_plain_http(url.authority()) {
            return Err(RegistryError::WithoutTls { request: request.clone(), host: host() });
        }
        let registry = Url::new(url.is_tls(), request.repository.api_authority(), "/");
        let is_allowed = |allowed: &String| match port_of(allowed) {
            Some(_) => allowed == url.authority(),
            None => host_of(allowed) == url.host(),
        };
        if registry.is_some_and(|registry| registry.is_same_origin(url))
            || self.upload_hosts.iter().any(is_allowed)
        {
            return Ok(());
        }
        Err(RegistryError::ForeignUploadHost { request: request.clone(), host: host() })
    }

    /// Returns whether this host may be used without TLS: on loopback, or configured as insecure.
    pub(super) fn allows_plain_http(&self, authority: &str) -> bool {
        is_loopback(host_of(authority)) || self.insecure_registries.iter().any(|name| name == authority)
    }

    /// Sends `outgoing` to `url` and follows redirects. `authorization` is sent to the origin of `url`
    /// only, a body to the registry and configured upload hosts only.
    pub(super) fn send_following_redirects(
        &self,
        outgoing: &OutgoingRequest<'_>,
        url: &Url,
        authorization: Option<&Secret>,
        repository: &Repository,
    ) -> Result<Response, RegistryError> {
        let mut current = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let authorization = authorization.filter(|_| current.is_same_origin(url));
            let response = self.send_once(outgoing, &current, authorization, repository)?;
            let Some(location) = redirect_location(outgoing, &response) else { return Ok(response) };
            let next = current.resolve_location(&location);
            let request = response.request.clone();
            response.drain();
            let Some(next) = next else {
                let why = "its redirect location is not a valid URL".into();
                return Err(RegistryError::InvalidResponse { request, why });
            };
            if !next.is_tls() && (current.is_tls() || !self.allows_plain_http(next.authority())) {
                return Err(RegistryError::WithoutTls {
                    request,
                    host: self.redactor.redact(next.authority()),
                });
            }
            if outgoing.body.is_some() {
                self.check_upload_host(&next, &request)?;
            }
            current = next;
        }
        let request = self.summarize(outgoing, url, repository);
        Err(RegistryError::InvalidResponse { request, why: format!("more than {MAX_REDIRECTS} redirects") })
    }

    /// Sends `outgoing` to `url` without following redirects.
    fn send_once(
        &self,
        outgoing: &OutgoingRequest<'_>,
        url: &Url,
        authorization: Option<&Secret>,
        repository: &Repository,
    ) -> Result<Response, RegistryError> {
        let request = self.summarize(outgoing, url, repository);
        let no_answer = |failure| RegistryError::NoResponse { request: request.clone(), failure };
        let mut head = http::Request::builder().method(outgoing.method.clone()).uri(url.to_full_string());
        for (name, value) in &outgoing.headers {
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
        let content_error = |error: io::Error| match Cancelled::is_cause_of(&error) {
            true => RegistryError::Cancelled,
            false => RegistryError::NoResponse {
                request: request.clone(),
                failure: TransportFailure::UnreadableContent(error.to_string()),
            },
        };
        let unusable = |_| no_answer(TransportFailure::Other("the request is not valid HTTP".into()));
        let mut reader = match &outgoing.body {
            None => None,
            Some(body) => {
                head = head.header(header::CONTENT_LENGTH, body.length);
                Some(ExactReader::new(body.open_content().map_err(content_error)?, body, &failed))
            }
        };
        let head = head.body(()).map_err(unusable)?;
        let body = reader.as_mut().map(|reader| reader as &mut dyn io::Read);
        let result =
            self.transport.send(HttpRequest { url, head, body, has_body_timeout: outgoing.has_body_timeout });
        drop(reader);
        if let Some(error) = failed.take() {
            return Err(content_error(error));
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
        outgoing: &OutgoingRequest<'_>,
        url: &Url,
        repository: &Repository,
    ) -> RequestSummary {
        let is_registry = url.authority() == repository.api_authority();
        RequestSummary {
            repository: repository.clone(),
            method: outgoing.method.to_string(),
            path: self.redactor.redact(url.path()),
            host: (!is_registry).then(|| self.redactor.redact(url.authority())),
        }
    }
}

/// The location to repeat the request at. `None` if the response is not a redirect to follow.
fn redirect_location(outgoing: &OutgoingRequest<'_>, response: &Response) -> Option<String> {
    let reads = outgoing.method == Method::GET || outgoing.method == Method::HEAD;
    let moved = match response.status {
        301..=303 => reads,
        307 | 308 => true,
        _ => false,
    };
    response.header("location").filter(|_| moved && outgoing.follows_redirects).map(str::to_owned)
}
