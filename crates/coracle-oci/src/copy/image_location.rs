//! Image locations: a layout or archive on disk, a registry, or a local engine.

use std::fmt;
use std::path::Path;

use coracle_core::hint::Hint;

use super::registry_image_name::{ParseRegistryImageNameError, RegistryImageName};
use crate::engine;
use crate::layout::{DiskLocation, ParseDiskLocationError};
use crate::registry::Repository;

/// The transport prefix of registries.
const REGISTRY_TRANSPORT: &str = "docker://";

/// The location of an image.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub enum ImageLocation {
    /// A layout or archive: `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`, `docker-archive:FILE[:TAG]`.
    OnDisk(DiskLocation),
    /// A registry: `docker://NAME[:TAG][@DIGEST]`.
    Registry(RegistryImageName),
    /// An engine: `docker-daemon:NAME[:TAG]`, `containers-storage:NAME[:TAG]` or
    /// `containerd:[NAMESPACE@]NAME[:TAG]`.
    Engine(engine::EngineImageName),
}

impl ImageLocation {
    /// Returns whether `text` starts with a transport prefix, such as `oci:`.
    pub fn has_transport(text: &str) -> bool {
        let transports = ["docker://", "oci:", "oci-archive:", "docker-archive:"];
        engine::has_engine_transport(text) || transports.iter().any(|transport| text.starts_with(transport))
    }
}

/// The error for a text that is not the location of an image.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a valid image location: {why}")]
pub struct ParseLocationError {
    text: String,
    why: String,
    hint: Option<String>,
}

/// The error for a text that is not a destination of a new image.
#[derive(Debug, thiserror::Error)]
pub enum ParseNewImageLocationError {
    /// The text does not name a layout or archive.
    #[error(transparent)]
    Local(#[from] ParseDiskLocationError),
    /// The text does not name an image at a registry.
    #[error(transparent)]
    Remote(#[from] ParseLocationError),
    /// The text does not name an image in an engine.
    #[error(transparent)]
    Engine(ParseLocationError),
    /// The text includes a digest, but the digest of a new image is not known in advance.
    #[error("`{0}` includes a digest, but the digest of a new image is not known in advance")]
    Digest(ImageLocation),
}

impl Hint for ParseLocationError {
    fn hint(&self) -> Option<String> {
        let forms = "write `docker://NAME[:TAG]`, `oci:DIR[:TAG]` or `oci-archive:FILE[:TAG]`";
        Some(self.hint.clone().unwrap_or_else(|| forms.into()))
    }
}

impl Hint for ParseNewImageLocationError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Local(ParseDiskLocationError::UnknownTransport { .. }) => {
                "write `docker://NAME[:TAG]`, `oci:DIR[:TAG]`, \
                 `oci-archive:FILE[:TAG]` or `docker-archive:FILE[:TAG]`"
                    .into()
            }
            Self::Local(error) => return error.hint(),
            Self::Engine(error) => return error.hint(),
            Self::Remote(_) => {
                "write `docker://NAME[:TAG]` in lower case, such as `docker://ghcr.io/acme/shop:1.2`".into()
            }
            Self::Digest(_) => "write `docker://NAME:TAG`; the digest is printed after the build".into(),
        })
    }
}

impl ImageLocation {
    /// Parses the destination of a new image: `docker://NAME[:TAG]`, `oci:DIR[:TAG]`,
    /// `oci-archive:FILE[:TAG]`, `docker-archive:FILE[:TAG]`, or a name in an engine.
    ///
    /// # Errors
    /// Fails if `text` is none of these, or includes a digest.
    pub fn parse_new_image(text: &str) -> Result<Self, ParseNewImageLocationError> {
        if engine::has_engine_transport(text) {
            return text.parse().map_err(ParseNewImageLocationError::Engine);
        }
        if !text.starts_with(REGISTRY_TRANSPORT) {
            return Ok(Self::OnDisk(text.parse()?));
        }
        match text.parse()? {
            Self::Registry(named) if named.digest.is_some() => {
                Err(ParseNewImageLocationError::Digest(Self::Registry(named)))
            }
            location => Ok(location),
        }
    }
}

impl std::str::FromStr for ImageLocation {
    type Err = ParseLocationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if engine::has_engine_transport(text) {
            return text.parse().map(Self::Engine).map_err(|error: engine::ParseEngineImageNameError| {
                ParseLocationError { text: text.into(), why: error.to_string(), hint: error.hint() }
            });
        }
        let Some(name) = text.strip_prefix(REGISTRY_TRANSPORT) else {
            return parse_disk_source(text).map(Self::OnDisk);
        };
        name.parse().map(Self::Registry).map_err(|error: ParseRegistryImageNameError| ParseLocationError {
            text: text.into(),
            why: error.to_string(),
            hint: None,
        })
    }
}

/// Parses the location of an image on disk that is read: `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]` or
/// `docker-archive:FILE[:TAG]`.
fn parse_disk_source(text: &str) -> Result<DiskLocation, ParseLocationError> {
    let refused = |why: String, hint: Option<String>| ParseLocationError { text: text.to_owned(), why, hint };
    let forms = "write `docker://NAME[:TAG]`, `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]` or `docker-archive:FILE[:TAG]`";
    text.parse().map_err(|error| match error {
        ParseDiskLocationError::NoTransport(path) => {
            let hint = match Path::new(&path) {
                directory if directory.is_dir() => format!("write `oci:{path}` for an image layout"),
                file if file.is_file() => format!("write `oci-archive:{path}` for an archive"),
                _ => forms.into(),
            };
            refused("it has no transport such as `oci:`".into(), Some(hint))
        }
        ParseDiskLocationError::UnknownTransport { .. } => {
            refused("images cannot be read with this transport".into(), Some(forms.into()))
        }
        error => refused(error.to_string(), error.hint()),
    })
}

impl ImageLocation {
    /// The repository. `None` if the location is not a registry.
    pub(super) fn repository(&self) -> Option<Repository> {
        match self {
            Self::Registry(named) => Some(Repository::from(&named.reference)),
            Self::OnDisk(_) | Self::Engine(_) => None,
        }
    }
}

impl fmt::Display for ImageLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnDisk(destination) => destination.fmt(f),
            Self::Registry(named) => write!(f, "{REGISTRY_TRANSPORT}{named}"),
            Self::Engine(named) => named.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_core::digest::Digest;

    #[test]
    fn display_round_trips() {
        let digest = Digest::compute(b"");
        for text in [
            "docker://ghcr.io/acme/shop:1.2".to_owned(),
            format!("docker://localhost:5000/shop:1@{digest}"),
            "oci:shop.oci:1.2".to_owned(),
            "oci-archive:shop.tar".to_owned(),
            "containerd:k8s.io@shop:1".to_owned(),
        ] {
            assert_eq!(text.parse::<ImageLocation>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn rejects_invalid_locations() {
        for (text, why) in [
            ("docker://", "is not an image name"),
            ("docker://shop@sha256:12", "is not a digest"),
            ("docker://Shop", "is not an image name"),
            ("shop:1", "images cannot be read with this transport"),
            ("ostree:shop", "images cannot be read with this transport"),
        ] {
            let error = text.parse::<ImageLocation>().unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
            assert!(error.hint().unwrap().contains("oci:DIR"), "{:?}", error.hint());
        }
    }
}
