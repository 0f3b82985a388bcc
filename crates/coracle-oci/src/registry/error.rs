//! Why a registry could not be asked, or what it answered. Secrets and control characters never come this far.

use std::fmt;
use std::path::PathBuf;

use super::Repository;
use super::answer::Refusal;
use coracle_core::digest::Digest;
use coracle_core::fs;

/// Why something could not be read from or written to a registry.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of settings, or of a blob, could not be read.
    #[error(transparent)]
    File(#[from] fs::Error),
    /// A file with certificates holds none, or none that can be read.
    #[error("cannot take certificates from `{}`: {why}", .path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The proxy's URL can't be one. It is not shown, because it may hold a password.
    #[error("the URL of the proxy can't be used")]
    Proxy,
    /// A file with credentials is not what Docker or Podman write.
    #[error("cannot take credentials from `{}`: {why}", .path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A credential helper failed.
    #[error("cannot get credentials for `{registry}` from `{helper}`: {why}")]
    Helper {
        /// The registry.
        registry: String,
        /// The program.
        helper: String,
        /// How it ended.
        why: String,
    },
    /// The registry's name is no host.
    #[error("`{}` can't be the host of a registry", .repository.registry())]
    NotAddressable {
        /// The repository.
        repository: Repository,
    },
    /// A tag that no registry takes.
    #[error("`{tag}` is not a tag")]
    NoTag {
        /// What was asked for.
        tag: String,
    },
    /// What was to refer to something does not.
    #[error("manifest `{digest}` has no subject")]
    NoSubject {
        /// The manifest.
        digest: Digest,
    },
    /// Others write an index at the same time, and without looking.
    #[error("tag `{tag}` of `{repository}` is written over by somebody else")]
    Overwritten {
        /// Where the index is.
        repository: Repository,
        /// Its tag.
        tag: String,
    },
    /// A manifest that another one names is not there.
    #[error("`{repository}` does not have `{digest}`, which its index names")]
    Missing {
        /// Where it should be.
        repository: Repository,
        /// The manifest.
        digest: Digest,
    },
    /// No token was to be had.
    #[error("cannot get a token for `{repository}`")]
    Token {
        /// What it was to open.
        repository: Repository,
        /// Why.
        source: Box<Error>,
    },
    /// The token server or a redirect would have got what must not be seen on the way.
    #[error("{request} leads to `{host}` without TLS, which is not safe")]
    Unsafe {
        /// What was asked.
        request: Request,
        /// Where it would have gone.
        host: String,
    },
    /// There was no answer.
    #[error("no answer to {request}: {failure}")]
    NoAnswer {
        /// What was asked.
        request: Request,
        /// Why there was none.
        failure: Failure,
    },
    /// The answer was no.
    #[error("{request} was answered with {refusal}")]
    Refused {
        /// What was asked.
        request: Request,
        /// What was answered.
        refusal: Refusal,
    },
    /// The answer breaks the protocol.
    #[error("the answer to {request} can't be used: {why}")]
    Unexpected {
        /// What was asked.
        request: Request,
        /// What is wrong with the answer.
        why: String,
    },
    /// Bytes are not those that were asked for.
    #[error("{request} brought `{found}` instead of `{expected}`")]
    Altered {
        /// What was asked.
        request: Request,
        /// The digest that was wanted.
        expected: Digest,
        /// The digest of what came.
        found: Digest,
    },
}

/// A request as errors name it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// The registry and the repository there.
    pub repository: Repository,
    /// `GET`, `PUT` …
    pub method: String,
    /// The path, without what stands after `?`.
    pub path: String,
    /// The host that was asked, where it is not the registry's own.
    pub host: Option<String>,
}

