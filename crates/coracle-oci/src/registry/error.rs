//! Errors of the registry client. Their texts contain no secrets and no control characters.

use std::path::PathBuf;

use super::error_response::{ErrorResponse, LoginStatus};
use super::http_transport::TransportFailure;
use super::referrers::MAX_REFERRERS;
use super::repository::Repository;
use super::request::RequestSummary;
use coracle_core::digest::Digest;
use coracle_core::fs;
use coracle_core::hint::Hint;

/// An error of the registry client.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The operation was cancelled.
    #[error("interrupted; no tag was written")]
    Cancelled,
    /// A configuration or blob file can't be read.
    #[error(transparent)]
    File(#[from] fs::Error),
    /// A certificate file is not PEM or contains no certificate.
    #[error("cannot read certificates from `{}`: {why}", .path.display())]
    InvalidCertificates {
        /// The file.
        path: PathBuf,
        /// The problem.
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
        /// The problem.
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
    /// A broken invariant of this program.
    #[error("internal error: {0}; please report it")]
    Internal(&'static str),
    /// Other clients keep overwriting a referrers tag.
    #[error("other clients keep overwriting the tag `{tag}` of `{repository}`")]
    TagConflict {
        /// The repository.
        repository: Repository,
        /// The tag.
        tag: String,
    },
    /// A manifest has more referrers than are read.
    #[error("`{subject}` in `{repository}` has more than {MAX_REFERRERS} referrers")]
    TooManyReferrers {
        /// The repository.
        repository: Repository,
        /// The manifest.
        subject: Digest,
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
        source: Box<RegistryError>,
    },
    /// A redirect, upload location or token server does not use TLS.
    #[error("{request} would continue at `{host}` without TLS, which is not safe")]
    WithoutTls {
        /// The request.
        request: RequestSummary,
        /// The host without TLS.
        host: String,
    },
    /// An upload location or a redirect of an upload is at a host that is not the registry's.
    #[error("{request} would send the image to `{host}`, which is not the registry")]
    ForeignUploadHost {
        /// The request.
        request: RequestSummary,
        /// The other host.
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
        refusal: ErrorResponse,
    },
    /// The response violates the protocol.
    #[error("the response to {request} is invalid: {why}")]
    InvalidResponse {
        /// The request.
        request: RequestSummary,
        /// The problem of the response.
        why: String,
    },
    /// Content does not match its digest.
    #[error("the response to {request} has the digest `{found}` instead of `{expected}`")]
    DigestMismatch {
        /// The request.
        request: RequestSummary,
        /// The expected digest.
        expected: Digest,
        /// The digest that the registry reported, or the digest of the received content.
        found: Digest,
    },
}

impl RegistryError {
    /// Returns the registry error that an I/O error wraps, such as one of a
    /// [`BlobReader`](super::BlobReader). `None` if there is none.
    pub(crate) fn cause_of(error: &std::io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// Returns whether the request was denied although it had credentials. Registries answer so to hide that
    /// something does not exist.
    pub fn may_hide_absence(&self) -> bool {
        matches!(self, Self::Refused { refusal, .. }
            if matches!(refusal.status, 401 | 403) && refusal.login == LoginStatus::HasCredentials)
    }

    /// Returns whether the cause is local: a file, the configuration or an invalid argument.
    pub fn is_local_failure(&self) -> bool {
        matches!(
            self,
            Self::Cancelled
                | Self::File(_)
                | Self::InvalidCertificates { .. }
                | Self::Proxy
                | Self::InvalidCredentialFile { .. }
                | Self::CredentialHelper { .. }
                | Self::InvalidTag { .. }
                | Self::NoSubject { .. }
                | Self::Internal(_)
        )
    }
}

impl Hint for RegistryError {
    fn hint(&self) -> Option<String> {
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
            Self::ForeignUploadHost { host, .. } => {
                format!("if `{host}` belongs to the registry, pass `--upload-host {host}`")
            }
            Self::NoResponse { request, failure } => return failure.hint(request),
            Self::Refused { request, refusal } => return refusal.hint(request),
            Self::DigestMismatch { .. } => {
                "try again; if it fails again, the registry or a cache in front of it is damaged".into()
            }
            Self::TooManyReferrers { .. } => {
                "delete referrers that are no longer needed, such as signatures of keys that are no longer \
                 used"
                    .into()
            }
            Self::TagConflict { .. } => "try again when the other clients have finished".into(),
            Self::Cancelled
            | Self::InvalidResponse { .. }
            | Self::Internal(_)
            | Self::NoSubject { .. }
            | Self::InvalidHost { .. } => return None,
        })
    }
}
