//! Where an image can be: a layout or an archive on disk, a repository at a registry, or a local engine.

use std::fmt;

use coracle_core::digest::Digest;
use crate::engine;
use coracle_core::reference::Reference;
use crate::registry::{Repository, Target};
use crate::layout::{self, Destination, ParseDestinationError};

/// What stands before a name at a registry.
const DOCKER: &str = "docker://";

/// A place of an image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`, `docker-archive:FILE[:TAG]`
    Local(Destination),
    /// `docker://NAME[:TAG][@DIGEST]`
    Remote(Named),
    /// `docker-daemon:NAME[:TAG]`, `containers-storage:NAME[:TAG]`, `containerd:[NAMESPACE@]NAME[:TAG]`
    Engine(engine::Named),
}

impl Place {
    /// Whether `text` begins with one of the words that say what kind of place it is.
    pub fn has_transport(text: &str) -> bool {
        let others = ["docker://", "oci:", "oci-archive:", "docker-archive:"];
        engine::is_place(text) || others.iter().any(|transport| text.starts_with(transport))
    }
}

/// An image at a registry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named {
    /// The name, with its tag.
    pub reference: Reference,
    /// The one image that is meant, whatever the tag stands for.
    pub digest: Option<Digest>,
    /// A digest was written and no tag: then no tag is meant, not even `latest`.
    pub is_untagged: bool,
}

/// A text that names no place.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` names no place of an image: {why}")]
pub struct ParsePlaceError {
    text: String,
    why: String,
    hint: Option<String>,
}

/// A text that names no place where a new image can go.
#[derive(Debug, thiserror::Error)]
pub enum ParseTargetError {
    /// Nothing on disk.
    #[error(transparent)]
    Local(#[from] ParseDestinationError),
    /// Nothing at a registry.
    #[error(transparent)]
    Remote(#[from] ParsePlaceError),
    /// Nothing at an engine.
    #[error(transparent)]
    Engine(ParsePlaceError),
    /// One image alone, and which one this will be is not known yet.
    #[error("`{0}` names an image by its digest, and which digest this one has is known when it is built")]
    Digest(Place),
}

impl ParsePlaceError {
    /// What to write instead.
    pub fn hint(&self) -> String {
        let forms = "write `docker://NAME[:TAG]`, `oci:DIR[:TAG]` or `oci-archive:FILE[:TAG]`";
        self.hint.clone().unwrap_or_else(|| forms.into())
    }
}

impl ParseTargetError {
    /// What to write instead.
    pub fn hint(&self) -> String {
        match self {
            Self::Local(ParseDestinationError::Transport { .. }) => {
                "write `docker://NAME[:TAG]`, `oci:DIR[:TAG]`, \
                 `oci-archive:FILE[:TAG]` or `docker-archive:FILE[:TAG]`"
                    .into()
            }
            Self::Local(error) => error.hint(),
            Self::Engine(error) => error.hint(),
            Self::Remote(_) => {
                "write `docker://NAME[:TAG]` in lower case, such as `docker://ghcr.io/acme/shop:1.2`".into()
            }
            Self::Digest(_) => {
                "write `docker://NAME:TAG`; the digest is printed when the image is there".into()
            }
        }
    }
}

impl Place {
    /// Reads where a new image goes: `docker://NAME[:TAG]`, `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`,
    /// `docker-archive:FILE[:TAG]`, or a name at an engine.
    ///
    /// # Errors
    /// When `text` is none of these.
    pub fn target(text: &str) -> Result<Self, ParseTargetError> {
        if engine::is_place(text) {
            return text.parse().map_err(ParseTargetError::Engine);
        }
        if !text.starts_with(DOCKER) {
            return Ok(Self::Local(text.parse()?));
        }
        match text.parse()? {
            Self::Remote(named) if named.digest.is_some() => {
                Err(ParseTargetError::Digest(Self::Remote(named)))
            }
            place => Ok(place),
        }
    }
}

impl std::str::FromStr for Place {
    type Err = ParsePlaceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if engine::is_place(text) {
            return text.parse().map(Self::Engine).map_err(|error: engine::ParseNamedError| {
                ParsePlaceError { text: text.into(), why: error.to_string(), hint: Some(error.hint().into()) }
            });
        }
        let Some(name) = text.strip_prefix(DOCKER) else {
            return layout::read::place(text).map(Self::Local).map_err(|error| ParsePlaceError {
                text: text.into(),
                why: match &error {
                    layout::Error::Unreadable { why, .. } => why.clone(),
                    error => error.to_string(),
                },
                hint: error.hint(),
            });
        };
        name.parse().map(Self::Remote).map_err(|why| ParsePlaceError { text: text.into(), why, hint: None })
    }
}

impl std::str::FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, digest) = text.split_once('@').map_or((text, None), |(name, digest)| (name, Some(digest)));
        let digest = digest.map(str::parse::<Digest>).transpose().map_err(|error| error.to_string())?;
        let reference = name.parse::<Reference>().map_err(|error| error.to_string())?;
        let is_untagged = digest.is_some() && reference.to_string() != name;
        Ok(Self { reference, digest, is_untagged })
    }
}

impl From<&Reference> for Named {
    fn from(reference: &Reference) -> Self {
        Self { reference: reference.clone(), digest: None, is_untagged: false }
    }
}

impl Named {
    /// The name that the image has there; none where a digest alone was written.
    pub fn name(&self) -> Option<&Reference> {
        (!self.is_untagged).then_some(&self.reference)
    }

    /// Its full name, with its tag where it has one.
    pub(crate) fn full_name(&self) -> String {
        match self.name() {
            Some(name) => name.full_name(),
            None => Repository::from(&self.reference).to_string(),
        }
    }

    /// By what a registry finds it.
    pub fn target(&self) -> Target<'_> {
        self.digest.map_or(Target::Tag(self.reference.tag()), Target::Digest)
    }
}

impl Place {
    /// The repository, where it is one.
    pub(super) fn repository(&self) -> Option<Repository> {
        match self {
            Self::Remote(named) => Some(Repository::from(&named.reference)),
            Self::Local(_) | Self::Engine(_) => None,
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => name.fmt(f)?,
            None => f.write_str(self.reference.name())?,
        }
        self.digest.map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(destination) => destination.fmt(f),
            Self::Remote(named) => write!(f, "{DOCKER}{named}"),
            Self::Engine(named) => named.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_print_as_they_parse() {
        let digest = Digest::of(b"");
        for text in [
            "docker://ghcr.io/acme/shop:1.2".to_owned(),
            format!("docker://localhost:5000/shop:1@{digest}"),
            "oci:shop.oci:1.2".to_owned(),
            "oci-archive:shop.tar".to_owned(),
            "containerd:k8s.io@shop:1".to_owned(),
        ] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_names_no_place() {
        for (text, why) in [
            ("docker://", "is not an image name"),
            ("docker://shop@sha256:12", "is not a digest"),
            ("docker://Shop", "is not an image name"),
            ("shop:1", "can't be read from there"),
            ("ostree:shop", "can't be read from there"),
        ] {
            let error = text.parse::<Place>().unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
            assert!(error.hint().contains("oci:DIR"), "{}", error.hint());
        }
    }
}
