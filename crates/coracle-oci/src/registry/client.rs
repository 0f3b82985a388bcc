//! The registry client, and its view of one repository.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;

use super::authenticator::Authenticator;
use super::error::RegistryError;
use super::http_transport::TransportFailure;
use super::repository::Repository;
use super::request::{OutgoingRequest, RequestSummary, RequestTarget};
use super::request_sender::RequestSender;
use super::response::Response;
use super::retry::{self, Backoff};
use super::settings::RegistrySettings;
use super::token::{Access, token_scopes};
use super::url::Url;

/// A client for any number of registries. Cheap to clone; clones share connections, credentials
/// and tokens.
#[derive(Clone)]
pub struct RegistryClient {
    inner: Arc<ClientState>,
}

struct ClientState {
    settings: RegistrySettings,
    sender: RequestSender,
    auth: Authenticator,
    /// The hosts that may be used without TLS, and whether each uses it.
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
    #[cfg(feature = "registry")]
    pub fn new(settings: RegistrySettings) -> Result<Self, RegistryError> {
        let transport = super::ureq_transport::UreqTransport::new(&settings)?;
        let sender = RequestSender::new(&settings, Box::new(transport));
        let (auth, uses_tls) = (Authenticator::default(), Mutex::default());
        Ok(Self { inner: Arc::new(ClientState { settings, sender, auth, uses_tls }) })
    }

    /// Returns a client of `repository`. Tokens are requested for `access`. No request is sent yet.
    pub fn repository_client(&self, repository: &Repository, access: &Access) -> RepositoryClient {
        let scopes = token_scopes(repository, access);
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
    pub(super) fn send(&self, request: &OutgoingRequest<'_>) -> Result<Response, RegistryError> {
        let mut backoff = self.new_backoff();
        loop {
            let outcome = self.send_once(request);
            if !backoff.wait_to_retry(&outcome, request.is_idempotent) {
                return outcome;
            }
        }
    }

    /// Sends a request and reads the body, up to `limit` bytes. Retries if the connection is lost.
    /// `None` if the status is 404.
    pub(super) fn fetch_document(
        &self,
        request: &OutgoingRequest<'_>,
        limit: u64,
    ) -> Result<Option<ReceivedDocument>, RegistryError> {
        let mut backoff = self.new_backoff();
        loop {
            let response = self.send(request)?;
            match response.status {
                _ if response.is_success() => {}
                404 => return Ok(None),
                _ => return Err(self.response_error(response)),
            }
            let (headers, url) = (response.headers.clone(), response.url.clone());
            let error = match response.read_body(limit) {
                Ok((bytes, request)) => return Ok(Some(ReceivedDocument { headers, bytes, request, url })),
                Err(error) => error,
            };
            match backoff.next_delay(None).filter(|_| retry::is_connection_lost(&error)) {
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
    pub(super) fn send_once(&self, request: &OutgoingRequest<'_>) -> Result<Response, RegistryError> {
        let path = match &request.target {
            RequestTarget::Url(url) => return self.send_authenticated(request, url),
            RequestTarget::Path(path) => path,
        };
        let authority = self.repository.api_authority();
        let known = self.lock_uses_tls().get(authority).copied();
        let schemes: &[bool] = match known {
            Some(true) => &[true],
            Some(false) => &[false],
            // Local registries rarely use TLS, so plain HTTP is tried first there.
            None if self.repository.is_on_loopback() => &[false, true],
            None if self.client.inner.sender.allows_plain_http(authority) => &[true, false],
            None => &[true],
        };
        let mut first = None;
        for &tls in schemes {
            let outcome = self.send_authenticated(request, &self.url(tls, path)?);
            if schemes.len() == 1 {
                return outcome;
            }
            if !seems_to_use_other_scheme(tls, &outcome) {
                self.lock_uses_tls().insert(authority.to_owned(), tls);
                return outcome;
            }
            first.get_or_insert(outcome);
        }
        // Neither scheme worked: report the first failure.
        first.unwrap_or_else(|| self.send_authenticated(request, &self.url(true, path)?))
    }

    /// Converts an unexpected response to an error.
    pub(super) fn response_error(&self, response: Response) -> RegistryError {
        let inner = &self.client.inner;
        response.into_error(&inner.sender.redactor, inner.auth.login_status(&self.repository))
    }

    /// Fails if content must not be sent to `url`, which is from the response to `request`.
    pub(super) fn check_upload_host(&self, url: &Url, request: &RequestSummary) -> Result<(), RegistryError> {
        self.client.inner.sender.check_upload_host(url, request)
    }

    /// Formats text of a server for display: secrets redacted, control characters escaped.
    pub(super) fn redact(&self, text: &str) -> String {
        self.client.inner.sender.redactor.redact(text)
    }

    fn url(&self, tls: bool, path: &str) -> Result<Url, RegistryError> {
        let authority = self.repository.api_authority();
        Url::new(tls, authority, path)
            .ok_or_else(|| RegistryError::InvalidHost { repository: self.repository.clone() })
    }

    /// Sends a request, and sends it again with credentials if the response is 401.
    fn send_authenticated(
        &self,
        request: &OutgoingRequest<'_>,
        url: &Url,
    ) -> Result<Response, RegistryError> {
        let ClientState { settings, sender, auth, .. } = &*self.client.inner;
        if !url.is_tls() && !sender.allows_plain_http(url.authority()) {
            let request = sender.summarize(request, url, &self.repository);
            return Err(RegistryError::WithoutTls { request, host: sender.redactor.redact(url.authority()) });
        }
        let own = self.url(url.is_tls(), "/")?.is_same_origin(url);
        let used = if own { auth.cached_header(&self.repository, &self.scopes) } else { None };
        let response = sender.send_following_redirects(request, url, used.as_ref(), &self.repository)?;
        if response.status != 401 || !own || !response.url.is_same_origin(url) {
            return Ok(response);
        }
        let access = (&self.repository, self.scopes.as_slice());
        match auth.authenticate(sender, settings, access, &response, used.as_ref())? {
            None => Ok(response),
            Some(header) => {
                response.drain();
                sender.send_following_redirects(request, url, Some(&header), &self.repository)
            }
        }
    }

    fn lock_uses_tls(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, bool>> {
        self.client.inner.uses_tls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns whether the server seems to use the other scheme. TLS servers answer plain HTTP with 400.
fn seems_to_use_other_scheme(tls: bool, outcome: &Result<Response, RegistryError>) -> bool {
    match outcome {
        Ok(response) => !tls && response.status == 400,
        Err(RegistryError::NoResponse { failure, .. }) if tls => {
            matches!(
                failure,
                TransportFailure::NoTls | TransportFailure::ConnectionRefused | TransportFailure::Proxy
            )
        }
        Err(RegistryError::NoResponse { failure, .. }) => {
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
        f.debug_struct("RegistryClient").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}
