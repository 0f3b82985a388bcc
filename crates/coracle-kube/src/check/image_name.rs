//! Image names as manifests write them: any text, also such that
//! [`ImageReference`](coracle_core::reference::ImageReference) rejects. Finds the image with a known
//! digest that a name means.

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

/// Returns the index of the image that the value `text` of `key` names, and the reference by digest
/// to write; `None` if it names none. Fails if `coracle://NAME` matches no image, or several.
pub(super) fn find_image(
    text: &str,
    key: &str,
    known: &[PinnableImage],
) -> Result<Option<(usize, String)>, String> {
    if let Some(wanted) = text.strip_prefix(IMAGE_SCHEME) {
        let matching: Vec<(usize, &PinnableImage)> =
            known.iter().enumerate().filter(|(_, image)| image.matches_scheme_name(wanted)).collect();
        return match matching.as_slice() {
            [(index, image)] => Ok(Some((*index, format!("{}@{}", image.reference, image.digest)))),
            [] => Err(format!("no known image is named `{}`", printable_text(text))),
            _ => Err(format!("several known images match `{}`", printable_text(text))),
        };
    }
    if key != "image" && key != "reference" {
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
    let name = text.split('@').next().unwrap_or(text);
    let tag = match ImageNameParts::split(text).tag {
        Some(_) => None,
        None => ImageNameParts::split(&image.reference).tag,
    };
    let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
    Ok(Some((index, format!("{name}{tag}@{}", image.digest))))
}

impl PinnableImage {
    /// Returns whether `coracle://WANTED` means this image.
    fn matches_scheme_name(&self, wanted: &str) -> bool {
        [&self.name, &self.reference]
            .iter()
            .any(|name| ImageNameParts::split(name).matches_scheme_name(wanted))
    }

    /// Returns whether `text` has the repository of this image, and its tag or none.
    fn matches_reference(&self, text: &str) -> bool {
        let text = ImageNameParts::split(text);
        let has_repository = [&self.name, &self.reference]
            .iter()
            .any(|name| ImageNameParts::split(name).repository == text.repository);
        has_repository && text.tag.is_none_or(|tag| ImageNameParts::split(&self.reference).tag == Some(tag))
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
