//! Bearer tokens, their scopes, and token servers. Source: distribution, `docs/spec/auth/token.md`,
//! `oauth.md` and `scope.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde::Deserialize;

use super::error::RegistryError;
use super::error_response::LoginStatus;
use super::escape;
use super::repository::Repository;
use super::request::{OutgoingRequest, RequestSummary, RequestTarget};
use super::request_sender::RequestSender;
use super::retry::Backoff;
use super::secret::{Credential, Secret};
use super::settings::RetryPolicy;
use super::url::{Url, is_loopback};

/// The maximum size of a token server's response, in bytes.
const MAX_RESPONSE: u64 = 1 << 20;

/// The maximum size of a token, in bytes; servers reject headers of that size.
const MAX_TOKEN: usize = 48 << 10;

/// The default and minimum lifetime of a token, in seconds.
const DEFAULT_LIFETIME: u64 = 60;

/// A token that expires within this time is not used any more.
const EXPIRY_MARGIN: Duration = Duration::from_secs(10);

/// The access to a repository that a token must grant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Access {
    /// Read access.
    Pull,
    /// Read and write access.
    Push {
        /// Repositories at the same registry to mount blobs from, such as `acme/base`.
        mounts: Vec<String>,
    },
}

impl Access {
    /// Read and write access, without mounts.
    pub fn push() -> Self {
        Self::Push { mounts: Vec::new() }
    }
}

/// The scopes of `access`: the repository's scope, then the scopes of the mounts, sorted. Equal
/// accesses have equal scopes.
pub(super) fn token_scopes(repository: &Repository, access: &Access) -> Vec<String> {
    let name = repository.name();
    match access {
        Access::Pull => vec![format!("repository:{name}:pull")],
        Access::Push { mounts } => {
            let others: BTreeSet<&String> = mounts.iter().filter(|mount| *mount != name).collect();
            let own = format!("repository:{name}:pull,push");
            std::iter::once(own)
                .chain(others.into_iter().map(|mount| format!("repository:{mount}:pull")))
                .collect()
        }
    }
}

/// Merges `ours` with the scopes that the registry asks for, separated by spaces.
pub(super) fn merge_scopes(ours: &[String], requested: &str) -> Vec<String> {
    let mut order: Vec<&str> = Vec::new();
    let mut actions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for scope in ours.iter().map(String::as_str).chain(requested.split(' ')) {
        let Some((resource, wanted)) = scope.rsplit_once(':').filter(|(resource, _)| !resource.is_empty())
        else {
            continue;
        };
        if !actions.contains_key(resource) {
            order.push(resource);
        }
        actions.entry(resource).or_default().extend(wanted.split(','));
    }
    let scope = |resource: &str| {
        let wanted: Vec<&str> = actions.get(resource).into_iter().flatten().copied().collect();
        format!("{resource}:{}", wanted.join(","))
    };
    order.into_iter().map(scope).collect()
}

/// An `Authorization` header with a token, and its expiry.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) header: Secret,
    expires_at: Instant,
}

/// The parameters of a token request.
pub(super) struct TokenRequest<'a> {
    pub(super) repository: &'a Repository,
    /// The request whose 401 response named the token server.
    pub(super) request: &'a RequestSummary,
    pub(super) realm: &'a str,
    pub(super) service: Option<&'a str>,
    pub(super) scopes: &'a [String],
    pub(super) login: &'a LoginStatus,
}

#[derive(Deserialize)]
struct TokenResponse {
    token: Option<String>,
    access_token: Option<String>,
    /// The lifetime in seconds: a number, or a string that contains a number.
    expires_in: Option<serde_json::Value>,
}

impl Token {
    /// Returns whether the token has not expired.
    pub(super) fn is_valid(&self) -> bool {
        Instant::now() + EXPIRY_MARGIN < self.expires_at
    }
}

/// The `Authorization` header of Basic authentication.
pub(super) fn basic_header(user: &str, password: &Secret) -> Secret {
    Secret::new(format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.reveal()))))
}

/// Fetches a token from the token server, with the credential or anonymously.
pub(super) fn fetch_token(
    sender: &RequestSender,
    retries: RetryPolicy,
    token_request: &TokenRequest<'_>,
    credential: Option<&Credential>,
) -> Result<Token, RegistryError> {
    let fail = |source| RegistryError::Token {
        repository: token_request.repository.clone(),
        source: Box::new(source),
    };
    let realm = parse_realm(sender, token_request).map_err(fail)?;
    let form;
    let (outgoing, url, authorization) = match credential {
        Some(Credential::IdentityToken(token)) => {
            form = refresh_form(token_request, token);
            let mut outgoing = OutgoingRequest::new(Method::POST, RequestTarget::Url(realm.clone()))
                .with_header("content-type", "application/x-www-form-urlencoded")
                .with_bytes(form.as_bytes());
            // A second token does no harm. A redirect would send the refresh token to another
            // server.
            (outgoing.is_idempotent, outgoing.follows_redirects) = (true, false);
            (outgoing, realm, None)
        }
        Some(Credential::Password { user, password }) => {
            let url =
                token_url(&realm, token_request).with_query_parameter("account", &escape::encode_query(user));
            let header = basic_header(user, password);
            sender.redactor.add_header(&header);
            (OutgoingRequest::new(Method::GET, RequestTarget::Url(url.clone())), url, Some(header))
        }
        Some(Credential::RegistryToken(_)) | None => {
            let url = token_url(&realm, token_request);
            (OutgoingRequest::new(Method::GET, RequestTarget::Url(url.clone())), url, None)
        }
    };
    let mut backoff = Backoff::new(retries);
    let response = loop {
        let outcome = sender.send_following_redirects(
            &outgoing,
            &url,
            authorization.as_ref(),
            token_request.repository,
        );
        if !backoff.wait_to_retry(&outcome, true) {
            break outcome.map_err(fail)?;
        }
    };
    if !response.is_success() {
        return Err(fail(response.into_error(&sender.redactor, token_request.login.clone())));
    }
    let (bytes, request) = response.read_body(MAX_RESPONSE).map_err(fail)?;
    let token = parse_token(&bytes)
        .map_err(|why| fail(RegistryError::InvalidResponse { request, why: why.into() }))?;
    sender.redactor.add_header(&token.header);
    Ok(token)
}

