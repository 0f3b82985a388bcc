//! Image references such as `ghcr.io/acme/shop:1.2`, and their normalized names.
//!
//! Source of the grammar and of Docker's defaults (`docker.io`, `library/`, `latest`):
//! github.com/distribution/reference, `regexp.go` and `normalize.go`. The parser of the crate
//! `oci-spec` accepts the same names, but compiles a regular expression for 30 ms; tests compare
//! both.

use std::fmt;
use std::str::FromStr;

use crate::hint::Hint;
use crate::path::escape_bytes;

/// Maximum length of a repository name.
const MAX_REPOSITORY_LENGTH: usize = 255;

/// The registry of names that contain no registry.
const DEFAULT_REGISTRY: &str = "docker.io";
/// An older name of the same registry.
const LEGACY_DEFAULT_REGISTRY: &str = "index.docker.io";

/// An image name: a repository and a tag, which is `latest` by default.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct ImageReference {
    /// The repository as written.
    repository: String,
    tag: String,
    /// The repository with its registry and Docker's defaults.
    normalized_repository: String,
}

/// The error for a string that is not an image name with an optional tag.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is not an image name: {why}", escape_bytes(.text.as_bytes()))]
pub struct ParseImageReferenceError {
    text: String,
    why: String,
}

impl ImageReference {
    /// The repository as written, without the tag: `shop`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The last component of the repository: `shop` for `ghcr.io/acme/shop`.
    pub fn last_component(&self) -> &str {
        self.repository.rsplit('/').next().unwrap_or(&self.repository)
    }

    /// The tag.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The normalized name with tag, as in containerd and Docker: `docker.io/library/shop:latest`.
    pub fn full_name(&self) -> String {
        format!("{}:{}", self.normalized_repository, self.tag)
    }

    /// Returns whether the name includes its registry; otherwise it is Docker Hub's.
    pub fn names_registry(&self) -> bool {
        let (registry, path) = split_registry(&self.repository);
        path.len() < self.repository.len() && !registry.is_empty()
    }

    /// Returns the reference to `tag` in the same repository.
    ///
    /// # Errors
    /// Fails if `tag` is not a valid tag.
    pub fn with_tag(&self, tag: &str) -> Result<Self, ParseImageReferenceError> {
        format!("{}:{tag}", self.repository).parse()
    }
}

impl Hint for ParseImageReferenceError {
    fn hint(&self) -> Option<String> {
        Some(
            "write it as `NAME[:TAG]` in lower case, such as `shop`, `shop:1.2` or `ghcr.io/acme/shop:1.2`"
                .into(),
        )
    }
}

impl FromStr for ImageReference {
    type Err = ParseImageReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_reference(text).map_err(|why| ParseImageReferenceError { text: text.into(), why })
    }
}

/// Parses a reference. The error says why it is invalid.
fn parse_reference(text: &str) -> Result<ImageReference, String> {
    if text.is_empty() {
        return Err("it is empty".into());
    }
    if text.contains('@') {
        return Err("it includes a digest, but the digest is known only after the build: use a tag".into());
    }
    let (repository, tag) = split_tag(text);
    let (registry, path) = split_registry(repository);
    if !is_registry(registry) {
        return Err(format!(
            "`{}` is not a host name with an optional port",
            escape_bytes(registry.as_bytes())
        ));
    }
    if let Some(component) = path.split('/').find(|component| !is_component(component)) {
        return Err(match component {
            "" => "a part of its path is empty".into(),
            _ => format!(
                "`{}` must consist of lower-case letters and digits, separated by `.`, `_`, `__` or `-`",
                escape_bytes(component.as_bytes())
            ),
        });
    }
    if !is_tag(tag) {
        return Err(
            "a tag has 1 to 128 letters, digits, `_`, `.` and `-`, and does not start with `.` or `-`".into(),
        );
    }
    let registry = if registry == LEGACY_DEFAULT_REGISTRY { DEFAULT_REGISTRY } else { registry };
    let library = if registry == DEFAULT_REGISTRY && !path.contains('/') { "library/" } else { "" };
    if library.len() + path.len() > MAX_REPOSITORY_LENGTH {
        return Err(format!("its path has more than {MAX_REPOSITORY_LENGTH} characters"));
    }
    Ok(ImageReference {
        repository: repository.into(),
        tag: tag.into(),
        normalized_repository: format!("{registry}/{library}{path}"),
    })
}

/// Splits off the tag, which is `latest` by default. A colon before the last slash belongs to a
/// port.
fn split_tag(text: &str) -> (&str, &str) {
    match text.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (text, "latest"),
    }
}

/// Splits a repository into registry and path. The first component is a registry only if it looks
/// like a host.
fn split_registry(repository: &str) -> (&str, &str) {
    match repository.split_once('/') {
        Some((first, path)) if first.contains(['.', ':']) || first == "localhost" => (first, path),
        _ => (DEFAULT_REGISTRY, repository),
    }
}

/// Returns whether `text` can be a registry: a host, or a component of a repository. Docker accepts
/// components too, so that a registry can contain `_`.
fn is_registry(text: &str) -> bool {
    is_host(text) || is_component(text)
}