/// Why there was no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// Nobody knows the host.
    UnknownHost,
    /// Nobody listens there.
    NotListening,
    /// The connection ended before the answer did.
    Cut,
    /// The proxy does not get there.
    Proxy,
    /// Nothing came in the time that was allowed.
    TooSlow,
    /// The certificate is not trusted, or TLS failed otherwise.
    Tls(String),
    /// The other side does not speak TLS.
    NotTls,
    /// What was to be sent could not be read.
    Local(String),
    /// What came is no HTTP, or has no end.
    NoHttp(String),
    /// Anything else.
    Other(String),
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { repository, method, path, host } = self;
        write!(f, "`{method} {path}` for `{}` at `{}`", repository.name(), repository.registry())?;
        host.as_ref().map_or(Ok(()), |host| write!(f, " (sent to `{host}`)"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownHost => f.write_str("no such host"),
            Self::NotListening => f.write_str("connection refused"),
            Self::Cut => f.write_str("the connection was cut"),
            Self::Proxy => f.write_str("the proxy can't connect"),
            Self::TooSlow => f.write_str("nothing came in time"),
            Self::NotTls => f.write_str("it does not speak TLS"),
            Self::Local(why) => write!(f, "cannot read what was to be sent: {why}"),
            Self::Tls(why) | Self::NoHttp(why) | Self::Other(why) => f.write_str(why),
        }
    }
}

impl Error {
    /// Whether nobody was asked: what is wrong is here.
    pub fn is_local(&self) -> bool {
        matches!(
            self,
            Self::File(_)
                | Self::Certificates { .. }
                | Self::Proxy
                | Self::Credentials { .. }
                | Self::Helper { .. }
                | Self::NoTag { .. }
                | Self::NoSubject { .. }
        )
    }

    /// The next step, where there is a usual one.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::File(error) => return error.hint(),
            Self::Certificates { .. } => "give a PEM file: `-----BEGIN CERTIFICATE-----` …".into(),
            Self::Proxy => "write it as `http://[USER:PASSWORD@]HOST:PORT`".into(),
            Self::Credentials { .. } => "repair the file, or log in again".into(),
            Self::Helper { helper, .. } => {
                format!("try `{helper} list`, or take the helper out of Docker's `config.json`")
            }
            Self::NoTag { .. } => "a tag has up to 128 letters, digits, `_`, `.` and `-`".into(),
            Self::Missing { .. } => "the image there is incomplete: push it again under another tag".into(),
            Self::Token { source, .. } => return source.hint(),
            Self::Unsafe { host, .. } => {
                format!("if `{host}` belongs to the registry, let it answer with TLS")
            }
            Self::NoAnswer { request, failure } => return failure.hint(request),
            Self::Refused { request, refusal } => return refusal.hint(request),
            Self::Altered { .. } => {
                "try again; if it stays so, the registry or a cache before it is damaged".into()
            }
            Self::Overwritten { .. } => "try again when the other clients have finished".into(),
            Self::Unexpected { .. } | Self::NoSubject { .. } | Self::NotAddressable { .. } => return None,
        })
    }
}

impl Failure {
    fn hint(&self, request: &Request) -> Option<String> {
        let registry = request.host.as_deref().unwrap_or(request.repository.registry());
        Some(match self {
            Self::UnknownHost => format!("check the name `{registry}` and the network"),
            Self::NotListening => format!("check that `{registry}` is running, and its port"),
            Self::Proxy => {
                "check that the proxy may connect there, or name the host as one to be reached directly"
                    .into()
            }
            Self::Cut | Self::TooSlow => {
                "try again; a proxy or a firewall on the way may be the cause".into()
            }
            Self::NotTls => format!("name `{registry}` as insecure to talk to it without TLS"),
            Self::Tls(why) if why.contains("CaUsedAsEndEntity") => format!(
                "`{registry}` shows the certificate of an authority itself; give it one that the authority signed"
            ),
            Self::Tls(_) => format!("name a file with the certificate authority of `{registry}`"),
            Self::NoHttp(_) => format!("check that `{registry}` is a registry"),
            Self::Local(_) => "nothing may change the file meanwhile; build it again".into(),
            Self::Other(_) => return None,
        })
    }
}