/// The URL of the token server. Fails if it does not use TLS, unless it is on the loopback
/// interface and the registry may be used without TLS.
fn parse_realm(sender: &RequestSender, token_request: &TokenRequest<'_>) -> Result<Url, RegistryError> {
    let request = token_request.request.clone();
    let Some(url) = Url::parse(token_request.realm) else {
        let why = "the URL of its token server is invalid".into();
        return Err(RegistryError::InvalidResponse { request, why });
    };
    let local = is_loopback(url.host()) && sender.allows_plain_http(token_request.repository.api_authority());
    if url.is_tls() || local {
        return Ok(url);
    }
    Err(RegistryError::WithoutTls { request, host: sender.redactor.redact(url.authority()) })
}

/// The URL of a GET request for a token.
fn token_url(realm: &Url, token_request: &TokenRequest<'_>) -> Url {
    let service = token_request
        .service
        .map(|service| realm.with_query_parameter("service", &escape::encode_query(service)));
    let url = service.unwrap_or_else(|| realm.clone());
    token_request
        .scopes
        .iter()
        .fold(url, |url, scope| url.with_query_parameter("scope", &escape::encode_query(scope)))
}

/// The form of an OAuth 2 request for a token.
fn refresh_form(token_request: &TokenRequest<'_>, token: &Secret) -> String {
    let scope = escape::encode_query(&token_request.scopes.join(" "));
    let service = escape::encode_query(token_request.service.unwrap_or_default());
    let token = escape::encode_query(token.reveal());
    format!(
        "grant_type=refresh_token&service={service}&client_id=coracle&scope={scope}&refresh_token={token}"
    )
}

fn parse_token(bytes: &[u8]) -> Result<Token, &'static str> {
    // Serde's message may contain a token, so it is dropped.
    let document: TokenResponse =
        serde_json::from_slice(bytes).map_err(|_| "the body is not a JSON token response")?;
    let non_empty = |token: Option<String>| token.filter(|token| !token.is_empty());
    let token =
        non_empty(document.token).or(non_empty(document.access_token)).ok_or("it contains no token")?;
    if token.len() > MAX_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("its token is not valid in a header");
    }
    let seconds = document.expires_in.and_then(|seconds| match seconds {
        serde_json::Value::String(text) => text.trim().parse().ok(),
        seconds => seconds.as_u64(),
    });
    // At most an hour is trusted.
    let lifetime = Duration::from_secs(seconds.unwrap_or(DEFAULT_LIFETIME).clamp(DEFAULT_LIFETIME, 3600));
    Ok(Token { header: Secret::new(format!("Bearer {token}")), expires_at: Instant::now() + lifetime })
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_core::reference::ImageReference;

    #[test]
    fn returns_scopes_of_an_access() {
        let repository = Repository::from(&"r.io/a/b".parse::<ImageReference>().unwrap());
        assert_eq!(token_scopes(&repository, &Access::Pull), ["repository:a/b:pull"]);
        let mounts = ["z", "a/b", "c", "z"].map(str::to_owned).into();
        assert_eq!(
            token_scopes(&repository, &Access::Push { mounts }),
            ["repository:a/b:pull,push", "repository:c:pull", "repository:z:pull"]
        );
    }

    #[test]
    fn merges_scopes_of_the_registry() {
        let ours = ["repository:a:pull".to_owned()];
        assert_eq!(merge_scopes(&ours, "repository:a:pull"), ours);
        assert_eq!(
            merge_scopes(&ours, "repository:a:delete,pull registry:catalog:* x"),
            ["repository:a:delete,pull", "registry:catalog:*"]
        );
    }

    #[test]
    fn parses_token_responses() {
        for json in [
            r#"{"token":"abc"}"#,
            r#"{"access_token":"abc","expires_in":300}"#,
            r#"{"token":"abc","access_token":"def","expires_in":-5}"#,
            r#"{"token":"","access_token":"abc","expires_in":1e99}"#,
            r#"{"token":"abc","expires_in":18446744073709551615,"issued_at":"never"}"#,
            r#"{"token":"abc","expires_in":"3600"}"#,
            r#"{"token":"abc","expires_in":"soon"}"#,
            r#"{"token":"abc","expires_in":null}"#,
            r#"{"token":"abc","expires_in":299.5}"#,
        ] {
            let token = parse_token(json.as_bytes()).unwrap_or_else(|why| panic!("{why}: {json}"));
            assert_eq!(token.header.reveal(), "Bearer abc");
            assert!(token.is_valid(), "{json}");
        }
        for json in [
            "",
            "{}",
            "[]",
            r#"{"token":1}"#,
            r#"{"token":"a b"}"#,
            r#"{"token":"a\r\nX: y"}"#,
            r#"{"token":"é"}"#,
        ] {
            assert!(parse_token(json.as_bytes()).is_err(), "{json}");
        }
    }
}
