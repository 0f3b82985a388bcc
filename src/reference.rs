//! Image references: `ghcr.io/acme/shop:1.2`, and the full name that engines use for a short one.
//!
//! The grammar and Docker's defaults (`docker.io`, `library/`, `latest`) are `oci-spec`'s.

use std::fmt;
use std::str::FromStr;

use oci_spec::distribution::Reference as Parsed;

/// A repository and a tag; the tag is `latest` when none was written.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Reference {
    name: String,
    tag: String,
    full_name: String,
}

/// A string that is no image reference, or one that a tag can't be put on.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not an image name: {why}")]
pub struct ParseReferenceError {
    text: String,
    why: String,
}

impl Reference {
    /// The repository as it was written, without tag: `shop`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The last part of the repository's name: `shop` for `ghcr.io/acme/shop`.
    pub fn base_name(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }

    /// The tag alone.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The normalised name with its tag, as containerd and Docker keep it: `docker.io/library/shop:latest`.
    pub fn full_name(&self) -> String {
        format!("{}:{}", self.full_name, self.tag)
    }

    /// The same repository under another tag.
    ///
    /// # Errors
    /// When `tag` is no legal tag.
    pub fn with_tag(&self, tag: &str) -> Result<Self, ParseReferenceError> {
        format!("{}:{tag}", self.name).parse()
    }
}

impl ParseReferenceError {
    /// What to write instead.
    pub fn hint(&self) -> String {
        "write it as `NAME[:TAG]` in lower case, such as `shop`, `shop:1.2` or `ghcr.io/acme/shop:1.2`".into()
    }
}

impl FromStr for Reference {
    type Err = ParseReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |why: String| ParseReferenceError { text: text.into(), why };
        if !text.is_ascii() {
            return Err(error("only ASCII letters are allowed".into()));
        }
        let parsed = Parsed::from_str(text).map_err(|e| error(e.to_string()))?;
        if parsed.digest().is_some() {
            return Err(error("a digest is what a build finds out, it can't be asked for".into()));
        }
        let tag = parsed.tag().unwrap_or("latest").to_owned();
        let name = text.strip_suffix(&format!(":{tag}")).unwrap_or(text).to_owned();
        let full_name = format!("{}/{}", parsed.registry(), parsed.repository());
        Ok(Self { name, tag, full_name })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.tag)
    }
}

/// A full name as people write it: without Docker's defaults.
pub fn familiar(name: &str) -> &str {
    let short = name.strip_prefix("docker.io/").or_else(|| name.strip_prefix("index.docker.io/"));
    short.map_or(name, |short| short.strip_prefix("library/").unwrap_or(short))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_have_a_full_one() {
        for (text, printed, full) in [
            ("shop", "shop:latest", "docker.io/library/shop:latest"),
            ("acme/shop:1", "acme/shop:1", "docker.io/acme/shop:1"),
            ("localhost:5000/shop", "localhost:5000/shop:latest", "localhost:5000/shop:latest"),
            ("ghcr.io/acme/shop:1.2", "ghcr.io/acme/shop:1.2", "ghcr.io/acme/shop:1.2"),
        ] {
            let reference: Reference = text.parse().unwrap();
            assert_eq!((reference.to_string().as_str(), reference.full_name().as_str()), (printed, full));
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let digest = format!("shop@sha256:{}", "0".repeat(64));
        for text in ["", "Shop", "shop:", "a b", "shop:ä", "-", digest.as_str()] {
            assert!(text.parse::<Reference>().is_err(), "{text:?}");
        }
    }
}
