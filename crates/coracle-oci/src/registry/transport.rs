//! The HTTP transport: sends one request and follows redirects. It does not depend on the registry
//! API.

use std::cell::RefCell;
use std::io;

use ureq::http::{HeaderValue, Method, Request as HttpRequest, Response as HttpResponse, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, AsSendBody, Body, Proxy, SendBody};

use super::error::{Error, RequestSummary, TransportFailure};
use super::repository::canonical_registry;
use super::request::{ExactReader, OutgoingRequest};
use super::response::Response;
use super::secret::{Redactor, Secret};
use super::settings::RegistrySettings;
use super::url::{Url, is_loopback};
use super::{Repository, escape, no_proxy};
use coracle_core::fs::Context;

/// Registries use two at most.
const MAX_REDIRECTS: usize = 5;

/// The maximum size of all headers of a response.
const MAX_HEADER_BYTES: usize = 64 << 10;

/// HTTP agents with and without the proxy, and what applies to all requests.
pub(super) struct Transport {
    direct_agent: Agent,
    proxy_agent: Option<Agent>,
    no_proxy: Vec<String>,
    insecure_registries: Vec<String>,
    timeouts: super::Timeouts,
    pub(super) redactor: Redactor,
}

impl Transport {
    /// Fails if a certificate file can't be read or the proxy URL is invalid.
    pub(super) fn new(settings: &RegistrySettings) -> Result<Self, Error> {
        let roots = root_certificates(settings)?;
        let proxied = match &settings.proxy {
            None => None,
            Some(url) => {
                Some(build_agent(settings, &roots, Some(Proxy::new(url.reveal()).map_err(|_| Error::Proxy)?)))
            }
        };
        Ok(Self {
            direct_agent: build_agent(settings, &roots, None),
            proxy_agent: proxied,
            no_proxy: settings.no_proxy.clone(),
            insecure_registries: settings
                .insecure_registries
                .iter()
                .map(|name| canonical_registry(name))
                .collect(),
            timeouts: settings.timeouts,
            redactor: Redactor::default(),
        })
    }

