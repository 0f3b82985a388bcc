//! The registry client, and its view of one repository.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ureq::http::HeaderMap;

use super::authenticator::Authenticator;
use super::error::{Error, RequestSummary, TransportFailure};
use super::request::{OutgoingRequest, RequestTarget};
use super::response::Response;
use super::retry::{self, Backoff};
use super::transport::Transport;
use super::url::Url;
use super::{Access, RegistrySettings, Repository, token_scope};

/// A client for any number of registries. Cheap to clone; clones share connections, credentials
/// and tokens.
#[derive(Clone)]
pub struct RegistryClient {
    inner: Arc<ClientState>,
}

struct ClientState {
    settings: RegistrySettings,
    transport: Transport,
    auth: Authenticator,
    /// Whether a host uses TLS, for hosts that may be used without it.
    uses_tls: Mutex<BTreeMap<String, bool>>,
}

/// A client of one repository, with a fixed access. It can be used by several threads at once.
#[derive(Clone, Debug)]
pub struct RepositoryClient {
    client: RegistryClient,
    repository: Repository,
    scopes: Vec<String>,
}

/// A response whose body was read in full.
pub(super) struct ReceivedDocument {
    pub(super) headers: HeaderMap,
    pub(super) bytes: Vec<u8>,
    pub(super) request: RequestSummary,
    pub(super) url: Url,
}

impl RegistryClient {
    /// Creates a client. No request is sent yet.
    ///
    /// # Errors
    /// Fails if a certificate file can't be read or the proxy URL is invalid.
    pub fn new(settings: RegistrySettings) -> Result<Self, Error> {
        let wire = Transport::new(&settings)?;
        let (auth, tls) = (Authenticator::default(), Mutex::default());
        Ok(Self { inner: Arc::new(ClientState { settings, transport: wire, auth, uses_tls: tls }) })
    }

    /// Returns a client of `repository`. Tokens are requested for `access`. No request is sent yet.
    pub fn repository_client(&self, repository: &Repository, access: &Access) -> RepositoryClient {
        let scopes = token_scope::token_scopes(repository, access);
        RepositoryClient { client: self.clone(), repository: repository.clone(), scopes }
    }

    /// The number of blobs that are uploaded in parallel.
    pub fn parallel_uploads(&self) -> usize {
        self.inner.settings.parallel_uploads
    }

    pub(super) fn settings(&self) -> &RegistrySettings {
        &self.inner.settings
    }
}

