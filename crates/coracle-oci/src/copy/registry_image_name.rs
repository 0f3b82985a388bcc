//! The name of an image at a registry: `NAME[:TAG][@DIGEST]`.

use std::fmt;

use crate::registry::{ManifestReference, Repository};
use coracle_core::digest::{Digest, ParseDigestError};
use coracle_core::reference::{ImageReference, ParseImageReferenceError};

/// The name of an image at a registry.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct RegistryImageName {
    /// The name, with its tag.
    pub reference: ImageReference,
    /// The digest. It takes precedence over the tag.
    pub digest: Option<Digest>,
    /// `true` if there is a digest but no tag. The tag of `reference` is not used then.
    pub is_untagged: bool,
}

/// The error for a text that is not the name of an image at a registry.
#[derive(Debug, thiserror::Error)]
pub enum ParseRegistryImageNameError {
    /// The part before `@` is not an image name.
    #[error(transparent)]
    Reference(#[from] ParseImageReferenceError),
    /// The part after `@` is not a digest.
    #[error(transparent)]
    Digest(#[from] ParseDigestError),
}

impl std::str::FromStr for RegistryImageName {
    type Err = ParseRegistryImageNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, digest) = text.split_once('@').map_or((text, None), |(name, digest)| (name, Some(digest)));
        let digest = digest.map(str::parse::<Digest>).transpose()?;
        let reference = name.parse::<ImageReference>()?;
        let is_untagged = digest.is_some() && reference.to_string() != name;
        Ok(Self { reference, digest, is_untagged })
    }
}

impl From<&ImageReference> for RegistryImageName {
    fn from(reference: &ImageReference) -> Self {
        Self { reference: reference.clone(), digest: None, is_untagged: false }
    }
}

impl RegistryImageName {
    /// The name with its tag. `None` if there is a digest but no tag.
    pub fn name(&self) -> Option<&ImageReference> {
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
    pub fn manifest_reference(&self) -> ManifestReference<'_> {
        self.digest.map_or(ManifestReference::Tag(self.reference.tag()), ManifestReference::Digest)
    }
}

impl fmt::Display for RegistryImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => name.fmt(f)?,
            None => f.write_str(self.reference.repository())?,
        }
        self.digest.map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}
