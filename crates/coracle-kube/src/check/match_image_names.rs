//! Image names in manifests. They can be any text, even text that
//! [`ImageReference`](coracle_core::reference::ImageReference) rejects. Finds the image with a known digest that a name
//! refers to.

use super::finding::printable_text;
use coracle_core::reference::familiar_name;

/// The scheme of image names in manifests that are not resolved yet.
pub const IMAGE_SCHEME: &str = "coracle://";

/// An image name, split into its parts: `REPOSITORY[:TAG][@DIGEST]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ImageNameParts<'a> {
    /// The repository without Docker's defaults: `shop` for `docker.io/library/shop`.
    pub(super) repository: &'a str,
    pub(super) tag: Option<&'a str>,
    pub(super) digest: Option<&'a str>,
}

impl<'a> ImageNameParts<'a> {
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
        let wanted = ImageNameParts::split(wanted).repository;
        self.repository == wanted || self.repository.rsplit('/').next() == Some(wanted)
    }
}

/// Returns whether `image` is in the repository of the full name `name`, with any tag. After
/// `coracle://`, the last component of the name suffices.
pub(super) fn is_in_repository(image: &str, name: &str) -> bool {
    let name = ImageNameParts::split(name);
    match image.strip_prefix(IMAGE_SCHEME) {
        Some(wanted) => name.matches_scheme_name(wanted),
        None => ImageNameParts::split(image).repository == name.repository,
    }
}

/// An image that references can be replaced by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PinnableImage {
    /// The name that manifests use.
    pub name: String,
    /// The name with tag that is written: `ghcr.io/acme/shop:1.2`.
    pub reference: String,
    /// The digest: `sha256:…`.
    pub digest: String,
}

/// Where a string is in a manifest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum StringContext {
    /// The value of `image` or `reference`.
    ImageField,
    /// Anything else, including the content of ConfigMaps and Secrets.
    Other,
}

/// Returns the index of the image that `text` names, and the reference by digest to write; `None` if
/// it names none. Fails if `coracle://NAME` matches no image, or several.
pub(super) fn find_image(
    text: &str,
    context: StringContext,
    known: &[PinnableImage],
) -> Result<Option<(usize, String)>, String> {
    if let Some(wanted) = text.strip_prefix(IMAGE_SCHEME) {
        return find_scheme_image(text, wanted, known).map(Some);
    }
    if context == StringContext::Other {
        return Ok(None);
    }
    let has_name = |image: &PinnableImage| image.name == text;
    let index = known
        .iter()
        .position(has_name)
        .or_else(|| known.iter().position(|image| image.matches_reference(text)));
    let Some((index, image)) = index.and_then(|index| Some((index, known.get(index)?))) else {
        return Ok(None);
    };
    Ok(Some((index, image.pinned_like(text))))
}

/// Returns the image that `coracle://WANTED` means, and its reference by digest.
fn find_scheme_image(text: &str, wanted: &str, known: &[PinnableImage]) -> Result<(usize, String), String> {
    let shown = printable_text(text);
    let named: Vec<(usize, &PinnableImage)> =
        known.iter().enumerate().filter(|(_, image)| image.matches_scheme_name(wanted)).collect();
    let same_version: Vec<_> = named.iter().filter(|(_, image)| image.has_version_of(wanted)).collect();
    // A name of `--image` decides between images of one repository.
    let by_name: Vec<_> = same_version
        .iter()
        .filter(|(_, image)| ImageNameParts::split(&image.name).matches_scheme_name(wanted))
        .collect();
    if let ([(index, image)], _) | (_, [(index, image)]) = (same_version.as_slice(), by_name.as_slice()) {
        return Ok((*index, image.pinned()));
    }
    match (same_version.as_slice(), named.as_slice()) {
        ([], []) => Err(format!("no known image is named `{shown}`")),
        ([], [(_, other), ..]) => {
            Err(format!("`{shown}` is another version than the known image `{}`", other.pinned()))
        }
        (_, _) => Err(format!("several known images match `{shown}`")),
    }
}

impl PinnableImage {
    /// Returns the reference by digest.
    fn pinned(&self) -> String {
        format!("{}@{}", self.reference, self.digest)
    }

    /// Returns the reference by digest, with the repository as `text` spells it if it is the same.
    fn pinned_like(&self, text: &str) -> String {
        let reference = ImageNameParts::split(&self.reference);
        if ImageNameParts::split(text).repository != reference.repository {
            return self.pinned();
        }
        let name = text.split('@').next().unwrap_or(text);
        let tag = match ImageNameParts::split(text).tag {
            Some(_) => None,
            None => reference.tag,
        };
        let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
        format!("{name}{tag}@{}", self.digest)
    }

    /// Returns whether `coracle://WANTED` has the repository of this image.
    fn matches_scheme_name(&self, wanted: &str) -> bool {
        [&self.name, &self.reference]
            .iter()
            .any(|name| ImageNameParts::split(name).matches_scheme_name(wanted))
    }

    /// Returns whether the tag and the digest of `wanted`, if any, are those of this image.
    fn has_version_of(&self, wanted: &str) -> bool {
        let wanted = ImageNameParts::split(wanted);
        wanted.tag.is_none_or(|tag| self.has_tag(tag))
            && wanted.digest.is_none_or(|digest| digest == self.digest)
    }

    fn has_tag(&self, tag: &str) -> bool {
        [&self.name, &self.reference].iter().any(|name| ImageNameParts::split(name).tag == Some(tag))
    }

    /// Returns whether `text` has the repository of this image, and its tag or none.
    fn matches_reference(&self, text: &str) -> bool {
        self.is_in_repository_of(text) && ImageNameParts::split(text).tag.is_none_or(|tag| self.has_tag(tag))
    }

    /// Returns whether `text` has the repository of this image, with any tag.
    pub fn is_in_repository_of(&self, text: &str) -> bool {
        let text = ImageNameParts::split(text);
        [&self.name, &self.reference]
            .iter()
            .any(|name| ImageNameParts::split(name).repository == text.repository)
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
            assert_eq!(ImageNameParts::split(text), ImageNameParts { repository, tag, digest }, "{text}");
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
