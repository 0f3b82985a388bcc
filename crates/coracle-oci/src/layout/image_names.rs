//! The names of an image at a destination.

use super::{DiskLocation, LayoutError};
use coracle_core::reference::ImageReference;

/// A name of an image: the tag, and the full name if there is one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ImageName {
    pub(super) tag: Option<String>,
    pub(super) full_name: Option<String>,
}

/// Returns the names of an image at `destination`. The destination's tag replaces the tags of
/// `names`. Without `names`, returns one name that has at most a tag.
pub(super) fn names_at_location(
    destination: &DiskLocation,
    names: &[ImageReference],
) -> Result<Vec<ImageName>, LayoutError> {
    let mut found: Vec<ImageName> = Vec::new();
    for name in names {
        let name = match &destination.tag {
            Some(tag) => name.with_tag(tag)?,
            None => name.clone(),
        };
        let name = ImageName { tag: Some(name.tag().into()), full_name: Some(name.full_name()) };
        if !found.contains(&name) {
            found.push(name);
        }
    }
    if found.is_empty() {
        found.push(ImageName { tag: destination.tag.clone(), full_name: None });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(tag: Option<&str>, names: &[&str]) -> Vec<String> {
        let destination = DiskLocation { tag: tag.map(Into::into), ..DiskLocation::layout("x") };
        let names: Vec<ImageReference> = names.iter().map(|name| name.parse().unwrap()).collect();
        let show = |text: Option<String>| text.unwrap_or("-".into());
        let found = names_at_location(&destination, &names).unwrap();
        found.into_iter().map(|name| format!("{} {}", show(name.tag), show(name.full_name))).collect()
    }

    #[test]
    fn destination_tag_replaces_tags_of_names() {
        assert_eq!(found(None, &[]), ["- -"]);
        assert_eq!(found(Some("v1"), &[]), ["v1 -"]);
        assert_eq!(
            found(None, &["a", "ghcr.io/b:2"]),
            ["latest docker.io/library/a:latest", "2 ghcr.io/b:2"]
        );
        assert_eq!(found(Some("v1"), &["a:1", "a:2"]), ["v1 docker.io/library/a:v1"]);
    }
}
