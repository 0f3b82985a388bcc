//! Authentication: credentials are looked up once, tokens are reused until they expire.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::answer::{Answer, Login};
use super::challenge::Challenge;
use super::token::{self, Asked, Token};
use super::wire::Wire;
use super::{Credential, Error, Repository, Secret, Settings, credentials, scope};

/// The cached credentials, tokens and `Authorization` headers of all registries.
#[derive(Default)]
pub(super) struct Auth {
    known: Mutex<Known>,
    /// Held while a token is fetched, so that other threads reuse it instead of fetching their own.
    turn: Mutex<()>,
}

#[derive(Default)]
struct Known {
    /// By repository, because files can have credentials for a namespace or a repository.
    credentials: BTreeMap<Repository, Option<Credential>>,
    /// Errors of credential helpers.
    failed: BTreeMap<Repository, String>,
    /// By repository and scopes.
    tokens: BTreeMap<(Repository, String), Token>,
    /// Headers of repositories that use Basic authentication or a registry token.
    plain: BTreeMap<Repository, Secret>,
}

impl Auth {
    /// The cached header. `None` if there is none or its token has expired.
    pub(super) fn ready(&self, repository: &Repository, scopes: &[String]) -> Option<Secret> {
        let known = self.known();
        let token = known.tokens.get(&(repository.clone(), scopes.join(" ")));
        let token = token.filter(|token| token.is_good()).map(|token| token.header.clone());
        token.or_else(|| known.plain.get(repository).cloned())
    }

    /// Returns the header that satisfies `answer`, a 401 response to a request with `used`.
    /// `None` if there is no other header to try.
    pub(super) fn renew(
        &self,
        wire: &Wire,
        settings: &Settings,
        access: (&Repository, &[String]),
        answer: &Answer,
        used: Option<&Secret>,
    ) -> Result<Option<Secret>, Error> {
        let (repository, scopes) = access;
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ready) = self.ready(repository, scopes).filter(|ready| Some(ready) != used) {
            return Ok(Some(ready));
        }
        let credential = self.credential_or_none(wire, settings, access)?;
        let login = self.login(repository);
        for challenge in &answer.challenges() {
            let header = match (challenge, &credential) {
                (Challenge::Bearer { .. }, Some(Credential::RegistryToken(token))) => {
                    let header = Secret::new(format!("Bearer {}", token.reveal()));
                    self.known().plain.insert(repository.clone(), header.clone());
                    header
                }
                (Challenge::Bearer { realm, service, scope }, credential) => {
                    let wanted = scope::with_asked(scopes, scope.as_deref().unwrap_or_default());
                    let asked = Asked {
                        repository,
                        request: &answer.request,
                        realm,
                        service: service.as_deref(),
                        scopes: &wanted,
                        login: &login,
                    };
                    let token = fetch_token(wire, settings, &asked, credential.as_ref())?;
                    let key = (repository.clone(), scopes.join(" "));
                    self.known().tokens.insert(key, token.clone());
                    token.header
                }
                (Challenge::Basic, Some(Credential::Password { user, password })) => {
                    let header = token::basic(user, password);
                    wire.censor.learn_header(&header);
                    self.known().plain.insert(repository.clone(), header.clone());
                    header
                }
                (Challenge::Basic, _) => continue,
            };
            return Ok(Some(header).filter(|header| Some(header) != used));
        }
        Ok(None)
    }

    /// The login that requests to `repository` use.
    pub(super) fn login(&self, repository: &Repository) -> Login {
        let known = self.known();
        match (known.failed.get(repository), known.credentials.get(repository)) {
            (Some(error), _) => Login::Unknown(error.clone()),
            (None, Some(Some(_))) => Login::Somebody,
            (None, _) => Login::Nobody,
        }
    }

    /// Looks the credentials up. If a helper fails and the access is read-only, the error is stored
    /// and the request is sent without credentials, because the repository may be public.
    fn credential_or_none(
        &self,
        wire: &Wire,
        settings: &Settings,
        access: (&Repository, &[String]),
    ) -> Result<Option<Credential>, Error> {
        let (repository, scopes) = access;
        let reads = scopes.iter().all(|scope| scope.ends_with(":pull"));
        match self.credential(wire, settings, repository) {
            Err(error @ Error::Helper { .. }) if reads => {
                self.known().failed.insert(repository.clone(), error.to_string());
                Ok(None)
            }
            credential => credential,
        }
    }

    /// Looks the credentials up, once per repository.
    fn credential(
        &self,
        wire: &Wire,
        settings: &Settings,
        repository: &Repository,
    ) -> Result<Option<Credential>, Error> {
        if let Some(found) = self.known().credentials.get(repository) {
            return Ok(found.clone());
        }
        let found = credentials::find(settings, repository)?;
        if let Some(credential) = &found {
            wire.censor.learn(credential.secret());
        }
        self.known().credentials.insert(repository.clone(), found.clone());
        Ok(found)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fetches a token for all scopes. If the server refuses, retries with the first scope only, since
/// some servers grant either every scope or none; then blobs can't be mounted.
fn fetch_token(
    wire: &Wire,
    settings: &Settings,
    asked: &Asked<'_>,
    credential: Option<&Credential>,
) -> Result<Token, Error> {
    let whole = token::fetch(wire, settings.retries, asked, credential);
    match (&whole, asked.scopes) {
        (Err(error), [own, _, ..]) if is_refused(error) => {
            let asked = Asked { scopes: std::slice::from_ref(own), ..*asked };
            token::fetch(wire, settings.retries, &asked, credential)
        }
        _ => whole,
    }
}

fn is_refused(error: &Error) -> bool {
    let Error::Token { source, .. } = error else { return false };
    matches!(&**source, Error::Refused { refusal, .. } if matches!(refusal.status, 400 | 401 | 403))
}
