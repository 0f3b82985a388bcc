//! The names of an image in layouts and archives.

use super::disk_location::DiskFormat;
use super::error::LayoutError;
use coracle_core::reference::ImageReference;

/// The names of a built image.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ImageNames<'a> {
    /// The names, with their tags.
    pub names: &'a [ImageReference],
    /// `true` if the user chose no name: the image is named after its program, or has no name.
    pub are_default: bool,
}

impl<'a> From<&'a [ImageReference]> for ImageNames<'a> {
    fn from(names: &'a [ImageReference]) -> Self {
        Self { names, are_default: false }
    }
}

/// A name of an image: the tag, and the full name if there is one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct ImageName {
    pub(super) tag: Option<String>,
    pub(super) full_name: Option<String>,
    /// `true` if the name is a default, not chosen by the user.
    pub(super) is_default: bool,
}

/// Returns the names of an image in an index. `tag` replaces the tags of `names`. Without `names`,
/// returns one name that has at most a tag.
pub(super) fn names_with_tag(
    ImageNames { names, are_default }: ImageNames<'_>,
    tag: Option<&str>,
) -> Result<Vec<ImageName>, LayoutError> {
    let is_default = are_default && tag.is_none();
    let mut found: Vec<ImageName> = Vec::new();
    for name in names {
        let name = match tag {
            Some(tag) => name.with_tag(tag)?,
            None => name.clone(),
        };
        let (tag, full_name) = (Some(name.tag().into()), Some(name.full_name()));
        let name = ImageName { tag, full_name, is_default };
        if !found.contains(&name) {
            found.push(name);
        }
    }
    if found.is_empty() {
        found.push(ImageName { tag: tag.map(str::to_owned), full_name: None, is_default });
    }
    Ok(found)
}

/// How an archive names its images: by their names only, or also by their digests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum DigestNaming {
    /// Images are named by their names only.
    Without,
    /// Images are also named as `NAME@DIGEST`.
    With,
}

impl From<DiskFormat> for DigestNaming {
    /// Only Docker archives name images by digest: OCI archives are also read by tools that accept
    /// a single entry only.
    fn from(format: DiskFormat) -> Self {
        match format {
            DiskFormat::DockerArchive => Self::With,
            DiskFormat::OciArchive | DiskFormat::Layout => Self::Without,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_of_digest(tag: Option<&str>, names: &[&str]) -> Vec<String> {
        let names: Vec<ImageReference> = names.iter().map(|name| name.parse().unwrap()).collect();
        let show = |text: Option<String>| text.unwrap_or("-".into());
        let found = names_with_tag(names.as_slice().into(), tag).unwrap();
        found.into_iter().map(|name| format!("{} {}", show(name.tag), show(name.full_name))).collect()
    }

    #[test]
    fn tag_replaces_tags_of_names() {
        assert_eq!(names_of_digest(None, &[]), ["- -"]);
        assert_eq!(names_of_digest(Some("v1"), &[]), ["v1 -"]);
        assert_eq!(
            names_of_digest(None, &["a", "ghcr.io/b:2"]),
            ["latest docker.io/library/a:latest", "2 ghcr.io/b:2"]
        );
        assert_eq!(names_of_digest(Some("v1"), &["a:1", "a:2"]), ["v1 docker.io/library/a:v1"]);
    }
}