/// Returns whether `text` is a host name with an optional port.
fn is_host(text: &str) -> bool {
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    let is_edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
        is_edge(bytes.first()) && is_edge(bytes.last()) && bytes.iter().all(is_inner)
    };
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    host.split('.').all(is_label) && port.is_none_or(is_port)
}

/// Returns whether `text` is a component of a repository name: lower-case letters and digits, separated by
/// `.`, `_`, `__` or any number of `-`.
fn is_component(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_between = |text: &str| matches!(text, "." | "_" | "__") || text.bytes().all(|byte| byte == b'-');
    text.starts_with(is_word) && text.ends_with(is_word) && text.split(is_word).all(is_between)
}

/// Returns whether `text` is a valid tag. Source: distribution-spec, "Pulling manifests".
pub fn is_tag(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_legal = |byte: u8| is_word(byte) || byte == b'.' || byte == b'-';
    (1..=128).contains(&text.len()) && text.bytes().all(is_legal) && text.bytes().next().is_some_and(is_word)
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.repository, self.tag)
    }
}

/// Returns a full name without Docker's defaults: `shop` for `docker.io/library/shop`.
pub fn familiar_name(name: &str) -> &str {
    let short = name.strip_prefix("docker.io/").or_else(|| name.strip_prefix("index.docker.io/"));
    short.map_or(name, |short| short.strip_prefix("library/").unwrap_or(short))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalizes_short_names() {
        for (text, printed, full) in [
            ("shop", "shop:latest", "docker.io/library/shop:latest"),
            ("acme/shop:1", "acme/shop:1", "docker.io/acme/shop:1"),
            ("localhost:5000/shop", "localhost:5000/shop:latest", "localhost:5000/shop:latest"),
            ("ghcr.io/acme/shop:1.2", "ghcr.io/acme/shop:1.2", "ghcr.io/acme/shop:1.2"),
        ] {
            let reference: ImageReference = text.parse().unwrap();
            assert_eq!((reference.to_string().as_str(), reference.full_name().as_str()), (printed, full));
        }
    }

    /// The repository with defaults and the tag, by the parser of the crate `oci-spec`.
    fn parse_with_oci_spec(text: &str) -> Option<(String, String)> {
        let reference: oci_spec::distribution::Reference = text.parse().ok()?;
        // It takes capital letters for a registry, and later for a part of the path.
        let is_lower = reference.repository().chars().all(|c| !c.is_ascii_uppercase());
        let name = format!("{}/{}", reference.registry(), reference.repository());
        is_lower.then(|| (name, reference.tag().unwrap_or("latest").to_owned()))
    }

    fn parse_here(text: &str) -> Option<(String, String)> {
        let reference: ImageReference = text.parse().ok()?;
        Some((reference.normalized_repository, reference.tag))
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(5_000))]

        #[test]
        fn agrees_with_oci_spec(
            text in "((localhost|docker.io|index.docker.io|[abA0]{1,2}([.:_-][aA0]{1,2}){0,2})/)?([ab0A]{1,2}[._/-]{0,2}){0,4}:{0,1}[a_.A-]{0,3}"
        ) {
            assert_eq!(parse_here(&text), parse_with_oci_spec(&text), "{text}");
        }
    }

    #[test]
    fn agrees_with_oci_spec_on_long_names() {
        for length in 245..260 {
            for text in ["x".repeat(length), format!("a/{}", "x".repeat(length))] {
                assert_eq!(parse_here(&text), parse_with_oci_spec(&text));
            }
        }
        for length in 127..130 {
            let text = format!("shop:{}", "x".repeat(length));
            assert_eq!(parse_here(&text), parse_with_oci_spec(&text));
        }
    }

    #[test]
    fn removes_defaults_from_names() {
        for (name, familiar) in [
            ("docker.io/library/shop", "shop"),
            ("index.docker.io/acme/shop", "acme/shop"),
            ("ghcr.io/library/shop", "ghcr.io/library/shop"),
            ("shop", "shop"),
        ] {
            assert_eq!(familiar_name(name), familiar);
        }
    }

    #[test]
    fn rejects_invalid_names() {
        let digest = format!("shop@sha256:{}", "0".repeat(64));
        for (text, why) in [
            ("", "it is empty"),
            ("Shop", "`Shop` must consist of lower-case letters and digits"),
            ("Acme/shop", "`Acme` must consist of"),
            ("a b", "`a b` must consist of"),
            ("-", "`-` must consist of"),
            ("shop/", "a part of its path is empty"),
            ("/shop", "a part of its path is empty"),
            ("shop:", "a tag has 1 to 128"),
            ("shop:ä", "a tag has 1 to 128"),
            ("shop:-", "a tag has 1 to 128"),
            ("my_host:5000/shop", "`my_host:5000` is not a host name"),
            (digest.as_str(), "it includes a digest"),
        ] {
            let error = text.parse::<ImageReference>().unwrap_err();
            assert!(error.why.starts_with(why), "{error}");
        }
    }
}
