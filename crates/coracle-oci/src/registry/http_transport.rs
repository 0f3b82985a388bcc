//! The HTTP transport, as a trait: the protocol code does not depend on an HTTP library. The texts of
//! its failures contain no secrets and no control characters.

use std::fmt;
use std::io::{self, Read};

use super::escape;
use super::request::RequestSummary;
use super::url::Url;

/// Sends single requests, without following redirects.
pub(super) trait HttpTransport: Send + Sync {
    /// Sends `request` and reads the head of the response. Responses of any status are returned.
    fn send(&self, request: HttpRequest<'_>) -> Result<http::Response<ResponseBody>, TransportFailure>;
}

/// A request as it is sent.
pub(super) struct HttpRequest<'a> {
    pub(super) url: &'a Url,
    pub(super) head: http::Request<()>,
    /// The body. Its size is in the header `Content-Length`.
    pub(super) body: Option<&'a mut dyn Read>,
    /// `true` if the response timeout applies to the whole body of the response.
    pub(super) has_body_timeout: bool,
}

/// The body of a response. Its errors wrap a [`TransportFailure`].
pub(super) type ResponseBody = Box<dyn Read + Send>;

/// Why no complete response was received.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TransportFailure {
    /// The host name can't be resolved.
    UnknownHost,
    /// The connection was refused.
    ConnectionRefused,
    /// The connection was closed before the response was complete.
    ConnectionLost,
    /// The proxy can't connect to the host.
    Proxy,
    /// The response timed out.
    Timeout,
    /// TLS failed, such as with a certificate that is not trusted.
    Tls(String),
    /// The server does not use TLS.
    NoTls,
    /// The content to send can't be read.
    UnreadableContent(String),
    /// The response is not valid HTTP, or its headers are too large.
    InvalidHttp(String),
    /// Any other failure.
    Other(String),
}

impl fmt::Display for TransportFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownHost => f.write_str("no such host"),
            Self::ConnectionRefused => f.write_str("connection refused"),
            Self::ConnectionLost => f.write_str("the connection was closed too early"),
            Self::Proxy => f.write_str("the proxy can't connect"),
            Self::Timeout => f.write_str("timed out"),
            Self::NoTls => f.write_str("the server does not use TLS"),
            Self::UnreadableContent(why) => write!(f, "cannot read the content to send: {why}"),
            Self::Tls(why) | Self::InvalidHttp(why) | Self::Other(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for TransportFailure {}

impl TransportFailure {
    /// Classifies an I/O error, which may wrap a `TransportFailure`.
    pub(super) fn from_io_error(error: &io::Error) -> Self {
        use io::ErrorKind as Kind;
        if let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<Self>()) {
            return inner.clone();
        }
        match error.kind() {
            Kind::UnexpectedEof
            | Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::BrokenPipe
            | Kind::NotConnected => Self::ConnectionLost,
            Kind::ConnectionRefused => Self::ConnectionRefused,
            Kind::TimedOut | Kind::WouldBlock => Self::Timeout,
            Kind::InvalidData => Self::from_tls_error(&error.to_string()),
            _ => Self::Other(escape::escape_untrusted(&error.to_string(), 200)),
        }
    }

    /// Classifies the message of a TLS error.
    pub(super) fn from_tls_error(why: &str) -> Self {
        match why.contains("InvalidContentType") {
            true => Self::NoTls,
            false => Self::Tls(escape::escape_untrusted(why, 200)),
        }
    }

    /// The next step for the user, if there is one.
    pub(super) fn hint(&self, request: &RequestSummary) -> Option<String> {
        let registry = request.host.as_deref().unwrap_or(request.repository.registry());
        Some(match self {
            Self::UnknownHost => format!("check the host name `{registry}` and the network"),
            Self::ConnectionRefused => {
                format!("check that `{registry}` is running and that the port is right")
            }
            Self::Proxy => {
                "check that the proxy may connect to this host, or exclude the host from the proxy".into()
            }
            Self::ConnectionLost | Self::Timeout => "try again; a proxy or firewall may be the cause".into(),
            Self::NoTls => format!("configure `{registry}` as insecure to use it without TLS"),
            Self::Tls(why) if why.contains("CaUsedAsEndEntity") => format!(
                "`{registry}` uses a CA certificate as its server certificate; use one signed by the CA"
            ),
            Self::Tls(_) => format!("configure the CA certificate of `{registry}`"),
            Self::InvalidHttp(_) => format!("check that `{registry}` is a registry"),
            Self::UnreadableContent(_) => "the file must not change during the upload; build it again".into(),
            Self::Other(_) => return None,
        })
    }
}
