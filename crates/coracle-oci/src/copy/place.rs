//! Image locations: a layout or archive on disk, a registry, or a local engine.

use std::fmt;

use coracle_core::digest::Digest;
use crate::engine;
use coracle_core::reference::Reference;
use crate::registry::{Repository, Target};
use crate::layout::{self, Destination, ParseDestinationError};

/// The transport prefix of registries.
const DOCKER: &str = "docker://";

/// The location of an image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// A layout or archive: `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`, `docker-archive:FILE[:TAG]`.
    Local(Destination),
    /// A registry: `docker://NAME[:TAG][@DIGEST]`.
    Remote(Named),
    /// An engine: `docker-daemon:NAME[:TAG]`, `containers-storage:NAME[:TAG]` or
    /// `containerd:[NAMESPACE@]NAME[:TAG]`.
    Engine(engine::Named),
}

impl Place {
    /// Whether `text` starts with a transport prefix, such as `oci:`.
    pub fn has_transport(text: &str) -> bool {
        let transports = ["docker://", "oci:", "oci-archive:", "docker-archive:"];
        engine::is_place(text) || transports.iter().any(|transport| text.starts_with(transport))
    }
}

/// The name of an image at a registry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named {
    /// The name, with its tag.
    pub reference: Reference,
    /// The digest. It takes precedence over the tag.
    pub digest: Option<Digest>,
    /// Whether there is a digest but no tag. The tag of `reference` is not used then.
    pub is_untagged: bool,
}

/// A text is not the location of an image.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a valid image location: {why}")]
pub struct ParsePlaceError {
    text: String,
    why: String,
    hint: Option<String>,
}

/// A text is not a destination of a new image.
#[derive(Debug, thiserror::Error)]
pub enum ParseTargetError {
    /// It is not a layout or archive.
    #[error(transparent)]
    Local(#[from] ParseDestinationError),
    /// It is not an image name at a registry.
    #[error(transparent)]
    Remote(#[from] ParsePlaceError),
    /// It is not an image name in an engine.
    #[error(transparent)]
    Engine(ParsePlaceError),
    /// It includes a digest, but the digest of a new image is not known in advance.
    #[error("`{0}` includes a digest, but the digest of a new image is not known in advance")]
    Digest(Place),
}

impl ParsePlaceError {
    /// The next step for the user.
    pub fn hint(&self) -> String {
        let forms = "write `docker://NAME[:TAG]`, `oci:DIR[:TAG]` or `oci-archive:FILE[:TAG]`";
        self.hint.clone().unwrap_or_else(|| forms.into())
    }
}

impl ParseTargetError {
    /// The next step for the user.
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
            Self::Digest(_) => "write `docker://NAME:TAG`; the digest is printed after the build".into(),
        }
    }
}

impl Place {
    /// Parses the destination of a new image: `docker://NAME[:TAG]`, `oci:DIR[:TAG]`,
    /// `oci-archive:FILE[:TAG]`, `docker-archive:FILE[:TAG]`, or a name in an engine.
    ///
    /// # Errors
    /// Fails if `text` is none of these, or includes a digest.
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
    /// The name with its tag. `None` if there is a digest but no tag.
    pub fn name(&self) -> Option<&Reference> {
        (!self.is_untagged).then_some(&self.reference)
    }

    /// The full name, with the registry, and with the tag unless there is a digest only.
    pub(crate) fn full_name(&self) -> String {
        match self.name() {
            Some(name) => name.full_name(),
            None => Repository::from(&self.reference).to_string(),
        }
    }

    /// The digest, or else the tag, for requests to the registry.
    pub fn target(&self) -> Target<'_> {
        self.digest.map_or(Target::Tag(self.reference.tag()), Target::Digest)
    }
}

impl Place {
    /// The repository. `None` if the location is not a registry.
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
    fn display_round_trips() {
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
    fn rejects_invalid_locations() {
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