    /// Whether this host may be used without TLS: on loopback, or configured as insecure.
    pub(super) fn allows_plain_http(&self, authority: &str) -> bool {
        is_loopback(super::url::host_of(authority))
            || self.insecure_registries.iter().any(|name| name == authority)
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
        let mut head = HttpRequest::builder().method(call.method.clone()).uri(url.to_full_string());
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
        let local = |error: io::Error| Error::NoResponse {
            request: request.clone(),
            failure: TransportFailure::UnreadableContent(error.to_string()),
        };
        let unusable = |_| no_answer(TransportFailure::Other("the request is not valid HTTP".into()));
        let result = match &call.body {
            None => self.run_agent(head.body(()).map_err(unusable)?, call, url),
            Some(body) => {
                let mut reader = ExactReader::new(body.open().map_err(local)?, body, &failed);
                let head = head.header(header::CONTENT_LENGTH, body.length);
                self.run_agent(head.body(SendBody::from_reader(&mut reader)).map_err(unusable)?, call, url)
            }
        };
        if let Some(error) = failed.take() {
            return Err(local(error));
        }
        let (parts, body) = result.map_err(|error| no_answer(classify_error(&error)))?.into_parts();
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

    /// Runs a request, through the proxy unless the host bypasses it.
    fn run_agent(
        &self,
        message: HttpRequest<impl AsSendBody>,
        call: &OutgoingRequest<'_>,
        url: &Url,
    ) -> Result<HttpResponse<Body>, ureq::Error> {
        let direct = no_proxy::bypasses_proxy(url.authority(), &self.no_proxy);
        let agent = self.proxy_agent.as_ref().filter(|_| !direct).unwrap_or(&self.direct_agent);
        let limit = call.has_body_timeout.then_some(self.timeouts.response);
        agent.run(agent.configure_request(message).timeout_recv_body(limit).build())
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

/// The trusted root certificates: the platform's verifier, or, if further certificates are
/// configured, the system's certificates and those.
fn root_certificates(settings: &RegistrySettings) -> Result<RootCerts, Error> {
    if settings.certificate_files.is_empty() {
        return Ok(RootCerts::PlatformVerifier);
    }
    // System certificates that can't be read are skipped: a connection that needs them fails.
    let system = rustls_native_certs::load_native_certs().certs;
    let mut all: Vec<Certificate<'static>> =
        system.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
    for path in &settings.certificate_files {
        let error = |why: &str| Error::InvalidCertificates { path: path.clone(), why: why.into() };
        let pem = std::fs::read(path).context("read", path)?;
        let before = all.len();
        for item in parse_pem(&pem) {
            if let PemItem::Certificate(certificate) = item.map_err(|_| error("not a PEM file"))? {
                all.push(certificate);
            }
        }
        if all.len() == before {
            return Err(error("it contains no certificate"));
        }
    }
    Ok(RootCerts::from(all))
}

fn build_agent(settings: &RegistrySettings, roots: &RootCerts, proxy: Option<Proxy>) -> Agent {
    let super::Timeouts { connect, response: answer } = settings.timeouts;
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(concat!("coracle/", env!("CARGO_PKG_VERSION")))
        .proxy(proxy)
        .tls_config(TlsConfig::builder().root_certs(roots.clone()).build())
        .max_response_header_size(MAX_HEADER_BYTES)
        .max_idle_connections(2 * settings.parallel_uploads.max(5))
        .max_idle_connections_per_host(settings.parallel_uploads.max(1))
        .timeout_resolve(Some(connect))
        .timeout_connect(Some(connect))
        .timeout_recv_response(Some(answer))
        .timeout_per_read(Some(answer))
        .timeout_per_write(Some(answer))
        .build()
        .new_agent()
}

/// Classifies an error. The URL is left out, because it may hold signatures.
fn classify_error(error: &ureq::Error) -> TransportFailure {
    match error {
        ureq::Error::Io(error) => classify_io_error(error),
        ureq::Error::Timeout(_) => TransportFailure::Timeout,
        ureq::Error::HostNotFound => TransportFailure::UnknownHost,
        ureq::Error::LargeResponseHeader(..) => {
            TransportFailure::InvalidHttp("its headers are too large".into())
        }
        ureq::Error::Protocol(error) => match error.to_string() {
            error if error.contains("too many headers") => {
                TransportFailure::InvalidHttp("its headers are too large".into())
            }
            error => TransportFailure::InvalidHttp(escape::escape_untrusted(&error, 200)),
        },
        ureq::Error::Rustls(error) => classify_tls_error(&error.to_string()),
        ureq::Error::Tls(error) => classify_tls_error(error),
        ureq::Error::ConnectProxyFailed(_) => TransportFailure::Proxy,
        ureq::Error::ConnectionFailed => TransportFailure::ConnectionRefused,
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
            TransportFailure::Other("the request is not valid HTTP".into())
        }
        other => TransportFailure::Other(escape::escape_untrusted(&other.to_string(), 200)),
    }
}

/// Classifies an I/O error, which may wrap an error of `ureq`.
pub(super) fn classify_io_error(error: &io::Error) -> TransportFailure {
    use io::ErrorKind as Kind;
    if let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>()) {
        return classify_error(inner);
    }
    match error.kind() {
        Kind::UnexpectedEof
        | Kind::ConnectionReset
        | Kind::ConnectionAborted
        | Kind::BrokenPipe
        | Kind::NotConnected => TransportFailure::ConnectionLost,
        Kind::ConnectionRefused => TransportFailure::ConnectionRefused,
        Kind::TimedOut | Kind::WouldBlock => TransportFailure::Timeout,
        Kind::InvalidData => classify_tls_error(&error.to_string()),
        _ => TransportFailure::Other(escape::escape_untrusted(&error.to_string(), 200)),
    }
}

fn classify_tls_error(why: &str) -> TransportFailure {
    if why.contains("InvalidContentType") {
        TransportFailure::NoTls
    } else {
        TransportFailure::Tls(escape::escape_untrusted(why, 200))
    }
}
