//! Parses `WWW-Authenticate` headers. Source: RFC 9110, 11.6.1 and 5.6.4.

use std::collections::BTreeMap;

/// An authentication scheme that a registry accepts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Challenge {
    /// HTTP Basic authentication.
    Basic,
    /// A bearer token from a token server.
    Bearer {
        /// The URL of the token server.
        realm: String,
        /// The name of the registry at the token server.
        service: Option<String>,
        /// The required scopes, separated by spaces.
        scope: Option<String>,
    },
}

impl Challenge {
    /// Parses the supported challenges of all `WWW-Authenticate` fields, Bearer before Basic.
    pub fn parse<'a>(fields: impl IntoIterator<Item = &'a str>) -> Vec<Self> {
        let mut found: Vec<Self> =
            fields.into_iter().flat_map(|field| ChallengeParser { rest: field }.challenges()).collect();
        found.sort_by_key(|challenge| matches!(challenge, Self::Basic));
        found
    }
}

struct ChallengeParser<'a> {
    rest: &'a str,
}

type Parameters = BTreeMap<String, String>;

impl<'a> ChallengeParser<'a> {
    /// Parses schemes with their parameters. A syntax error ends the field, so that no incomplete
    /// challenge is used.
    fn challenges(mut self) -> Vec<Challenge> {
        let mut found: Vec<(String, Parameters)> = Vec::new();
        loop {
            self.skip(|c| c == ',' || c == ' ' || c == '\t');
            let Some(name) = self.token() else { break };
            self.skip(|c| c == ' ' || c == '\t');
            match (self.rest.strip_prefix('='), found.last_mut()) {
                (Some(rest), Some((_, parameters))) => {
                    self.rest = rest;
                    self.skip(|c| c == ' ' || c == '\t');
                    let Some(value) = self.value() else { break };
                    parameters.entry(name.to_ascii_lowercase()).or_insert(value);
                }
                (Some(_), None) => break,
                (None, _) => found.push((name.to_ascii_lowercase(), Parameters::new())),
            }
        }
        found
            .into_iter()
            .filter_map(|(scheme, parameters)| supported_challenge(&scheme, parameters))
            .collect()
    }

    fn skip(&mut self, is_skipped: impl Fn(char) -> bool) {
        self.rest = self.rest.trim_start_matches(is_skipped);
    }

    fn token(&mut self) -> Option<&'a str> {
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let end = self.rest.find(|c| !is_token(c)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        Some(token).filter(|token| !token.is_empty())
    }

    /// Parses a token, or a quoted string with backslash escapes.
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

fn supported_challenge(scheme: &str, mut parameters: Parameters) -> Option<Challenge> {
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
    fn parses_challenges_of_registries() {
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
    fn parses_quotes_case_spaces_and_several_challenges() {
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
    fn ignores_invalid_challenges() {
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
        fn never_panics(field in "[Bbearis,=\"\\\\ a-zé\t]{0,60}") {
            Challenge::parse([field.as_str()]);
        }
    }
}
