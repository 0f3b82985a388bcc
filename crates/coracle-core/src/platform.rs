//! Platforms: what an ELF header says, in the words of the image specification.
//!
//! Never the host's: a platform comes from a program's header or from `--platform`.
//! Source: image-spec `config.md` (GOARCH, GOOS, variants).

use std::fmt;
use std::str::FromStr;

/// An operating system and an architecture, such as `linux/arm/v7`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Platform {
    /// `GOOS`; always `linux` for what an ELF header tells.
    pub os: String,
    /// `GOARCH`: `amd64`, `arm64`, `arm`, …
    pub architecture: String,
    /// What the architecture leaves open, such as `v7`.
    pub variant: Option<String>,
}

/// A string that is no platform.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a platform")]
pub struct ParsePlatformError(String);

impl Platform {
    /// `linux` on `architecture`.
    pub fn linux(architecture: &str, variant: Option<&str>) -> Self {
        Self { os: "linux".into(), architecture: architecture.into(), variant: variant.map(Into::into) }
    }

    /// Whether both are of one system and architecture, whatever the variant: a header can't tell each of them.
    pub fn is_kin_of(&self, other: &Self) -> bool {
        (&self.os, &self.architecture) == (&other.os, &other.architecture)
    }
}

impl ParsePlatformError {
    /// What to write instead.
    pub fn hint(&self) -> String {
        "write it as `OS/ARCHITECTURE[/VARIANT]`, such as `linux/amd64` or `linux/arm/v7`".into()
    }
}

impl FromStr for Platform {
    type Err = ParsePlatformError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('/').collect();
        let legal = |part: &&str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.')
        };
        match parts.as_slice() {
            [os, architecture, variant @ ..] if variant.len() < 2 && parts.iter().all(legal) => Ok(Self {
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
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.iter().try_for_each(|variant| write!(f, "/{variant}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_print_as_they_parse() {
        for text in ["linux/amd64", "linux/arm/v7"] {
            assert_eq!(text.parse::<Platform>().unwrap().to_string(), text);
        }
        for text in ["", "linux", "linux/", "linux/arm/v7/x", "Linux/AMD64"] {
            assert!(text.parse::<Platform>().is_err(), "{text}");
        }
    }
}
