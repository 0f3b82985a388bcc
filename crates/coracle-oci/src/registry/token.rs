//! Bearer tokens and token servers. Source: distribution, `docs/spec/auth/token.md` and `oauth.md`.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use ureq::http::Method;

use super::error::RequestSummary;
use super::request::{OutgoingRequest, RequestTarget};
use super::response::LoginStatus;
use super::retry::Backoff;
use super::transport::Transport;
use super::url::{Url, is_loopback};
use super::{Credential, Error, Repository, RetryPolicy, Secret, escape};

/// The maximum size of a token server's response, in bytes.
const MAX_RESPONSE: u64 = 1 << 20;

/// The maximum size of a token, in bytes; servers reject headers of that size.
const MAX_TOKEN: usize = 48 << 10;

/// The default and minimum lifetime of a token, in seconds.
const DEFAULT_LIFETIME: u64 = 60;

/// A token that expires within this time is not used any more.
const EXPIRY_MARGIN: Duration = Duration::from_secs(10);

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
    expires_in: Option<serde_json::Number>,
}

impl Token {
    /// Whether the token has not expired.
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
    wire: &Transport,
    retries: RetryPolicy,
    asked: &TokenRequest<'_>,
    credential: Option<&Credential>,
) -> Result<Token, Error> {
    let fail = |source| Error::Token { repository: asked.repository.clone(), source: Box::new(source) };
    let realm = parse_realm(wire, asked).map_err(fail)?;
    let form;
    let (call, url, authorization) = match credential {
        Some(Credential::IdentityToken(token)) => {
            form = refresh_form(asked, token);
            let mut call = OutgoingRequest::new(Method::POST, RequestTarget::Url(realm.clone()))
                .with_header("content-type", "application/x-www-form-urlencoded")
                .with_bytes(form.as_bytes());
            // A second token does no harm. A redirect would send the refresh token to another
            // server.
            (call.is_idempotent, call.follows_redirects) = (true, false);
            (call, realm, None)
        }
        Some(Credential::Password { user, password }) => {
            let url = token_url(&realm, asked).with_query_parameter("account", &escape::encode_query(user));
            let header = basic_header(user, password);
            wire.redactor.add_header(&header);
            (OutgoingRequest::new(Method::GET, RequestTarget::Url(url.clone())), url, Some(header))
        }
        Some(Credential::RegistryToken(_)) | None => {
            let url = token_url(&realm, asked);
            (OutgoingRequest::new(Method::GET, RequestTarget::Url(url.clone())), url, None)
        }
    };
    let mut waits = Backoff::new(retries);
    let answer = loop {
        let outcome = wire.send_following_redirects(&call, &url, authorization.as_ref(), asked.repository);
        if !waits.wait_to_retry(&outcome, true) {
            break outcome.map_err(fail)?;
        }
    };
    if answer.status != 200 {
        return Err(fail(answer.into_error(&wire.redactor, asked.login.clone())));
    }
    let (bytes, request) = answer.read_body(MAX_RESPONSE).map_err(fail)?;
    let token =
        parse_token(&bytes).map_err(|why| fail(Error::InvalidResponse { request, why: why.into() }))?;
    wire.redactor.add_header(&token.header);
    Ok(token)
}

/// The URL of the token server. Fails if it does not use TLS, unless it is on the loopback
/// interface and the registry may be used without TLS.
fn parse_realm(wire: &Transport, asked: &TokenRequest<'_>) -> Result<Url, Error> {
    let request = asked.request.clone();
    let Some(url) = Url::parse(asked.realm) else {
        let why = "the URL of its token server is invalid".into();
        return Err(Error::InvalidResponse { request, why });
    };
    let local = is_loopback(url.host()) && wire.allows_plain_http(asked.repository.api_authority());
    if url.is_tls() || local {
        return Ok(url);
    }
    Err(Error::WithoutTls { request, host: wire.redactor.redact(url.authority()) })
}

/// The URL of a GET request for a token.
fn token_url(realm: &Url, asked: &TokenRequest<'_>) -> Url {
    let service =
        asked.service.map(|service| realm.with_query_parameter("service", &escape::encode_query(service)));
    let url = service.unwrap_or_else(|| realm.clone());
    asked
        .scopes
        .iter()
        .fold(url, |url, scope| url.with_query_parameter("scope", &escape::encode_query(scope)))
}

/// The form of an OAuth 2 request for a token.
fn refresh_form(asked: &TokenRequest<'_>, token: &Secret) -> String {
    let scope = escape::encode_query(&asked.scopes.join(" "));
    let service = escape::encode_query(asked.service.unwrap_or_default());
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
    let seconds = document.expires_in.and_then(|number| number.as_u64()).filter(|seconds| *seconds > 0);
    // At most an hour is trusted.
    let lifetime = Duration::from_secs(seconds.unwrap_or(DEFAULT_LIFETIME).clamp(DEFAULT_LIFETIME, 3600));
    Ok(Token { header: Secret::new(format!("Bearer {token}")), expires_at: Instant::now() + lifetime })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_token_responses() {
        for json in [
            r#"{"token":"abc"}"#,
            r#"{"access_token":"abc","expires_in":300}"#,
            r#"{"token":"abc","access_token":"def","expires_in":-5}"#,
            r#"{"token":"","access_token":"abc","expires_in":1e99}"#,
            r#"{"token":"abc","expires_in":18446744073709551615,"issued_at":"never"}"#,
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
