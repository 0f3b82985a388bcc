//! Errors of the registry client. Their texts contain no secrets and no control characters.

use std::fmt;
use std::path::PathBuf;

use super::Repository;
use super::response::Refusal;
use coracle_core::digest::Digest;
use coracle_core::fs;

/// An error of the registry client.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A configuration or blob file can't be read.
    #[error(transparent)]
    File(#[from] fs::Error),
    /// A certificate file is not PEM or contains no certificate.
    #[error("cannot read certificates from `{}`: {why}", .path.display())]
    InvalidCertificates {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The proxy URL is invalid. It is not shown, because it may hold a password.
    #[error("the proxy URL is invalid")]
    Proxy,
    /// A credential file is not in the format of Docker and Podman.
    #[error("cannot read credentials from `{}`: {why}", .path.display())]
    InvalidCredentialFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A credential helper failed.
    #[error("cannot get credentials for `{registry}` from `{helper}`: {why}")]
    CredentialHelper {
        /// The registry.
        registry: String,
        /// The helper program.
        helper: String,
        /// How it failed.
        why: String,
    },
    /// The registry is not a valid host.
    #[error("`{}` is not a valid registry host", .repository.registry())]
    InvalidHost {
        /// The repository.
        repository: Repository,
    },
    /// A tag is not valid.
    #[error("`{tag}` is not a valid tag")]
    InvalidTag {
        /// The tag.
        tag: String,
    },
    /// A manifest that should be a referrer has no `subject`.
    #[error("manifest `{digest}` has no subject")]
    NoSubject {
        /// The digest of the manifest.
        digest: Digest,
    },
    /// Other clients keep overwriting a referrers tag.
    #[error("other clients keep overwriting the tag `{tag}` of `{repository}`")]
    TagConflict {
        /// The repository.
        repository: Repository,
        /// The tag.
        tag: String,
    },
    /// A manifest that an index lists does not exist.
    #[error("the manifest `{digest}` is missing from `{repository}`, but an index lists it")]
    MissingManifest {
        /// The repository of the index.
        repository: Repository,
        /// The digest of the manifest.
        digest: Digest,
    },
    /// The token server did not give a token.
    #[error("cannot get a token for `{repository}`")]
    Token {
        /// The repository to access.
        repository: Repository,
        /// The cause.
        source: Box<Error>,
    },
    /// A redirect, upload location or token server does not use TLS.
    #[error("{request} would continue at `{host}` without TLS, which is not safe")]
    WithoutTls {
        /// The request.
        request: RequestSummary,
        /// The host without TLS.
        host: String,
    },
    /// No complete response was received.
    #[error("no response to {request}: {failure}")]
    NoResponse {
        /// The request.
        request: RequestSummary,
        /// The cause.
        failure: TransportFailure,
    },
    /// The status of the response is an error.
    #[error("{request} failed with status {refusal}")]
    Refused {
        /// The request.
        request: RequestSummary,
        /// The error response.
        refusal: Refusal,
    },
    /// The response violates the protocol.
    #[error("the response to {request} is invalid: {why}")]
    InvalidResponse {
        /// The request.
        request: RequestSummary,
        /// What is wrong with the response.
        why: String,
    },
    /// Content does not match its digest.
    #[error("the response to {request} has the digest `{found}` instead of `{expected}`")]
    DigestMismatch {
        /// The request.
        request: RequestSummary,
        /// The expected digest.
        expected: Digest,
        /// The digest that the registry reported, or that of the received content.
        found: Digest,
    },
}

/// A summary of a request for error messages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestSummary {
    /// The repository.
    pub repository: Repository,
    /// The method, such as `GET`.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The host that the request was sent to, if it is not that of the registry.
    pub host: Option<String>,
}

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

impl fmt::Display for RequestSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { repository, method, path, host } = self;
        write!(f, "`{method} {path}` for `{}` at `{}`", repository.name(), repository.registry())?;
        host.as_ref().map_or(Ok(()), |host| write!(f, " (sent to `{host}`)"))
    }
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

impl Error {
    /// Whether the cause is local: a file, the configuration or an invalid argument.
    pub fn is_local_failure(&self) -> bool {
        matches!(
            self,
            Self::File(_)
                | Self::InvalidCertificates { .. }
                | Self::Proxy
                | Self::InvalidCredentialFile { .. }
                | Self::CredentialHelper { .. }
                | Self::InvalidTag { .. }
                | Self::NoSubject { .. }
        )
    }

    /// The next step for the user, if there is one.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::File(error) => return error.hint(),
            Self::InvalidCertificates { .. } => {
                "use a PEM file, which starts with `-----BEGIN CERTIFICATE-----`".into()
            }
            Self::Proxy => "write it as `http://[USER:PASSWORD@]HOST:PORT`".into(),
            Self::InvalidCredentialFile { .. } => "correct the file, or log in again".into(),
            Self::CredentialHelper { helper, .. } => {
                format!("test the helper with `{helper} list`, or remove it from Docker's `config.json`")
            }
            Self::InvalidTag { .. } => {
                "a tag has up to 128 letters, digits, `_`, `.` and `-`, and does not start with `.` or `-`"
                    .into()
            }
            Self::MissingManifest { .. } => "the image is incomplete: push it again with another tag".into(),
            Self::Token { source, .. } => return source.hint(),
            Self::WithoutTls { host, .. } => {
                format!("if `{host}` belongs to the registry, enable TLS there")
            }
            Self::NoResponse { request, failure } => return failure.hint(request),
            Self::Refused { request, refusal } => return refusal.hint(request),
            Self::DigestMismatch { .. } => {
                "try again; if it fails again, the registry or a cache in front of it is damaged".into()
            }
            Self::TagConflict { .. } => "try again when the other clients have finished".into(),
            Self::InvalidResponse { .. } | Self::NoSubject { .. } | Self::InvalidHost { .. } => return None,
        })
    }
}

impl TransportFailure {
    fn hint(&self, request: &RequestSummary) -> Option<String> {
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
