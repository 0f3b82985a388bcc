//! A client of all registries, and its hold on one repository.

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

/// Talks to registries. Cheap to clone; its clones share connections, credentials and tokens.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    wire: Wire,
    auth: Auth,
    /// Whether a server speaks TLS, where it may do without.
    tls: Mutex<BTreeMap<String, bool>>,
}

/// A repository at its registry, and what is to be done with it. May be used by several threads at once.
#[derive(Clone, Debug)]
pub struct Remote {
    client: Client,
    repository: Repository,
    scopes: Vec<String>,
}

/// A document as it came.
pub(super) struct Received {
    pub(super) headers: HeaderMap,
    pub(super) bytes: Vec<u8>,
    pub(super) request: Request,
    pub(super) url: Url,
}

impl Client {
    /// A client that asks nobody yet.
    ///
    /// # Errors
    /// When a file with certificates or the proxy's URL can't be used.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let wire = Wire::new(&settings)?;
        let (auth, tls) = (Auth::default(), Mutex::default());
        Ok(Self { inner: Arc::new(Inner { settings, wire, auth, tls }) })
    }

    /// `repository`, to be used in this way.
    pub fn open(&self, repository: &Repository, access: &Access) -> Remote {
        let scopes = scope::scopes(repository, access);
        Remote { client: self.clone(), repository: repository.clone(), scopes }
    }

    /// How many blobs are sent at once.
    pub fn jobs(&self) -> usize {
        self.inner.settings.jobs
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.inner.settings
    }
}

impl Remote {
    /// The repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// `rest` below the repository's own path.
    pub(super) fn path(&self, rest: &str) -> To {
        To::Path(format!("/v2/{}/{rest}", self.repository.name()))
    }

    /// Sends `call`, with a login where it is asked for, and again where that may help. Any status is an answer.
    pub(super) fn send(&self, call: &Call<'_>) -> Result<Answer, Error> {
        let mut waits = self.waits();
        loop {
            let outcome = self.send_once(call);
            if !waits.again(&outcome, call.repeatable) {
                return outcome;
            }
        }
    }

    /// Reads a document, again where it was cut; nothing when it is not there.
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

    pub(super) fn waits(&self) -> Waits {
        Waits::new(self.client.settings().retries)
    }

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
            // TLS where there may be none is tried first, but not on this machine, where there rarely is any.
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
        // Neither fits: what was tried first is what is meant.
        first.unwrap_or_else(|| self.authorized(call, &self.url(true, path)?))
    }

    /// An answer that is none of those that were hoped for.
    pub(super) fn refused(&self, answer: Answer) -> Error {
        let inner = &self.client.inner;
        answer.into_error(&inner.wire.censor, inner.auth.login(&self.repository))
    }

    /// A server's words, as they may be shown.
    pub(super) fn shown(&self, text: &str) -> String {
        self.client.inner.wire.censor.clean(text)
    }

    fn url(&self, tls: bool, path: &str) -> Result<Url, Error> {
        let authority = self.repository.authority();
        Url::new(tls, authority, path)
            .ok_or_else(|| Error::NotAddressable { repository: self.repository.clone() })
    }

    /// Sends once, and once more when the registry wants to know who asks.
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
        let who = (&self.repository, self.scopes.as_slice());
        match auth.renew(wire, settings, who, &answer, used.as_ref())? {
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

/// Whether the other side seems to want TLS, or to know none. What servers with TLS say to somebody without it is a 400.
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
