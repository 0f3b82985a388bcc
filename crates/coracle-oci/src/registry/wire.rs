//! The HTTP transport: sends one request and follows redirects. It does not depend on the registry
//! API.

use std::cell::RefCell;
use std::io;

use ureq::http::{HeaderValue, Method, Request as HttpRequest, Response as HttpResponse, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, AsSendBody, Body, Proxy, SendBody};

use super::answer::Answer;
use super::call::{Call, Exactly};
use super::error::{Error, Failure, Request};
use super::repository::canonical;
use super::secret::{Censor, Secret};
use super::settings::Settings;
use super::url::{Url, is_loopback};
use super::{Repository, proxy, text};
use coracle_core::fs::Context;

/// Registries use two at most.
const MAX_REDIRECTS: usize = 5;

/// The maximum size of all headers of a response.
const MAX_HEADER_BYTES: usize = 64 << 10;

/// HTTP agents with and without the proxy, and what applies to all requests.
pub(super) struct Wire {
    direct: Agent,
    proxied: Option<Agent>,
    no_proxy: Vec<String>,
    insecure: Vec<String>,
    timeouts: super::Timeouts,
    pub(super) censor: Censor,
}

impl Wire {
    /// Fails if a certificate file can't be read or the proxy URL is invalid.
    pub(super) fn new(settings: &Settings) -> Result<Self, Error> {
        let roots = root_certificates(settings)?;
        let proxied = match &settings.proxy {
            None => None,
            Some(url) => {
                Some(build_agent(settings, &roots, Some(Proxy::new(url.reveal()).map_err(|_| Error::Proxy)?)))
            }
        };
        Ok(Self {
            direct: build_agent(settings, &roots, None),
            proxied,
            no_proxy: settings.no_proxy.clone(),
            insecure: settings.insecure.iter().map(|name| canonical(name)).collect(),
            timeouts: settings.timeouts,
            censor: Censor::default(),
        })
    }

    /// Whether this host may be used without TLS: on loopback, or configured as insecure.
    pub(super) fn may_be_plain(&self, authority: &str) -> bool {
        is_loopback(super::url::host_of(authority)) || self.insecure.iter().any(|name| name == authority)
    }

    /// Sends `call` to `url` and follows redirects. `authorization` is sent to the origin of `url`
    /// only.
    pub(super) fn follow(
        &self,
        call: &Call<'_>,
        url: &Url,
        authorization: Option<&Secret>,
        repository: &Repository,
    ) -> Result<Answer, Error> {
        let mut at = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let own = authorization.filter(|_| at.same_origin(url));
            let answer = self.once(call, &at, own, repository)?;
            let Some(location) = redirect_location(call, &answer) else { return Ok(answer) };
            let next = at.join(&location);
            let request = answer.request.clone();
            answer.finish();
            let Some(next) = next else {
                let why = "its redirect location is not a valid URL".into();
                return Err(Error::Unexpected { request, why });
            };
            if !next.is_tls() && (at.is_tls() || !self.may_be_plain(next.authority())) {
                return Err(Error::Unsafe { request, host: self.censor.clean(next.authority()) });
            }
            at = next;
        }
        let request = self.describe(call, url, repository);
        Err(Error::Unexpected { request, why: format!("more than {MAX_REDIRECTS} redirects") })
    }

    /// Sends `call` to `url` without following redirects.
    fn once(
        &self,
        call: &Call<'_>,
        url: &Url,
        authorization: Option<&Secret>,
        repository: &Repository,
    ) -> Result<Answer, Error> {
        let request = self.describe(call, url, repository);
        let no_answer = |failure| Error::NoAnswer { request: request.clone(), failure };
        let mut head = HttpRequest::builder().method(call.method.clone()).uri(url.to_sent());
        for (name, value) in &call.headers {
            head = head.header(*name, value);
        }
        if let Some(secret) = authorization {
            let unusable = |_| {
                no_answer(Failure::Other(
                    "the credentials contain characters that a header can't hold".into(),
                ))
            };
            let mut value = HeaderValue::from_str(secret.reveal()).map_err(unusable)?;
            value.set_sensitive(true);
            head = head.header(header::AUTHORIZATION, value);
        }
        let failed = RefCell::new(None);
        let local = |error: io::Error| Error::NoAnswer {
            request: request.clone(),
            failure: Failure::Local(error.to_string()),
        };
        let unusable = |_| no_answer(Failure::Other("the request is not valid HTTP".into()));
        let result = match &call.body {
            None => self.run(head.body(()).map_err(unusable)?, call, url),
            Some(body) => {
                let mut reader = Exactly::new(body.open().map_err(local)?, body, &failed);
                let head = head.header(header::CONTENT_LENGTH, body.length);
                self.run(head.body(SendBody::from_reader(&mut reader)).map_err(unusable)?, call, url)
            }
        };
        if let Some(error) = failed.take() {
            return Err(local(error));
        }
        let (parts, body) = result.map_err(|error| no_answer(classify_error(&error)))?.into_parts();
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body, url: url.clone(), request })
    }

    /// A summary of a request for error messages. The URL may come from a server and repeat
    /// credentials, so it is redacted.
    pub(super) fn describe(&self, call: &Call<'_>, url: &Url, repository: &Repository) -> Request {
        let own = url.authority() == repository.authority();
        Request {
            repository: repository.clone(),
            method: call.method.to_string(),
            path: self.censor.clean(url.path()),
            host: (!own).then(|| self.censor.clean(url.authority())),
        }
    }

    /// Runs a request, through the proxy unless the host bypasses it.
    fn run(
        &self,
        message: HttpRequest<impl AsSendBody>,
        call: &Call<'_>,
        url: &Url,
    ) -> Result<HttpResponse<Body>, ureq::Error> {
        let direct = proxy::is_direct(url.authority(), &self.no_proxy);
        let agent = self.proxied.as_ref().filter(|_| !direct).unwrap_or(&self.direct);
        let limit = call.brief.then_some(self.timeouts.answer);
        agent.run(agent.configure_request(message).timeout_recv_body(limit).build())
    }
}

