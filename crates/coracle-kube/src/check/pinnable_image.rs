//! Images whose digest is known, and which of them a name in a manifest means.

use super::finding::printable_text;
use super::image_name::{IMAGE_SCHEME, ImageName};

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
    let tag = match ImageName::split(text).tag {
        Some(_) => None,
        None => ImageName::split(&image.reference).tag,
    };
    let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
    Ok(Some((index, format!("{name}{tag}@{}", image.digest))))
}

impl PinnableImage {
    /// Returns whether `coracle://WANTED` means this image.
    fn matches_scheme_name(&self, wanted: &str) -> bool {
        [&self.name, &self.reference].iter().any(|name| ImageName::split(name).matches_scheme_name(wanted))
    }

    /// Returns whether `text` has the repository of this image, and its tag or none.
    fn matches_reference(&self, text: &str) -> bool {
        let text = ImageName::split(text);
        let has_repository = [&self.name, &self.reference]
            .iter()
            .any(|name| ImageName::split(name).repository == text.repository);
        has_repository && text.tag.is_none_or(|tag| ImageName::split(&self.reference).tag == Some(tag))
    }
}
