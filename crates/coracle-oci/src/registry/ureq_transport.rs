//! The HTTP transport by `ureq` and rustls, with proxy and TLS settings.

use std::io::{self, Read};

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, BodyReader, Proxy, SendBody};

use super::error::RegistryError;
use super::escape;
use super::http_transport::{HttpRequest, HttpTransport, ResponseBody, TransportFailure};
use super::minimum_rate::{MinimumRateReader, max_transfer_time};
use super::settings::{RegistrySettings, Timeouts};
use super::url::{host_of, is_loopback, port_of};
use coracle_core::fs::Context;

/// The maximum size of all headers of a response.
const MAX_HEADER_BYTES: usize = 64 << 10;

/// HTTP agents with and without the proxy.
pub(super) struct UreqTransport {
    direct_agent: Agent,
    proxy_agent: Option<Agent>,
    no_proxy: Vec<String>,
    timeouts: Timeouts,
}

impl UreqTransport {
    /// Creates the transport. Fails if a certificate file can't be read or the proxy URL is
    /// invalid.
    pub(super) fn new(settings: &RegistrySettings) -> Result<Self, RegistryError> {
        let roots = root_certificates(settings)?;
        let proxy = match &settings.proxy {
            None => None,
            Some(url) => Some(Proxy::new(url.reveal()).map_err(|_| RegistryError::Proxy)?),
        };
        Ok(Self {
            direct_agent: build_agent(settings, &roots, None),
            proxy_agent: proxy.map(|proxy| build_agent(settings, &roots, Some(proxy))),
            no_proxy: settings.no_proxy.clone(),
            timeouts: settings.timeouts,
        })
    }
}

impl HttpTransport for UreqTransport {
    fn send(&self, request: HttpRequest<'_>) -> Result<http::Response<ResponseBody>, TransportFailure> {
        let HttpRequest { url, head, body, has_body_timeout } = request;
        let is_direct = bypasses_proxy(url.authority(), &self.no_proxy);
        let agent = self.proxy_agent.as_ref().filter(|_| !is_direct).unwrap_or(&self.direct_agent);
        let period = self.timeouts.response;
        let timeout = has_body_timeout.then_some(period);
        let response = match body {
            None => agent.run(agent.configure_request(head).timeout_recv_body(timeout).build()),
            Some(mut body) => {
                let sending = max_transfer_time(content_length(&head), period);
                let request = head.map(|()| SendBody::from_reader(&mut body));
                let request = agent.configure_request(request).timeout_recv_body(timeout);
                agent.run(request.timeout_send_body(Some(sending)).build())
            }
        };
        let response = response.map_err(|error| classify_error(&error))?;
        Ok(response.map(|body| -> ResponseBody {
            let body = UreqBody(body.into_reader());
            match has_body_timeout {
                true => Box::new(body),
                false => Box::new(MinimumRateReader::new(body, period)),
            }
        }))
    }
}

/// The size of a request's body.
fn content_length(head: &http::Request<()>) -> u64 {
    let length = head.headers().get(http::header::CONTENT_LENGTH);
    length.and_then(|length| length.to_str().ok()?.parse().ok()).unwrap_or_default()
}

/// The body of a response, with classified errors.
struct UreqBody(BodyReader<'static>);

impl Read for UreqBody {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            kind => io::Error::new(kind, classify_io_error(&error)),
        })
    }
}

/// The trusted root certificates: the platform's verifier, or, if further certificates are
/// configured, the system's certificates and the configured ones.
fn root_certificates(settings: &RegistrySettings) -> Result<RootCerts, RegistryError> {
    if settings.certificate_files.is_empty() {
        return Ok(RootCerts::PlatformVerifier);
    }
    // System certificates that can't be read are skipped: a connection that needs them fails.
    let system = rustls_native_certs::load_native_certs().certs;
    let mut all: Vec<Certificate<'static>> =
        system.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
    for path in &settings.certificate_files {
        let error = |why: &str| RegistryError::InvalidCertificates { path: path.clone(), why: why.into() };
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
    let Timeouts { connect, response } = settings.timeouts;
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
        .timeout_recv_response(Some(response))
        .timeout_per_read(Some(response))
        .timeout_per_write(Some(response))
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
        ureq::Error::Rustls(error) => TransportFailure::from_tls_error(&error.to_string()),
        ureq::Error::Tls(error) => TransportFailure::from_tls_error(error),
        ureq::Error::ConnectProxyFailed(_) => TransportFailure::Proxy,
        ureq::Error::ConnectionFailed => TransportFailure::ConnectionRefused,
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
            TransportFailure::Other("the request is not valid HTTP".into())
        }
        other => TransportFailure::Other(escape::escape_untrusted(&other.to_string(), 200)),
    }
}

/// Classifies an I/O error, which may wrap an error of `ureq`.
fn classify_io_error(error: &io::Error) -> TransportFailure {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>()) {
        Some(inner) => classify_error(inner),
        None => TransportFailure::from_io_error(error),
    }
}

/// Returns whether `authority` bypasses the proxy. Patterns have the form of `NO_PROXY` as in curl: a
/// domain includes its subdomains.
fn bypasses_proxy(authority: &str, patterns: &[String]) -> bool {
    let host = host_of(authority);
    is_loopback(host)
        || patterns.iter().any(|pattern| matches_no_proxy(pattern.trim(), host, port_of(authority)))
}

fn matches_no_proxy(pattern: &str, host: &str, port: Option<&str>) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    if pattern == "*" {
        return true;
    }
    if port_of(&pattern).is_some_and(|wanted| port != Some(wanted)) {
        return false;
    }
    let name = host_of(&pattern).trim_start_matches('*').trim_start_matches('.');
    let is_below = host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    !name.is_empty() && is_below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_no_proxy_patterns() {
        let direct = |authority, pattern: &str| bypasses_proxy(authority, &[pattern.to_owned()]);
        for (authority, pattern) in [
            ("localhost:5000", ""),
            ("127.0.0.1", ""),
            ("r.corp.io", "corp.io"),
            ("r.corp.io:5000", ".corp.io"),
            ("corp.io", "*.Corp.io"),
            ("r.io:5000", "r.io:5000"),
            ("r.io", "*"),
        ] {
            assert!(direct(authority, pattern), "{authority} {pattern}");
        }
        for (authority, pattern) in [
            ("r.io", ""),
            ("xcorp.io", "corp.io"),
            ("r.io", "r.io:5000"),
            ("r.io", "."),
            ("corp.io.evil", "corp.io"),
        ] {
            assert!(!direct(authority, pattern), "{authority} {pattern}");
        }
    }
}
