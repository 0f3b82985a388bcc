//! `WWW-Authenticate`: what a registry wants to see. Source: RFC 9110, 11.6.1 and 5.6.4.

use std::collections::BTreeMap;

/// What a registry accepts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Challenge {
    /// User and password with each request.
    Basic,
    /// A token, which a server gives out.
    Bearer {
        /// The URL of that server.
        realm: String,
        /// What the registry calls itself there.
        service: Option<String>,
        /// What the token is to allow.
        scope: Option<String>,
    },
}

impl Challenge {
    /// The challenges of all `WWW-Authenticate` fields that this client can meet, the better one first.
    pub fn parse<'a>(fields: impl IntoIterator<Item = &'a str>) -> Vec<Self> {
        let mut found: Vec<Self> =
            fields.into_iter().flat_map(|field| Parser { rest: field }.challenges()).collect();
        found.sort_by_key(|challenge| matches!(challenge, Self::Basic));
        found
    }
}

struct Parser<'a> {
    rest: &'a str,
}

type Parameters = BTreeMap<String, String>;

impl<'a> Parser<'a> {
    /// Schemes with their parameters; what can't be read ends the field, so that no half of a challenge counts.
    fn challenges(mut self) -> Vec<Challenge> {
        let mut found: Vec<(String, Parameters)> = Vec::new();
        loop {
            self.skip(|c| c == ',' || c == ' ' || c == '\t');
            let Some(word) = self.token() else { break };
            self.skip(|c| c == ' ' || c == '\t');
            match (self.rest.strip_prefix('='), found.last_mut()) {
                (Some(rest), Some((_, parameters))) => {
                    self.rest = rest;
                    self.skip(|c| c == ' ' || c == '\t');
                    let Some(value) = self.value() else { break };
                    parameters.entry(word.to_ascii_lowercase()).or_insert(value);
                }
                (Some(_), None) => break,
                (None, _) => found.push((word.to_ascii_lowercase(), Parameters::new())),
            }
        }
        found.into_iter().filter_map(|(scheme, parameters)| challenge(&scheme, parameters)).collect()
    }

    fn skip(&mut self, what: impl Fn(char) -> bool) {
        self.rest = self.rest.trim_start_matches(what);
    }

    fn token(&mut self) -> Option<&'a str> {
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let end = self.rest.find(|c| !is_token(c)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        Some(token).filter(|token| !token.is_empty())
    }

    /// A token, or a string in quotes in which a backslash stands before any character.
    fn value(&mut self) -> Option<String> {
        let Some(quoted) = self.rest.strip_prefix('"') else { return self.token().map(str::to_owned) };
        let mut value = String::new();
        let mut chars = quoted.chars();
        loop {
            match chars.next()? {
                '"' => break,
                '\\' => value.push(chars.next()?),
                c => value.push(c),
            }
        }
        self.rest = chars.as_str();
        Some(value)
    }
}

fn challenge(scheme: &str, mut parameters: Parameters) -> Option<Challenge> {
    match scheme {
        "basic" => Some(Challenge::Basic),
        "bearer" => Some(Challenge::Bearer {
            realm: parameters.remove("realm")?,
            service: parameters.remove("service"),
            scope: parameters.remove("scope"),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Challenge::Bearer { realm: realm.into(), service: own(service), scope: own(scope) }
    }

    #[test]
    fn challenges_as_registries_send_them() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#;
        let hub = Challenge::parse([hub]);
        let expected = bearer(
            "https://auth.docker.io/token",
            Some("registry.docker.io"),
            Some("repository:a/b:pull,push"),
        );
        assert_eq!(hub, [expected]);
        assert_eq!(Challenge::parse([r#"Basic realm="Registry Realm""#]), [Challenge::Basic]);
    }

    #[test]
    fn quotes_case_spaces_and_several() {
        assert_eq!(
            Challenge::parse([
                r#"BASIC realm="a, Bearer realm=\"x\"", bearer  Realm = "https://t/\"q\"" ,, service=s"#
            ]),
            [bearer(r#"https://t/"q""#, Some("s"), None), Challenge::Basic]
        );
        assert_eq!(Challenge::parse(["Negotiate", "Basic"]), [Challenge::Basic]);
        assert_eq!(Challenge::parse([r#"Bearer realm="a",realm="b""#]), [bearer("a", None, None)]);
    }

    #[test]
    fn what_is_no_challenge_is_none() {
        for field in [
            "",
            "=",
            "realm=x",
            "Bearer",
            r#"Bearer realm="open"#,
            r#"Bearer realm="x\"#,
            "é",
            ",,,",
            "\"",
            "Digest realm=x",
        ] {
            assert_eq!(Challenge::parse([field]), [], "{field}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_field_is_too_much(field in "[Bbearis,=\"\\\\ a-zé\t]{0,60}") {
            Challenge::parse([field.as_str()]);
        }
    }
}
