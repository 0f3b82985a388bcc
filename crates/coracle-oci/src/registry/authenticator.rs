//! Authentication: credentials are looked up once, tokens are reused until they expire.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::challenge::Challenge;
use super::credentials;
use super::error::RegistryError;
use super::error_response::LoginStatus;
use super::repository::Repository;
use super::request_sender::RequestSender;
use super::response::Response;
use super::secret::{Credential, Secret};
use super::settings::RegistrySettings;
use super::token::{self, Token, TokenRequest};

/// The cached credentials, tokens and `Authorization` headers of all registries.
#[derive(Default)]
pub(super) struct Authenticator {
    cache: Mutex<AuthCache>,
    /// Held while a token is fetched, so that other threads reuse it instead of fetching their own.
    fetch_lock: Mutex<()>,
}

#[derive(Default)]
struct AuthCache {
    /// The credentials, by repository, because files can have credentials for a namespace or a
    /// repository.
    credentials: BTreeMap<Repository, Option<Credential>>,
    /// Errors of credential helpers.
    helper_errors: BTreeMap<Repository, String>,
    /// The tokens, by repository and scopes.
    tokens: BTreeMap<(Repository, String), Token>,
    /// Headers of repositories that use Basic authentication or a registry token.
    static_headers: BTreeMap<Repository, Secret>,
}

impl Authenticator {
    /// The cached header. `None` if there is none or its token has expired.
    pub(super) fn cached_header(&self, repository: &Repository, scopes: &[String]) -> Option<Secret> {
        let cache = self.lock_cache();
        let token = cache.tokens.get(&(repository.clone(), scopes.join(" ")));
        let token = token.filter(|token| token.is_valid()).map(|token| token.header.clone());
        token.or_else(|| cache.static_headers.get(repository).cloned())
    }

    /// Returns the `Authorization` header to retry a request with, after the 401 response
    /// `response` to a request with the header `used`. `None` if there is no other header to try.
    pub(super) fn authenticate(
        &self,
        sender: &RequestSender,
        settings: &RegistrySettings,
        access: (&Repository, &[String]),
        response: &Response,
        used: Option<&Secret>,
    ) -> Result<Option<Secret>, RegistryError> {
        let (repository, scopes) = access;
        let _fetch_lock = self.fetch_lock.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ready) = self.cached_header(repository, scopes).filter(|ready| Some(ready) != used) {
            return Ok(Some(ready));
        }
        let credential = self.look_up_credential_or_anonymous(sender, settings, access)?;
        let login = self.login_status(repository);
        for challenge in &response.challenges() {
            let header = match (challenge, &credential) {
                (Challenge::Bearer { .. }, Some(Credential::RegistryToken(token))) => {
                    let header = Secret::new(format!("Bearer {}", token.reveal()));
                    self.lock_cache().static_headers.insert(repository.clone(), header.clone());
                    header
                }
                (Challenge::Bearer { realm, service, scope }, credential) => {
                    let wanted = token::merge_scopes(scopes, scope.as_deref().unwrap_or_default());
                    let token_request = TokenRequest {
                        repository,
                        request: &response.request,
                        realm,
                        service: service.as_deref(),
                        scopes: &wanted,
                        login: &login,
                    };
                    let token = fetch_token(sender, settings, &token_request, credential.as_ref())?;
                    let key = (repository.clone(), scopes.join(" "));
                    self.lock_cache().tokens.insert(key, token.clone());
                    token.header
                }
                (Challenge::Basic, Some(Credential::Password { user, password })) => {
                    let header = token::basic_header(user, password);
                    sender.redactor.add_header(&header);
                    self.lock_cache().static_headers.insert(repository.clone(), header.clone());
                    header
                }
                (Challenge::Basic, _) => continue,
            };
            return Ok(Some(header).filter(|header| Some(header) != used));
        }
        Ok(None)
    }

    /// The login that requests to `repository` use.
    pub(super) fn login_status(&self, repository: &Repository) -> LoginStatus {
        let cache = self.lock_cache();
        match (cache.helper_errors.get(repository), cache.credentials.get(repository)) {
            (Some(error), _) => LoginStatus::HelperFailed(error.clone()),
            (None, Some(Some(_))) => LoginStatus::HasCredentials,
            (None, _) => LoginStatus::Anonymous,
        }
    }

    /// Looks the credentials up. If a helper fails and the access is read-only, stores the error
    /// and returns `None`: the request is sent without credentials, because the repository may be
    /// public.
    fn look_up_credential_or_anonymous(
        &self,
        sender: &RequestSender,
        settings: &RegistrySettings,
        access: (&Repository, &[String]),
    ) -> Result<Option<Credential>, RegistryError> {
        let (repository, scopes) = access;
        let reads = scopes.iter().all(|scope| scope.ends_with(":pull"));
        match self.look_up_credential(sender, settings, repository) {
            Err(error @ RegistryError::CredentialHelper { .. }) if reads => {
                self.lock_cache().helper_errors.insert(repository.clone(), error.to_string());
                Ok(None)
            }
            credential => credential,
        }
    }

    /// Looks the credentials up, once per repository.
    fn look_up_credential(
        &self,
        sender: &RequestSender,
        settings: &RegistrySettings,
        repository: &Repository,
    ) -> Result<Option<Credential>, RegistryError> {
        if let Some(found) = self.lock_cache().credentials.get(repository) {
            return Ok(found.clone());
        }
        let found = credentials::find_credential(settings, repository)?;
        if let Some(credential) = &found {
            sender.redactor.add_secret(credential.secret());
        }
        self.lock_cache().credentials.insert(repository.clone(), found.clone());
        Ok(found)
    }

    fn lock_cache(&self) -> MutexGuard<'_, AuthCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fetches a token for all scopes. If the server refuses, retries with the first scope only, since
/// some servers grant either every scope or none; then blobs can't be mounted.
fn fetch_token(
    sender: &RequestSender,
    settings: &RegistrySettings,
    token_request: &TokenRequest<'_>,
    credential: Option<&Credential>,
) -> Result<Token, RegistryError> {
    let whole = token::fetch_token(sender, settings.retry_policy, token_request, credential);
    match (&whole, token_request.scopes) {
        (Err(error), [own, _, ..]) if is_refused(error) => {
            let token_request = TokenRequest { scopes: std::slice::from_ref(own), ..*token_request };
            token::fetch_token(sender, settings.retry_policy, &token_request, credential)
        }
        _ => whole,
    }
}

fn is_refused(error: &RegistryError) -> bool {
    let RegistryError::Token { source, .. } = error else { return false };
    matches!(&**source, RegistryError::Refused { refusal, .. } if matches!(refusal.status, 400 | 401 | 403))
}
