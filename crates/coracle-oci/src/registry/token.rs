//! Tokens, and the servers that give them out. Source: distribution, `docs/spec/auth/token.md` and `oauth.md`.

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

/// No token server's answer is a tenth of it.
const LARGEST: u64 = 1 << 20;

/// No registry takes a header of that size.
const LONGEST: usize = 48 << 10;

/// What a token is good for when its server does not say.
const USUAL: u64 = 60;

/// A token that ends within this is asked for anew.
const MARGIN: Duration = Duration::from_secs(10);

/// An `Authorization` header, until when it may be used.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) header: Secret,
    until: Instant,
}

/// What is to be opened, and where the token for it is to be had.
pub(super) struct Asked<'a> {
    pub(super) repository: &'a Repository,
    /// What was asked when the registry named its token server.
    pub(super) request: &'a Request,
    pub(super) realm: &'a str,
    pub(super) service: Option<&'a str>,
    pub(super) scopes: &'a [String],
    pub(super) login: &'a Login,
}

#[derive(Deserialize)]
struct Document {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<serde_json::Number>,
}

impl Token {
    pub(super) fn is_good(&self) -> bool {
        Instant::now() + MARGIN < self.until
    }
}

/// The header for a user and a password.
pub(super) fn basic(user: &str, password: &Secret) -> Secret {
    Secret::new(format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.reveal()))))
}

/// Gets a token from the server that the registry named, as the user or as nobody.
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
            // Asking twice gives two tokens; and a redirect would take the login along.
            (call.repeatable, call.redirects) = (true, false);
            (call, realm, None)
        }
        Some(Credential::Password { user, password }) => {
            let url = query(&realm, asked).with("account", &text::query(user));
            let header = basic(user, password);
            wire.censor.learn_header(&header);
            (Call::new(Method::GET, To::Url(url.clone())), url, Some(header))
        }
        Some(Credential::RegistryToken(_)) | None => {
            let url = query(&realm, asked);
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
    let (bytes, request) = answer.bytes(LARGEST).map_err(fail)?;
    let token = read(&bytes).map_err(|why| fail(Error::Unexpected { request, why: why.into() }))?;
    wire.censor.learn_header(&token.header);
    Ok(token)
}

/// The realm, if what is sent there, and what comes back, can't be seen on the way. A registry elsewhere has no
/// business with servers on this machine.
fn realm(wire: &Wire, asked: &Asked<'_>) -> Result<Url, Error> {
    let request = asked.request.clone();
    let Some(url) = Url::parse(asked.realm) else {
        let why = "the token server that it names is no URL".into();
        return Err(Error::Unexpected { request, why });
    };
    let local = is_loopback(url.host()) && wire.may_be_plain(asked.repository.authority());
    if url.is_tls() || local {
        return Ok(url);
    }
    Err(Error::Unsafe { request, host: wire.censor.clean(url.authority()) })
}

fn query(realm: &Url, asked: &Asked<'_>) -> Url {
    let service = asked.service.map(|service| realm.with("service", &text::query(service)));
    let url = service.unwrap_or_else(|| realm.clone());
    asked.scopes.iter().fold(url, |url, scope| url.with("scope", &text::query(scope)))
}

fn refresh_form(asked: &Asked<'_>, token: &Secret) -> String {
    let scope = text::query(&asked.scopes.join(" "));
    let service = text::query(asked.service.unwrap_or_default());
    let token = text::query(token.reveal());
    format!(
        "grant_type=refresh_token&service={service}&client_id=coracle&scope={scope}&refresh_token={token}"
    )
}

fn read(bytes: &[u8]) -> Result<Token, &'static str> {
    // Serde's own message could repeat a token.
    let document: Document = serde_json::from_slice(bytes).map_err(|_| "it is no JSON with a token")?;
    let full = |token: Option<String>| token.filter(|token| !token.is_empty());
    let token = full(document.token).or(full(document.access_token)).ok_or("it holds no token")?;
    if token.len() > LONGEST || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("its token can't be one");
    }
    let seconds = document.expires_in.and_then(|number| number.as_u64()).filter(|seconds| *seconds > 0);
    // An hour at most: whoever says more is asked again.
    let life = Duration::from_secs(seconds.unwrap_or(USUAL).clamp(USUAL, 3600));
    Ok(Token { header: Secret::new(format!("Bearer {token}")), until: Instant::now() + life })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read() {
        for json in [
            r#"{"token":"abc"}"#,
            r#"{"access_token":"abc","expires_in":300}"#,
            r#"{"token":"abc","access_token":"def","expires_in":-5}"#,
            r#"{"token":"","access_token":"abc","expires_in":1e99}"#,
            r#"{"token":"abc","expires_in":18446744073709551615,"issued_at":"never"}"#,
        ] {
            let token = read(json.as_bytes()).unwrap_or_else(|why| panic!("{why}: {json}"));
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
            assert!(read(json.as_bytes()).is_err(), "{json}");
        }
    }
}
