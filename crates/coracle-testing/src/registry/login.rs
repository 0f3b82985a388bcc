//! Authentication: none, a password, or a token server that grants tokens by scope.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::State;
use super::http::{self, Request, Response};

pub(crate) const USER: &str = "anna";
pub(crate) const PASSWORD: &str = "correct horse battery staple";
pub(crate) const IDENTITY: &str = "identity-token-of-anna";

#[derive(Clone, Default, PartialEq)]
pub enum Login {
    #[default]
    Nobody,
    Password,
    /// Bearer tokens. Any client gets one to read; writing needs the password or identity token.
    Tokens,
    /// Bearer tokens; the challenge names this realm.
    Realm(String),
}

impl State {
    pub fn login_challenge(&self, request: &Request, address: SocketAddr) -> Option<Response> {
        let writes = !["GET", "HEAD"].contains(&request.method.as_str());
        let name = request.path().strip_prefix("/v2/").unwrap_or_default();
        let name = ["/blobs/", "/manifests/", "/referrers/"].iter().find_map(|kind| name.split_once(kind));
        let name = name.map_or("", |(name, _)| name);
        let challenge = match &self.login {
            Login::Nobody => return None,
            Login::Password => {
                if request.header("authorization") == Some(&basic()) {
                    return None;
                }
                r#"Basic realm="fake""#.to_owned()
            }
            Login::Tokens => {
                let action = if writes { "push" } else { "pull" };
                if self.allows(request, name, action) {
                    return None;
                }
                let scope = format!("repository:{name}:pull{}", if writes { ",push" } else { "" });
                format!(r#"Bearer realm="http://{address}/token",service="fake",scope="{scope}""#)
            }
            Login::Realm(realm) => format!(r#"Bearer realm="{realm}",service="fake""#),
        };
        let repeated = request.header("authorization").unwrap_or_default();
        let body = format!(r#"{{"errors":[{{"code":"UNAUTHORIZED","message":"not with {repeated}"}}]}}"#);
        Some(Response::new(401).header("www-authenticate", &challenge).body(body.as_bytes()))
    }

    pub fn may_pull(&self, request: &Request, name: &str) -> bool {
        self.login != Login::Tokens || self.allows(request, name, "pull")
    }

    fn allows(&self, request: &Request, name: &str, action: &str) -> bool {
        let token =
            request.header("authorization").and_then(|header| header.strip_prefix("Bearer secret-token-"));
        let scopes = token.and_then(|token| self.tokens.get(token.parse::<usize>().ok()?));
        let start = format!("repository:{name}:");
        let mut actions = scopes.into_iter().flatten().filter_map(|scope| scope.strip_prefix(&start));
        actions.any(|actions| actions.split(',').any(|allowed| allowed == action))
    }

    pub fn token(&mut self, request: &Request) -> Response {
        let form = String::from_utf8(request.body.clone()).unwrap();
        let (mut scopes, service, known) = match request.method.as_str() {
            "POST" => {
                let scope = http::pairs(&form, "scope").concat();
                let known = http::pairs(&form, "refresh_token") == [IDENTITY];
                (scope.split(' ').map(str::to_owned).collect(), http::pairs(&form, "service"), Some(known))
            }
            _ => {
                let known = request.header("authorization").map(|header| header == basic());
                (request.parameters("scope"), request.parameters("service"), known)
            }
        };
        assert_eq!(service, ["fake"]);
        match known {
            Some(false) => {
                return Response::new(401).body(br#"{"details":"incorrect username or password"}"#);
            }
            Some(true) => {}
            None => {
                for scope in &mut scopes {
                    *scope = scope.replace(",push", "");
                }
            }
        }
        self.tokens.push(scopes);
        let body = format!(r#"{{"token":"secret-token-{}","expires_in":300}}"#, self.tokens.len() - 1);
        Response::new(200).body(body.as_bytes())
    }
}

fn basic() -> String {
    format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")))
}
