//! The registry client, and its view of one repository.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ureq::http::HeaderMap;

use super::answer::Answer;
use super::auth::Auth;
use super::call::{Call, To};
use super::error::{Error, Failure, Request};
use super::retry::{self, Waits};
use super::url::Url;
use super::wire::Wire;
use super::{Access, Repository, Settings, scope};

/// A client for any number of registries. Cheap to clone; clones share connections, credentials
/// and tokens.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    wire: Wire,
    auth: Auth,
    /// Whether a host uses TLS, for hosts that may be used without it.
    tls: Mutex<BTreeMap<String, bool>>,
}

/// A client of one repository, with a fixed access. It can be used by several threads at once.
#[derive(Clone, Debug)]
pub struct Remote {
    client: Client,
    repository: Repository,
    scopes: Vec<String>,
}

/// A response whose body was read in full.
pub(super) struct Received {
    pub(super) headers: HeaderMap,
    pub(super) bytes: Vec<u8>,
    pub(super) request: Request,
    pub(super) url: Url,
}

impl Client {
    /// Creates a client. No request is sent yet.
    ///
    /// # Errors
    /// Fails if a certificate file can't be read or the proxy URL is invalid.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let wire = Wire::new(&settings)?;
        let (auth, tls) = (Auth::default(), Mutex::default());
        Ok(Self { inner: Arc::new(Inner { settings, wire, auth, tls }) })
    }

    /// Returns a client of `repository`. Tokens are requested for `access`. No request is sent yet.
    pub fn open(&self, repository: &Repository, access: &Access) -> Remote {
        let scopes = scope::scopes(repository, access);
        Remote { client: self.clone(), repository: repository.clone(), scopes }
    }

    /// The number of blobs that are uploaded in parallel.
    pub fn jobs(&self) -> usize {
        self.inner.settings.jobs
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.inner.settings
    }
}

impl Remote {
    /// The repository of this client.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// The API path `/v2/<name>/<rest>` of the repository.
    pub(super) fn path(&self, rest: &str) -> To {
        To::Path(format!("/v2/{}/{rest}", self.repository.name()))
    }

    /// Sends a request, authenticates if required, and retries transient failures. Responses of any
    /// status are returned.
    pub(super) fn send(&self, call: &Call<'_>) -> Result<Answer, Error> {
        let mut waits = self.waits();
        loop {
            let outcome = self.send_once(call);
            if !waits.again(&outcome, call.repeatable) {
                return outcome;
            }
        }
    }

    /// Sends a request and reads the body, up to `limit` bytes. Retries if the connection is lost.
    /// `None` if the status is 404.
    pub(super) fn receive(&self, call: &Call<'_>, limit: u64) -> Result<Option<Received>, Error> {
        let mut waits = self.waits();
        loop {
            let answer = self.send(call)?;
            match answer.status {
                200 => {}
                404 => return Ok(None),
                _ => return Err(self.refused(answer)),
            }
            let (headers, url) = (answer.headers.clone(), answer.url.clone());
            let error = match answer.bytes(limit) {
                Ok((bytes, request)) => return Ok(Some(Received { headers, bytes, request, url })),
                Err(error) => error,
            };
            match waits.next(None).filter(|_| retry::is_cut(&error)) {
                Some(pause) => std::thread::sleep(pause),
                None => return Err(error),
            }
        }
    }

    /// A new backoff, with the retry policy of the client.
    pub(super) fn waits(&self) -> Waits {
        Waits::new(self.client.settings().retries)
    }

    /// Sends a request without retries. Authenticates if required, and detects whether the host
    /// uses TLS if it may be used without.
    pub(super) fn send_once(&self, call: &Call<'_>) -> Result<Answer, Error> {
        let path = match &call.to {
            To::Url(url) => return self.authorized(call, url),
            To::Path(path) => path,
        };
        let authority = self.repository.authority();
        let known = self.tls().get(authority).copied();
        let schemes: &[bool] = match known {
            Some(true) => &[true],
            Some(false) => &[false],
            // Local registries rarely use TLS, so plain HTTP is tried first there.
            None if self.repository.is_local() => &[false, true],
            None if self.client.inner.wire.may_be_plain(authority) => &[true, false],
            None => &[true],
        };
        let mut first = None;
        for &tls in schemes {
            let outcome = self.authorized(call, &self.url(tls, path)?);
            if schemes.len() == 1 {
                return outcome;
            }
            if !is_wrong_scheme(tls, &outcome) {
                self.tls().insert(authority.to_owned(), tls);
                return outcome;
            }
            first.get_or_insert(outcome);
        }
        // Neither scheme worked: report the first failure.
        first.unwrap_or_else(|| self.authorized(call, &self.url(true, path)?))
    }

    /// Converts an unexpected response to an error.
    pub(super) fn refused(&self, answer: Answer) -> Error {
        let inner = &self.client.inner;
        answer.into_error(&inner.wire.censor, inner.auth.login(&self.repository))
    }

    /// Text of a server for display: secrets redacted, control characters escaped.
    pub(super) fn shown(&self, text: &str) -> String {
        self.client.inner.wire.censor.clean(text)
    }

    fn url(&self, tls: bool, path: &str) -> Result<Url, Error> {
        let authority = self.repository.authority();
        Url::new(tls, authority, path)
            .ok_or_else(|| Error::NotAddressable { repository: self.repository.clone() })
    }

    /// Sends a request, and sends it again with credentials if the response is 401.
    fn authorized(&self, call: &Call<'_>, url: &Url) -> Result<Answer, Error> {
        let Inner { settings, wire, auth, .. } = &*self.client.inner;
        if !url.is_tls() && !wire.may_be_plain(url.authority()) {
            let request = wire.describe(call, url, &self.repository);
            return Err(Error::Unsafe { request, host: wire.censor.clean(url.authority()) });
        }
        let own = self.url(url.is_tls(), "/")?.same_origin(url);
        let used = if own { auth.ready(&self.repository, &self.scopes) } else { None };
        let answer = wire.follow(call, url, used.as_ref(), &self.repository)?;
        if answer.status != 401 || !own || !answer.url.same_origin(url) {
            return Ok(answer);
        }
        let access = (&self.repository, self.scopes.as_slice());
        match auth.renew(wire, settings, access, &answer, used.as_ref())? {
            None => Ok(answer),
            Some(header) => {
                answer.finish();
                wire.follow(call, url, Some(&header), &self.repository)
            }
        }
    }

    fn tls(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, bool>> {
        self.client.inner.tls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the server seems to use the other scheme. TLS servers answer plain HTTP with 400.
fn is_wrong_scheme(tls: bool, outcome: &Result<Answer, Error>) -> bool {
    match outcome {
        Ok(answer) => !tls && answer.status == 400,
        Err(Error::NoAnswer { failure, .. }) if tls => {
            matches!(failure, Failure::NotTls | Failure::NotListening | Failure::Proxy)
        }
        Err(Error::NoAnswer { failure, .. }) => {
            matches!(failure, Failure::NoHttp(_) | Failure::Cut | Failure::NotListening | Failure::Proxy)
        }
        Err(_) => false,
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}
