//! Image references by digest, as pods use them.

use std::fmt;
use std::str::FromStr;

use coracle_core::digest::Digest;
use coracle_core::hint::Hint;
use coracle_core::reference::ImageReference;

/// An image reference by digest: `NAME[:TAG]@sha256:…`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PinnedImage {
    /// The repository: `ghcr.io/acme/shop`.
    pub name: String,
    /// The tag, for information only: the digest identifies the image.
    pub tag: Option<String>,
    /// The digest of the manifest or index.
    pub digest: Digest,
}

/// An invalid image reference by digest.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is not an image reference by digest: {why}", coracle_core::path::escape_bytes(.text.as_bytes()))]
pub struct ParsePinnedImageError {
    text: String,
    why: String,
}

impl Hint for ParsePinnedImageError {
    fn hint(&self) -> Option<String> {
        Some("write `NAME[:TAG]@sha256:…`, as printed by `coracle build`".into())
    }
}

impl PinnedImage {
    /// Returns the reference of a built image.
    pub fn new(reference: &ImageReference, digest: Digest) -> Self {
        Self { name: reference.repository().to_owned(), tag: Some(reference.tag().to_owned()), digest }
    }

    /// Returns the last part of the name: `shop` for `ghcr.io/acme/shop`.
    pub fn last_name_part(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }
}

impl FromStr for PinnedImage {
    type Err = ParsePinnedImageError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |why: String| ParsePinnedImageError { text: text.to_owned(), why };
        let (name, digest) = text.split_once('@').ok_or_else(|| error("it has no digest".into()))?;
        let reference: ImageReference =
            name.parse().map_err(|invalid: coracle_core::reference::ParseImageReferenceError| {
                error(invalid.to_string())
            })?;
        let digest = digest
            .parse()
            .map_err(|invalid: coracle_core::digest::ParseDigestError| error(invalid.to_string()))?;
        let tag = (reference.repository() != name).then(|| reference.tag().to_owned());
        Ok(Self { name: reference.repository().to_owned(), tag, digest })
    }
}

impl fmt::Display for PinnedImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.tag.iter().try_for_each(|tag| write!(f, ":{tag}"))?;
        write!(f, "@{}", self.digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requires_a_digest() {
        let digest = format!("sha256:{}", "0".repeat(64));
        for name in ["shop", "shop:1", "localhost:5000/a/shop", "ghcr.io/acme/shop:1.2"] {
            let text = format!("{name}@{digest}");
            let image: PinnedImage = text.parse().unwrap();
            assert_eq!((image.to_string(), image.last_name_part()), (text, "shop"));
        }
        let twice = format!("shop@{digest}@{digest}");
        for text in ["", "shop", "shop:1", "shop@sha256:0", "Shop@sha256:0", twice.as_str()] {
            assert!(text.parse::<PinnedImage>().is_err(), "{text}");
        }
    }
}
