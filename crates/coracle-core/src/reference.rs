//! Image references such as `ghcr.io/acme/shop:1.2`, and their normalized names.
//!
//! Grammar and Docker's defaults (`docker.io`, `library/`, `latest`) are those of `oci-spec`.

use std::fmt;
use std::str::FromStr;

use oci_spec::distribution::Reference as Parsed;

/// Maximum length of a repository name.
const MAX_REPOSITORY_LENGTH: usize = 255;

/// An image name: a repository and a tag, which is `latest` by default.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct ImageReference {
    repository: String,
    tag: String,
    full_name: String,
}

/// The error for a string that is not an image name with an optional tag.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not an image name: {why}")]
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
        format!("{}:{}", self.full_name, self.tag)
    }

    /// Returns the reference to `tag` in the same repository.
    ///
    /// # Errors
    /// Fails if `tag` is not a valid tag.
    pub fn with_tag(&self, tag: &str) -> Result<Self, ParseImageReferenceError> {
        format!("{}:{tag}", self.repository).parse()
    }
}

impl ParseImageReferenceError {
    /// Describes the expected format.
    pub fn hint(&self) -> String {
        "write it as `NAME[:TAG]` in lower case, such as `shop`, `shop:1.2` or `ghcr.io/acme/shop:1.2`".into()
    }
}

impl FromStr for ImageReference {
    type Err = ParseImageReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_common_name(text).map_or_else(|| parse_with_oci_spec(text), Ok)
    }
}

/// Parses with `oci-spec`. Its first call takes 30 ms, because it compiles a regular expression.
fn parse_with_oci_spec(text: &str) -> Result<ImageReference, ParseImageReferenceError> {
    let error = |why: String| ParseImageReferenceError { text: text.into(), why };
    if !text.is_ascii() {
        return Err(error("only ASCII letters are allowed".into()));
    }
    let parsed = Parsed::from_str(text).map_err(|e| error(e.to_string()))?;
    if parsed.digest().is_some() {
        return Err(error(
            "it includes a digest, but the digest is known only after the build: use a tag".into(),
        ));
    }
    let tag = parsed.tag().unwrap_or("latest").to_owned();
    let name = text.strip_suffix(&format!(":{tag}")).unwrap_or(text).to_owned();
    let full_name = format!("{}/{}", parsed.registry(), parsed.repository());
    Ok(ImageReference { repository: name, tag, full_name })
}

/// Parses common names without a regular expression. `None` if `oci-spec` must decide.
fn parse_common_name(text: &str) -> Option<ImageReference> {
    let last = text.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match text.get(last..)?.find(':') {
        Some(colon) => (text.get(..last + colon)?, text.get(last + colon + 1..)?),
        None => (text, "latest"),
    };
    let (registry, path) = match name.split_once('/') {
        Some((first, path)) if first.contains(['.', ':']) || first == "localhost" => (first, path),
        _ => ("docker.io", name),
    };
    let registry = if registry == "index.docker.io" { "docker.io" } else { registry };
    let library = if registry == "docker.io" && !path.contains('/') { "library/" } else { "" };
    let is_legal = is_host(registry)
        && path.split('/').all(is_component)
        && is_tag(tag)
        && library.len() + path.len() <= MAX_REPOSITORY_LENGTH;
    let full_name = || format!("{registry}/{library}{path}");
    is_legal.then(|| ImageReference { repository: name.into(), tag: tag.into(), full_name: full_name() })
}

/// Whether `text` is a host name with an optional port.
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

/// Whether `text` is a component of a repository name: lower-case letters and digits, separated by
/// `.`, `_`, `__` or any number of `-`.
fn is_component(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_between = |text: &str| matches!(text, "." | "_" | "__") || text.bytes().all(|byte| byte == b'-');
    text.starts_with(is_word) && text.ends_with(is_word) && text.split(is_word).all(is_between)
}

/// Whether `text` is a valid tag. Source: distribution-spec, "Pulling manifests".
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

    #[test]
    fn parses_common_names_without_regular_expression() {
        for text in
            ["app", "shop:1.2", "ghcr.io/acme/shop:1.2", "localhost:5000/a/b-c", "localhost/x", "a__b--c.d"]
        {
            assert!(parse_common_name(text).is_some(), "{text}");
        }
        let long = format!("shop:{}", "x".repeat(129));
        for text in
            ["", "Shop", "a___b", "a/", "/a", "a..b", "-a", "a:", "a:-", "a:5/b:", "a b", "a@b", &long]
        {
            assert!(parse_common_name(text).is_none(), "{text}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(5_000))]

        #[test]
        fn both_parsers_agree(
            text in "((localhost|docker.io|index.docker.io|[abA0]{1,2}([.:-][aA0]{1,2}){0,2})/)?([ab0A]{1,2}[._/-]{0,2}){0,4}[:@]{0,1}[a_.A-]{0,3}"
        ) {
            if let Some(reference) = parse_common_name(&text) {
                assert_eq!(parse_with_oci_spec(&text).ok(), Some(reference));
            }
        }
    }

    #[test]
    fn both_parsers_agree_on_long_names() {
        for length in 245..260 {
            for text in ["x".repeat(length), format!("a/{}", "x".repeat(length))] {
                assert_eq!(parse_common_name(&text), parse_with_oci_spec(&text).ok());
            }
        }
    }

    #[test]
    fn rejects_invalid_names() {
        let digest = format!("shop@sha256:{}", "0".repeat(64));
        for text in ["", "Shop", "shop:", "a b", "shop:ä", "-", digest.as_str()] {
            assert!(text.parse::<ImageReference>().is_err(), "{text:?}");
        }
    }
}
