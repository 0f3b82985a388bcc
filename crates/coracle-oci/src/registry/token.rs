//! Bearer tokens and token servers. Source: distribution, `docs/spec/auth/token.md` and `oauth.md`.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use ureq::http::Method;

use super::answer::Login;
use super::call::{Call, To};
use super::error::Request;
use super::retry::Waits;
use super::url::{Url, is_loopback};
use super::wire::Wire;
use super::{Credential, Error, Repository, Retries, Secret, text};

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
    until: Instant,
}

/// The parameters of a token request.
pub(super) struct Asked<'a> {
    pub(super) repository: &'a Repository,
    /// The request whose 401 response named the token server.
    pub(super) request: &'a Request,
    pub(super) realm: &'a str,
    pub(super) service: Option<&'a str>,
    pub(super) scopes: &'a [String],
    pub(super) login: &'a Login,
}

#[derive(Deserialize)]
struct TokenResponse {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<serde_json::Number>,
}

impl Token {
    /// Whether the token has not expired.
    pub(super) fn is_good(&self) -> bool {
        Instant::now() + EXPIRY_MARGIN < self.until
    }
}

/// The `Authorization` header of Basic authentication.
pub(super) fn basic(user: &str, password: &Secret) -> Secret {
    Secret::new(format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.reveal()))))
}

/// Fetches a token from the token server, with the credential or anonymously.
pub(super) fn fetch(
    wire: &Wire,
    retries: Retries,
    asked: &Asked<'_>,
    credential: Option<&Credential>,
) -> Result<Token, Error> {
    let fail = |source| Error::Token { repository: asked.repository.clone(), source: Box::new(source) };
    let realm = realm(wire, asked).map_err(fail)?;
    let form;
    let (call, url, authorization) = match credential {
        Some(Credential::IdentityToken(token)) => {
            form = refresh_form(asked, token);
            let mut call = Call::new(Method::POST, To::Url(realm.clone()))
                .header("content-type", "application/x-www-form-urlencoded")
                .bytes(form.as_bytes());
            // A second token does no harm. A redirect would send the refresh token to another
            // server.
            (call.repeatable, call.redirects) = (true, false);
            (call, realm, None)
        }
        Some(Credential::Password { user, password }) => {
            let url = token_url(&realm, asked).with("account", &text::query(user));
            let header = basic(user, password);
            wire.censor.learn_header(&header);
            (Call::new(Method::GET, To::Url(url.clone())), url, Some(header))
        }
        Some(Credential::RegistryToken(_)) | None => {
            let url = token_url(&realm, asked);
            (Call::new(Method::GET, To::Url(url.clone())), url, None)
        }
    };
    let mut waits = Waits::new(retries);
    let answer = loop {
        let outcome = wire.follow(&call, &url, authorization.as_ref(), asked.repository);
        if !waits.again(&outcome, true) {
            break outcome.map_err(fail)?;
        }
    };
    if answer.status != 200 {
        return Err(fail(answer.into_error(&wire.censor, asked.login.clone())));
    }
    let (bytes, request) = answer.bytes(MAX_RESPONSE).map_err(fail)?;
    let token = parse_token(&bytes).map_err(|why| fail(Error::Unexpected { request, why: why.into() }))?;
    wire.censor.learn_header(&token.header);
    Ok(token)
}

/// The URL of the token server. Fails if it does not use TLS, unless it is on the loopback
/// interface and the registry may be used without TLS.
fn realm(wire: &Wire, asked: &Asked<'_>) -> Result<Url, Error> {
    let request = asked.request.clone();
    let Some(url) = Url::parse(asked.realm) else {
        let why = "the URL of its token server is invalid".into();
        return Err(Error::Unexpected { request, why });
    };
    let local = is_loopback(url.host()) && wire.may_be_plain(asked.repository.authority());
    if url.is_tls() || local {
        return Ok(url);
    }
    Err(Error::Unsafe { request, host: wire.censor.clean(url.authority()) })
}

/// The URL of a GET request for a token.
fn token_url(realm: &Url, asked: &Asked<'_>) -> Url {
    let service = asked.service.map(|service| realm.with("service", &text::query(service)));
    let url = service.unwrap_or_else(|| realm.clone());
    asked.scopes.iter().fold(url, |url, scope| url.with("scope", &text::query(scope)))
}

/// The form of an OAuth 2 request for a token.
fn refresh_form(asked: &Asked<'_>, token: &Secret) -> String {
    let scope = text::query(&asked.scopes.join(" "));
    let service = text::query(asked.service.unwrap_or_default());
    let token = text::query(token.reveal());
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
    Ok(Token { header: Secret::new(format!("Bearer {token}")), until: Instant::now() + lifetime })
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
            assert!(token.is_good(), "{json}");
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