impl RepositoryClient {
    /// The repository of this client.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    pub(super) fn client(&self) -> &RegistryClient {
        &self.client
    }

    /// The API path `/v2/<name>/<rest>` of the repository.
    pub(super) fn api_path(&self, rest: &str) -> RequestTarget {
        RequestTarget::Path(format!("/v2/{}/{rest}", self.repository.name()))
    }

    /// Sends a request, authenticates if required, and retries transient failures. Responses of any
    /// status are returned.
    pub(super) fn send(&self, call: &OutgoingRequest<'_>) -> Result<Response, Error> {
        let mut waits = self.new_backoff();
        loop {
            let outcome = self.send_once(call);
            if !waits.wait_to_retry(&outcome, call.is_idempotent) {
                return outcome;
            }
        }
    }

    /// Sends a request and reads the body, up to `limit` bytes. Retries if the connection is lost.
    /// `None` if the status is 404.
    pub(super) fn fetch_document(
        &self,
        call: &OutgoingRequest<'_>,
        limit: u64,
    ) -> Result<Option<ReceivedDocument>, Error> {
        let mut waits = self.new_backoff();
        loop {
            let answer = self.send(call)?;
            match answer.status {
                200 => {}
                404 => return Ok(None),
                _ => return Err(self.response_error(answer)),
            }
            let (headers, url) = (answer.headers.clone(), answer.url.clone());
            let error = match answer.read_body(limit) {
                Ok((bytes, request)) => return Ok(Some(ReceivedDocument { headers, bytes, request, url })),
                Err(error) => error,
            };
            match waits.next_delay(None).filter(|_| retry::is_connection_lost(&error)) {
                Some(pause) => std::thread::sleep(pause),
                None => return Err(error),
            }
        }
    }

    /// A new backoff, with the retry policy of the client.
    pub(super) fn new_backoff(&self) -> Backoff {
        Backoff::new(self.client.settings().retry_policy)
    }

    /// Sends a request without retries. Authenticates if required, and detects whether the host
    /// uses TLS if it may be used without.
    pub(super) fn send_once(&self, call: &OutgoingRequest<'_>) -> Result<Response, Error> {
        let path = match &call.target {
            RequestTarget::Url(url) => return self.send_authenticated(call, url),
            RequestTarget::Path(path) => path,
        };
        let authority = self.repository.api_authority();
        let known = self.lock_uses_tls().get(authority).copied();
        let schemes: &[bool] = match known {
            Some(true) => &[true],
            Some(false) => &[false],
            // Local registries rarely use TLS, so plain HTTP is tried first there.
            None if self.repository.is_on_loopback() => &[false, true],
            None if self.client.inner.transport.allows_plain_http(authority) => &[true, false],
            None => &[true],
        };
        let mut first = None;
        for &tls in schemes {
            let outcome = self.send_authenticated(call, &self.url(tls, path)?);
            if schemes.len() == 1 {
                return outcome;
            }
            if !is_wrong_scheme(tls, &outcome) {
                self.lock_uses_tls().insert(authority.to_owned(), tls);
                return outcome;
            }
            first.get_or_insert(outcome);
        }
        // Neither scheme worked: report the first failure.
        first.unwrap_or_else(|| self.send_authenticated(call, &self.url(true, path)?))
    }

    /// Converts an unexpected response to an error.
    pub(super) fn response_error(&self, answer: Response) -> Error {
        let inner = &self.client.inner;
        answer.into_error(&inner.transport.redactor, inner.auth.login_status(&self.repository))
    }

    /// Text of a server for display: secrets redacted, control characters escaped.
    pub(super) fn redact(&self, text: &str) -> String {
        self.client.inner.transport.redactor.redact(text)
    }

    fn url(&self, tls: bool, path: &str) -> Result<Url, Error> {
        let authority = self.repository.api_authority();
        Url::new(tls, authority, path)
            .ok_or_else(|| Error::InvalidHost { repository: self.repository.clone() })
    }

    /// Sends a request, and sends it again with credentials if the response is 401.
    fn send_authenticated(&self, call: &OutgoingRequest<'_>, url: &Url) -> Result<Response, Error> {
        let ClientState { settings, transport: wire, auth, .. } = &*self.client.inner;
        if !url.is_tls() && !wire.allows_plain_http(url.authority()) {
            let request = wire.summarize(call, url, &self.repository);
            return Err(Error::WithoutTls { request, host: wire.redactor.redact(url.authority()) });
        }
        let own = self.url(url.is_tls(), "/")?.is_same_origin(url);
        let used = if own { auth.cached_header(&self.repository, &self.scopes) } else { None };
        let answer = wire.send_following_redirects(call, url, used.as_ref(), &self.repository)?;
        if answer.status != 401 || !own || !answer.url.is_same_origin(url) {
            return Ok(answer);
        }
        let access = (&self.repository, self.scopes.as_slice());
        match auth.authenticate(wire, settings, access, &answer, used.as_ref())? {
            None => Ok(answer),
            Some(header) => {
                answer.drain();
                wire.send_following_redirects(call, url, Some(&header), &self.repository)
            }
        }
    }

    fn lock_uses_tls(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, bool>> {
        self.client.inner.uses_tls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the server seems to use the other scheme. TLS servers answer plain HTTP with 400.
fn is_wrong_scheme(tls: bool, outcome: &Result<Response, Error>) -> bool {
    match outcome {
        Ok(answer) => !tls && answer.status == 400,
        Err(Error::NoResponse { failure, .. }) if tls => {
            matches!(
                failure,
                TransportFailure::NoTls | TransportFailure::ConnectionRefused | TransportFailure::Proxy
            )
        }
        Err(Error::NoResponse { failure, .. }) => {
            matches!(
                failure,
                TransportFailure::InvalidHttp(_)
                    | TransportFailure::ConnectionLost
                    | TransportFailure::ConnectionRefused
                    | TransportFailure::Proxy
            )
        }
        Err(_) => false,
    }
}

impl fmt::Debug for RegistryClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}
