//! HTTP and HTTPS URLs: parsing, resolving `Location` headers, comparing origins.

use std::net::IpAddr;

use http::Uri;

/// An absolute `http` or `https` URL without user information and fragment.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Url {
    tls: bool,
    authority: String,
    /// Path and query, percent-encoded.
    path_and_query: String,
}

impl Url {
    /// The URL of `target` (path and query) at a server. `None` if it is not valid.
    pub(super) fn new(tls: bool, authority: &str, target: &str) -> Option<Self> {
        Self::parse(&format!("{}://{authority}{target}", scheme(tls)))
    }

    /// Parses `text`. `None` if it is not an absolute URL, has another scheme or user information.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.split('#').next()?.parse().ok()?;
        let tls = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        // User information would be sent as credentials.
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        Some(Self {
            tls,
            authority: authority.as_str().to_ascii_lowercase(),
            path_and_query: target.to_owned(),
        })
    }

    /// Resolves a `Location` header of a response from this URL. `None` if it is not valid.
    pub(super) fn resolve_location(&self, location: &str) -> Option<Self> {
        let path = self.path_and_query.split('?').next().unwrap_or_default();
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        let has_scheme = location
            .split_once("://")
            .is_some_and(|(scheme, _)| scheme.bytes().all(|b| b.is_ascii_alphabetic()));
        match location {
            _ if has_scheme => Self::parse(location),
            _ if location.starts_with("//") => Self::parse(&format!("{}:{location}", scheme(self.tls))),
            _ if location.starts_with('/') => Self::new(self.tls, &self.authority, location),
            _ if location.starts_with('?') => {
                Self::new(self.tls, &self.authority, &format!("{path}{location}"))
            }
            _ => Self::new(self.tls, &self.authority, &format!("{directory}/{location}")),
        }
    }

    /// This URL with one more query parameter; `value` must be percent-encoded already.
    pub(super) fn with_query_parameter(&self, name: &str, value: &str) -> Self {
        let separator = match self.path_and_query.split_once('?') {
            None => "?",
            Some((_, "")) => "",
            Some(_) => "&",
        };
        Self { path_and_query: format!("{}{separator}{name}={value}", self.path_and_query), ..self.clone() }
    }

    pub(super) fn is_tls(&self) -> bool {
        self.tls
    }

    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    /// The path, without the query, which may hold signatures.
    pub(super) fn path(&self) -> &str {
        self.path_and_query.split('?').next().unwrap_or_default()
    }

    pub(super) fn host(&self) -> &str {
        host_of(&self.authority)
    }

    /// Returns whether scheme, host and port are equal. Credentials are sent to the same origin only.
    pub(super) fn is_same_origin(&self, other: &Self) -> bool {
        let port =
            |url: &Self| port_of(&url.authority).unwrap_or(if url.tls { "443" } else { "80" }).to_owned();
        self.tls == other.tls && self.host() == other.host() && port(self) == port(other)
    }

    /// This URL with the scheme and port of `server`. `None` if the hosts differ or `server` does
    /// not use TLS.
    pub(super) fn with_tls(&self, server: &Self) -> Option<Self> {
        let same = self.host() == server.host() && server.tls;
        same.then(|| Self {
            tls: true,
            authority: server.authority.clone(),
            path_and_query: self.path_and_query.clone(),
        })
    }

    /// The full URL, for sending only: the query may hold signatures, so errors must not show it.
    pub(super) fn to_full_string(&self) -> String {
        format!("{}://{}{}", scheme(self.tls), self.authority, self.path_and_query)
    }
}

fn scheme(tls: bool) -> &'static str {
    if tls { "https" } else { "http" }
}

/// `HOST` of `HOST:PORT`, without the brackets of an IPv6 address.
pub(super) fn host_of(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

/// `PORT` of `HOST:PORT`.
pub(super) fn port_of(authority: &str) -> Option<&str> {
    let after = authority.rsplit_once(']').map_or(authority, |(_, after)| after);
    after.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.is_empty())
}

/// Returns whether `host` is a loopback address or `localhost`.
pub(super) fn is_loopback(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn resolves_locations() {
        let base = url("https://r.io:443/v2/a/blobs/uploads/?x=1");
        for (location, whole) in [
            ("https://s.io/u?_state=a%3D", "https://s.io/u?_state=a%3D"),
            ("//s.io/u", "https://s.io/u"),
            ("/v2/u?x=http://y", "https://r.io:443/v2/u?x=http://y"),
            ("u1", "https://r.io:443/v2/a/blobs/uploads/u1"),
            ("?y", "https://r.io:443/v2/a/blobs/uploads/?y"),
            ("/u#fragment", "https://r.io:443/u"),
        ] {
            assert_eq!(base.resolve_location(location).unwrap().to_full_string(), whole);
        }
        for location in
            ["https://me:secret@s.io/", "ftp://s.io/", "https:///u", "http://", "/a b", "file:///etc"]
        {
            assert!(base.resolve_location(location).is_none(), "{location}");
        }
    }

    #[test]
    fn appends_query_parameters() {
        for (before, after) in [
            ("http://r/u", "http://r/u?digest=d"),
            ("http://r/u?_state=x", "http://r/u?_state=x&digest=d"),
            ("http://r/u?", "http://r/u?digest=d"),
        ] {
            assert_eq!(url(before).with_query_parameter("digest", "d").to_full_string(), after);
        }
    }

    #[test]
    fn compares_origins() {
        assert!(url("https://r.io/a").is_same_origin(&url("https://R.io:443/b")));
        for other in ["http://r.io/", "https://r.io:8443/", "https://r.io.evil/", "https://s3.r.io/"] {
            assert!(!url("https://r.io/a").is_same_origin(&url(other)), "{other}");
        }
    }

    #[test]
    fn upgrades_to_tls_on_the_same_host_only() {
        let server = url("https://r.io:8443/v2/");
        let upgraded = url("http://r.io/v2/u?_state=x").with_tls(&server).unwrap();
        assert_eq!(upgraded.to_full_string(), "https://r.io:8443/v2/u?_state=x");
        assert!(url("http://s.io/u").with_tls(&server).is_none());
        assert!(url("http://r.io/u").with_tls(&url("http://r.io/")).is_none());
    }

    #[test]
    fn recognizes_loopback_hosts() {
        for text in ["127.0.0.1:5000", "127.9.9.9", "localhost", "LOCALHOST:1", "[::1]:5000"] {
            assert!(is_loopback(host_of(text)), "{text}");
        }
        for text in
            ["127.0.0.1.evil.io", "localhost.evil.io", "10.0.0.1", "128.0.0.1", "[::2]", "0x7f.1", "127.1.io"]
        {
            assert!(!is_loopback(host_of(text)), "{text}");
        }
        assert_eq!((port_of("[::1]:5"), port_of("[::1]"), port_of("r.io")), (Some("5"), None, None));
    }
}
