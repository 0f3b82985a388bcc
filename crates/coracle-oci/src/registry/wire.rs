//! One request over the network, and the redirects that follow. Nothing here knows what is asked for.

use std::cell::RefCell;
use std::io;

use ureq::http::{HeaderValue, Method, Request as HttpRequest, Response, header};
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

/// Registries need two at most.
const REDIRECTS: usize = 5;

/// Of a header, with all its fields.
const LARGEST_HEADER: usize = 64 << 10;

pub(super) struct Wire {
    direct: Agent,
    proxied: Option<Agent>,
    no_proxy: Vec<String>,
    insecure: Vec<String>,
    timeouts: super::Timeouts,
    pub(super) censor: Censor,
}

impl Wire {
    pub(super) fn new(settings: &Settings) -> Result<Self, Error> {
        let roots = roots(settings)?;
        let proxied = match &settings.proxy {
            None => None,
            Some(url) => {
                Some(agent(settings, &roots, Some(Proxy::new(url.reveal()).map_err(|_| Error::Proxy)?)))
            }
        };
        Ok(Self {
            direct: agent(settings, &roots, None),
            proxied,
            no_proxy: settings.no_proxy.clone(),
            insecure: settings.insecure.iter().map(|name| canonical(name)).collect(),
            timeouts: settings.timeouts,
            censor: Censor::default(),
        })
    }

    /// Whether this server may be talked to without TLS.
    pub(super) fn may_be_plain(&self, authority: &str) -> bool {
        is_loopback(super::url::host_of(authority)) || self.insecure.iter().any(|name| name == authority)
    }

    /// Sends `call` to `url` and follows where it leads; `authorization` goes no further than that server.
    pub(super) fn follow(
        &self,
        call: &Call<'_>,
        url: &Url,
        authorization: Option<&Secret>,
        repository: &Repository,
    ) -> Result<Answer, Error> {
        let mut at = url.clone();
        for _ in 0..=REDIRECTS {
            let own = authorization.filter(|_| at.same_origin(url));
            let answer = self.once(call, &at, own, repository)?;
            let Some(location) = leads_on(call, &answer) else { return Ok(answer) };
            let next = at.join(&location);
            let request = answer.request.clone();
            answer.finish();
            let Some(next) = next else {
                return Err(Error::Unexpected {
                    request,
                    why: "it leads to something that is no URL".into(),
                });
            };
            if !next.is_tls() && (at.is_tls() || !self.may_be_plain(next.authority())) {
                return Err(Error::Unsafe { request, host: self.censor.clean(next.authority()) });
            }
            at = next;
        }
        let request = self.describe(call, url, repository);
        Err(Error::Unexpected { request, why: "it leads from one place to the next without end".into() })
    }

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
            let unusable = |_| no_answer(Failure::Other("the credentials can't be sent in a header".into()));
            let mut value = HeaderValue::from_str(secret.reveal()).map_err(unusable)?;
            value.set_sensitive(true);
            head = head.header(header::AUTHORIZATION, value);
        }
        let failed = RefCell::new(None);
        let local = |why: io::Error| Error::NoAnswer {
            request: request.clone(),
            failure: Failure::Local(why.to_string()),
        };
        let unusable = |_| no_answer(Failure::Other("it can't be sent".into()));
        let result = match &call.body {
            None => self.run(head.body(()).map_err(unusable)?, call, url),
            Some(body) => {
                let mut reader = Exactly::new(body.open().map_err(local)?, body, &failed);
                let head = head.header(header::CONTENT_LENGTH, body.length);
                self.run(head.body(SendBody::from_reader(&mut reader)).map_err(unusable)?, call, url)
            }
        };
        if let Some(why) = failed.take() {
            return Err(local(why));
        }
        let (parts, body) = result.map_err(|error| no_answer(failure(&error)))?.into_parts();
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body, url: url.clone(), request })
    }

    /// `call` as errors name it. Where it goes may be a server's word, which may hold what the server got.
    pub(super) fn describe(&self, call: &Call<'_>, url: &Url, repository: &Repository) -> Request {
        let own = url.authority() == repository.authority();
        Request {
            repository: repository.clone(),
            method: call.method.to_string(),
            path: self.censor.clean(url.path()),
            host: (!own).then(|| self.censor.clean(url.authority())),
        }
    }

    fn run(
        &self,
        message: HttpRequest<impl AsSendBody>,
        call: &Call<'_>,
        url: &Url,
    ) -> Result<Response<Body>, ureq::Error> {
        let direct = proxy::is_direct(url.authority(), &self.no_proxy);
        let agent = self.proxied.as_ref().filter(|_| !direct).unwrap_or(&self.direct);
        let limit = call.brief.then_some(self.timeouts.answer);
        agent.run(agent.configure_request(message).timeout_recv_body(limit).build())
    }
}

