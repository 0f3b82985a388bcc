//! The names of an image at a destination.

use super::{Destination, Error};
use coracle_core::reference::Reference;

/// A name of an image: the tag, and the full name if there is one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Name {
    pub(super) tag: Option<String>,
    pub(super) full: Option<String>,
}

/// Returns the names of an image at `destination`. The destination's tag replaces the tags of
/// `names`. Without `names`, returns one name that has at most a tag.
pub(super) fn at(destination: &Destination, names: &[Reference]) -> Result<Vec<Name>, Error> {
    let mut found: Vec<Name> = Vec::new();
    for name in names {
        let name = match &destination.tag {
            Some(tag) => name.with_tag(tag)?,
            None => name.clone(),
        };
        let name = Name { tag: Some(name.tag().into()), full: Some(name.full_name()) };
        if !found.contains(&name) {
            found.push(name);
        }
    }
    if found.is_empty() {
        found.push(Name { tag: destination.tag.clone(), full: None });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(tag: Option<&str>, names: &[&str]) -> Vec<String> {
        let destination = Destination { tag: tag.map(Into::into), ..Destination::layout("x") };
        let names: Vec<Reference> = names.iter().map(|name| name.parse().unwrap()).collect();
        let show = |text: Option<String>| text.unwrap_or("-".into());
        let found = at(&destination, &names).unwrap();
        found.into_iter().map(|name| format!("{} {}", show(name.tag), show(name.full))).collect()
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
