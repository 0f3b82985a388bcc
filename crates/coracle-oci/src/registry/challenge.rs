//! The challenges of `WWW-Authenticate` headers that registries use. Source: RFC 9110, 11.6.1.

use http_auth::parser::ChallengeParser;

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
        // A syntax error ends the field, so that no incomplete challenge is used.
        let challenges = |field| ChallengeParser::new(field).map_while(Result::ok);
        let challenges = fields.into_iter().flat_map(challenges);
        let mut found: Vec<Self> =
            challenges.filter_map(|challenge| supported_challenge(&challenge)).collect();
        found.sort_by_key(|challenge| matches!(challenge, Self::Basic));
        found
    }
}

/// Converts a challenge. `None` if its scheme is not supported or a Bearer challenge has no realm.
fn supported_challenge(challenge: &http_auth::ChallengeRef<'_>) -> Option<Challenge> {
    let parameter = |name: &str| {
        let mut parameters = challenge.params.iter();
        let found = parameters.find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_unescaped())
    };
    match challenge.scheme.to_ascii_lowercase().as_str() {
        "basic" => Some(Challenge::Basic),
        "bearer" => Some(Challenge::Bearer {
            realm: parameter("realm")?,
            service: parameter("service"),
            scope: parameter("scope"),
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