/// The location to repeat the request at. `None` if the response is not a redirect to follow.
fn redirect_location(call: &Call<'_>, answer: &Answer) -> Option<String> {
    let reads = call.method == Method::GET || call.method == Method::HEAD;
    let moved = match answer.status {
        301..=303 => reads,
        307 | 308 => true,
        _ => false,
    };
    answer.header("location").filter(|_| moved && call.redirects).map(str::to_owned)
}

/// The trusted root certificates: the platform's verifier, or, if further certificates are
/// configured, the system's certificates and those.
fn root_certificates(settings: &Settings) -> Result<RootCerts, Error> {
    if settings.certificates.is_empty() {
        return Ok(RootCerts::PlatformVerifier);
    }
    // System certificates that can't be read are skipped: a connection that needs them fails.
    let system = rustls_native_certs::load_native_certs().certs;
    let mut all: Vec<Certificate<'static>> =
        system.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
    for path in &settings.certificates {
        let error = |why: &str| Error::Certificates { path: path.clone(), why: why.into() };
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

fn build_agent(settings: &Settings, roots: &RootCerts, proxy: Option<Proxy>) -> Agent {
    let super::Timeouts { connect, answer } = settings.timeouts;
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(concat!("coracle/", env!("CARGO_PKG_VERSION")))
        .proxy(proxy)
        .tls_config(TlsConfig::builder().root_certs(roots.clone()).build())
        .max_response_header_size(MAX_HEADER_BYTES)
        .max_idle_connections(2 * settings.jobs.max(5))
        .max_idle_connections_per_host(settings.jobs.max(1))
        .timeout_resolve(Some(connect))
        .timeout_connect(Some(connect))
        .timeout_recv_response(Some(answer))
        .timeout_per_read(Some(answer))
        .timeout_per_write(Some(answer))
        .build()
        .new_agent()
}

/// Classifies an error. The URL is left out, because it may hold signatures.
fn classify_error(error: &ureq::Error) -> Failure {
    match error {
        ureq::Error::Io(error) => failure_of_io(error),
        ureq::Error::Timeout(_) => Failure::TooSlow,
        ureq::Error::HostNotFound => Failure::UnknownHost,
        ureq::Error::LargeResponseHeader(..) => Failure::NoHttp("its headers are too large".into()),
        ureq::Error::Protocol(error) => match error.to_string() {
            error if error.contains("too many headers") => {
                Failure::NoHttp("its headers are too large".into())
            }
            error => Failure::NoHttp(text::shown(&error, 200)),
        },
        ureq::Error::Rustls(error) => classify_tls_error(&error.to_string()),
        ureq::Error::Tls(error) => classify_tls_error(error),
        ureq::Error::ConnectProxyFailed(_) => Failure::Proxy,
        ureq::Error::ConnectionFailed => Failure::NotListening,
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
            Failure::Other("the request is not valid HTTP".into())
        }
        other => Failure::Other(text::shown(&other.to_string(), 200)),
    }
}

/// Classifies an I/O error, which may wrap an error of `ureq`.
pub(super) fn failure_of_io(error: &io::Error) -> Failure {
    use io::ErrorKind as Kind;
    if let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>()) {
        return classify_error(inner);
    }
    match error.kind() {
        Kind::UnexpectedEof
        | Kind::ConnectionReset
        | Kind::ConnectionAborted
        | Kind::BrokenPipe
        | Kind::NotConnected => Failure::Cut,
        Kind::ConnectionRefused => Failure::NotListening,
        Kind::TimedOut | Kind::WouldBlock => Failure::TooSlow,
        Kind::InvalidData => classify_tls_error(&error.to_string()),
        _ => Failure::Other(text::shown(&error.to_string(), 200)),
    }
}

fn classify_tls_error(why: &str) -> Failure {
    if why.contains("InvalidContentType") { Failure::NotTls } else { Failure::Tls(text::shown(why, 200)) }
}
