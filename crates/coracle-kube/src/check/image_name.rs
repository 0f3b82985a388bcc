//! Image names as manifests write them: any text, also such that
//! [`ImageReference`](coracle_core::reference::ImageReference) rejects.

use coracle_core::reference::familiar_name;

/// The scheme of image names in manifests that are not resolved yet.
pub const IMAGE_SCHEME: &str = "coracle://";

/// An image name, split into its parts: `REPOSITORY[:TAG][@DIGEST]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ImageName<'a> {
    /// The repository without Docker's defaults: `shop` for `docker.io/library/shop`.
    pub(super) repository: &'a str,
    pub(super) tag: Option<&'a str>,
    pub(super) digest: Option<&'a str>,
}

impl<'a> ImageName<'a> {
    pub(super) fn split(text: &'a str) -> Self {
        let (name, digest) = text.split_once('@').map_or((text, None), |(name, digest)| (name, Some(digest)));
        // A colon before the last slash belongs to the port of a registry.
        let last_component = name.rfind('/').map_or(0, |slash| slash + 1);
        let colon = name.get(last_component..).and_then(|component| component.find(':'));
        let (repository, tag) = match colon.map(|colon| name.split_at(last_component + colon)) {
            Some((repository, tag)) => (repository, tag.strip_prefix(':')),
            None => (name, None),
        };
        Self { repository: familiar_name(repository), tag, digest }
    }

    /// Returns whether `coracle://WANTED` means this image: `wanted` is its repository, or the last
    /// component of it.
    pub(super) fn matches_scheme_name(&self, wanted: &str) -> bool {
        let wanted = ImageName::split(wanted).repository;
        self.repository == wanted || self.repository.rsplit('/').next() == Some(wanted)
    }
}

/// Returns whether `image` is in the repository of the full name `name`, with any tag. After
/// `coracle://`, the last component of the name suffices.
pub(super) fn is_in_repository(image: &str, name: &str) -> bool {
    let name = ImageName::split(name);
    match image.strip_prefix(IMAGE_SCHEME) {
        Some(wanted) => name.matches_scheme_name(wanted),
        None => ImageName::split(image).repository == name.repository,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_tag_and_digest() {
        for (text, repository, tag, digest) in [
            ("shop", "shop", None, None),
            ("localhost:5000/shop", "localhost:5000/shop", None, None),
            ("docker.io/library/shop:1@sha256:ab", "shop", Some("1"), Some("sha256:ab")),
            ("", "", None, None),
        ] {
            assert_eq!(ImageName::split(text), ImageName { repository, tag, digest }, "{text}");
        }
    }

    #[test]
    fn matches_repositories_with_any_tag() {
        for (image, name, expected) in [
            ("shop", "docker.io/library/shop:latest", true),
            ("docker.io/library/shop:1@sha256:ab", "docker.io/library/shop:latest", true),
            ("coracle://shop", "ghcr.io/acme/shop:1", true),
            ("coracle://ghcr.io/acme/shop", "ghcr.io/acme/shop:1", true),
            ("localhost:5000/shop", "localhost:5000/shop:2", true),
            ("ghcr.io/acme/shop2", "ghcr.io/acme/shop:1", false),
            ("shop", "ghcr.io/acme/shop:1", false),
        ] {
            assert_eq!(is_in_repository(image, name), expected, "{image}");
        }
    }
}