/// Where an answer sends the same request, if it does.
fn leads_on(call: &Call<'_>, answer: &Answer) -> Option<String> {
    let reads = call.method == Method::GET || call.method == Method::HEAD;
    let moved = match answer.status {
        301..=303 => reads,
        307 | 308 => true,
        _ => false,
    };
    answer.header("location").filter(|_| moved && call.redirects).map(str::to_owned)
}

/// The system's roots, which TLS asks itself; or, with further ones, all of them as a list.
fn roots(settings: &Settings) -> Result<RootCerts, Error> {
    if settings.certificates.is_empty() {
        return Ok(RootCerts::PlatformVerifier);
    }
    // What can't be read of the system's is missing when it is needed, and said then.
    let system = rustls_native_certs::load_native_certs().certs;
    let mut all: Vec<Certificate<'static>> =
        system.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
    for path in &settings.certificates {
        let error = |why: &str| Error::Certificates { path: path.clone(), why: why.into() };
        let pem = std::fs::read(path).context("read", path)?;
        let before = all.len();
        for item in parse_pem(&pem) {
            if let PemItem::Certificate(certificate) = item.map_err(|_| error("it is no PEM file"))? {
                all.push(certificate);
            }
        }
        if all.len() == before {
            return Err(error("it holds no certificate"));
        }
    }
    Ok(RootCerts::from(all))
}

fn agent(settings: &Settings, roots: &RootCerts, proxy: Option<Proxy>) -> Agent {
    let super::Timeouts { connect, answer } = settings.timeouts;
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(concat!("coracle/", env!("CARGO_PKG_VERSION")))
        .proxy(proxy)
        .tls_config(TlsConfig::builder().root_certs(roots.clone()).build())
        .max_response_header_size(LARGEST_HEADER)
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

/// What went wrong, without the URL, which may hold signatures.
fn failure(error: &ureq::Error) -> Failure {
    match error {
        ureq::Error::Io(error) => failure_of_io(error),
        ureq::Error::Timeout(_) => Failure::TooSlow,
        ureq::Error::HostNotFound => Failure::UnknownHost,
        ureq::Error::LargeResponseHeader(..) => Failure::NoHttp("its header has no end".into()),
        ureq::Error::Protocol(error) => match error.to_string() {
            why if why.contains("too many headers") => Failure::NoHttp("its header has no end".into()),
            why => Failure::NoHttp(text::shown(&why, 200)),
        },
        ureq::Error::Rustls(error) => tls(&error.to_string()),
        ureq::Error::Tls(error) => tls(error),
        ureq::Error::ConnectProxyFailed(_) => Failure::Proxy,
        ureq::Error::ConnectionFailed => Failure::NotListening,
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => Failure::Other("it can't be sent".into()),
        other => Failure::Other(text::shown(&other.to_string(), 200)),
    }
}

pub(super) fn failure_of_io(error: &io::Error) -> Failure {
    use io::ErrorKind as Kind;
    if let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>()) {
        return failure(inner);
    }
    match error.kind() {
        Kind::UnexpectedEof
        | Kind::ConnectionReset
        | Kind::ConnectionAborted
        | Kind::BrokenPipe
        | Kind::NotConnected => Failure::Cut,
        Kind::ConnectionRefused => Failure::NotListening,
        Kind::TimedOut | Kind::WouldBlock => Failure::TooSlow,
        Kind::InvalidData => tls(&error.to_string()),
        _ => Failure::Other(text::shown(&error.to_string(), 200)),
    }
}

fn tls(why: &str) -> Failure {
    if why.contains("InvalidContentType") { Failure::NotTls } else { Failure::Tls(text::shown(why, 200)) }
}
