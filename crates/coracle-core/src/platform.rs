//! OCI platforms: operating system, architecture and variant.
//!
//! A platform comes from a program's ELF header or from `--platform`, never from the host.
//! Source: image-spec `config.md` (GOARCH, GOOS, variants).

use std::fmt;
use std::str::FromStr;

use crate::escape::escape_text;
use crate::hint::Hint;

/// An operating system and an architecture, such as `linux/arm/v7`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Platform {
    /// `GOOS`; always `linux` if it comes from an ELF header.
    pub os: String,
    /// `GOARCH`: `amd64`, `arm64`, `arm`, …
    pub architecture: String,
    /// The CPU variant, such as `v7`.
    pub variant: Option<String>,
}

/// The error for a string that is not a platform.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a platform")]
pub struct ParsePlatformError(String);

impl Platform {
    /// A Linux platform.
    pub fn linux(architecture: &str, variant: Option<&str>) -> Self {
        Self { os: "linux".into(), architecture: architecture.into(), variant: variant.map(Into::into) }
    }

    /// Returns whether this platform and `other` have the same OS and architecture. The variant is
    /// ignored, because ELF headers do not contain it.
    pub fn matches_ignoring_variant(&self, other: &Self) -> bool {
        (&self.os, &self.architecture) == (&other.os, &other.architecture)
    }
}

impl Hint for ParsePlatformError {
    fn hint(&self) -> Option<String> {
        Some("write it as `OS/ARCHITECTURE[/VARIANT]`, such as `linux/amd64` or `linux/arm/v7`".into())
    }
}

impl FromStr for Platform {
    type Err = ParsePlatformError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('/').collect();
        let is_legal = |part: &&str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.')
        };
        match parts.as_slice() {
            [os, architecture, variant @ ..] if variant.len() < 2 && parts.iter().all(is_legal) => Ok(Self {
                os: (*os).into(),
                architecture: (*architecture).into(),
                variant: variant.first().map(|variant| (*variant).into()),
            }),
            _ => Err(ParsePlatformError(text.into())),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The fields may come from an image of others.
        let Self { os, architecture, variant } = self;
        write!(f, "{}/{}", escape_text(os), escape_text(architecture))?;
        variant.iter().try_for_each(|variant| write!(f, "/{}", escape_text(variant)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_parses_platforms() {
        for text in ["linux/amd64", "linux/arm/v7"] {
            assert_eq!(text.parse::<Platform>().unwrap().to_string(), text);
        }
        for text in ["", "linux", "linux/", "linux/arm/v7/x", "Linux/AMD64"] {
            assert!(text.parse::<Platform>().is_err(), "{text}");
        }
    }
}
