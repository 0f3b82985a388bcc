//! Reads the images that commands are given.

use std::cell::OnceCell;

use coracle_core::platform::Platform;
use coracle_kube::manifests::PinnedImage;
use coracle_oci::copy::{self, ImageLocation, ParseLocationError, RegistryImageName};
use coracle_oci::layout::{self, ParsedImage};
use coracle_oci::registry::{Access, RegistryClient};

use super::args::RegistryArgs;
use super::environment::{engine_settings, new_registry_client};
use super::error::{CliError, CliExit};
use super::interrupt::SignalCancellation;

/// The start of locations in registries.
pub(super) const REGISTRY_SCHEME: &str = "docker://";

/// Returns whether `text` is an image location with a transport, such as `oci:DIR`, not a name.
pub(super) fn has_transport(text: &str) -> bool {
    ImageLocation::has_transport(text)
}

/// Opens and parses the images that a command names, with one registry client for all of them.
pub(super) struct ImageOpener<'a> {
    args: &'a RegistryArgs,
    client: OnceCell<RegistryClient>,
}

impl<'a> ImageOpener<'a> {
    /// Creates the opener; no request is sent yet.
    pub(super) fn new(args: &'a RegistryArgs) -> Self {
        Self { args, client: OnceCell::new() }
    }

    /// Opens the image at the location `text`. An engine saves its image to a temporary file first.
    pub(super) fn open(&self, text: &str) -> Result<ParsedImage, CliError> {
        match parse_location(text)? {
            ImageLocation::OnDisk(location) => {
                Ok(layout::read_disk_image(&location).map_err(coracle::Error::from)?)
            }
            location @ ImageLocation::Registry(_) => Ok(copy::read_image(&location, self.client()?)?),
            location @ ImageLocation::Engine(_) => {
                let engines = engine_settings();
                let source = copy::open_any_source(&location, self.client()?, &engines, &SignalCancellation)?;
                Ok(source.parse().map_err(coracle::Error::from)?)
            }
        }
    }

    /// Reads the artifact of type `media_type` that refers to `subject` and was published to `location`,
    /// if any.
    pub(super) fn read_artifact(
        &self,
        location: &ImageLocation,
        media_type: &str,
        subject: &ParsedImage,
    ) -> Result<Option<Vec<u8>>, CliError> {
        let digests = subject.subject_digests();
        let artifact = match location {
            ImageLocation::OnDisk(location) => layout::read_artifact(location, media_type, &digests),
            ImageLocation::Registry(image) => {
                let client = self.client()?.repository_client(&(&image.reference).into(), &Access::Pull);
                layout::read_remote_artifact(client, media_type, &digests)
            }
            ImageLocation::Engine(_) => {
                return Err(CliError::failed_with_hint(
                    format!("`{location}` is an engine, and engines store only images, not contracts"),
                    "name the layout or repository that it was published to: `oci:DIR` or `docker://NAME`",
                ));
            }
        };
        Ok(artifact.map_err(coracle::Error::from)?)
    }

    /// Returns whether the registry that `image` names has it.
    pub(super) fn is_in_registry(&self, image: &PinnedImage) -> Result<bool, CliError> {
        let location = parse_location(&format!("{REGISTRY_SCHEME}{image}"))?;
        match registry_image(&location) {
            Some(name) => Ok(copy::has_manifest(name, image.digest, self.client()?)?),
            None => Ok(false),
        }
    }

    fn client(&self) -> Result<&RegistryClient, CliError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = new_registry_client(self.args, &[])?;
        Ok(self.client.get_or_init(|| client))
    }
}

/// Parses an image location.
pub(super) fn parse_location(text: &str) -> Result<ImageLocation, CliError> {
    text.parse().map_err(|error: ParseLocationError| {
        CliError::with_message(CliExit::Usage, error.to_string(), &error)
    })
}

/// Parses the value of `--platform`.
pub(super) fn parse_platform(text: Option<&str>) -> Result<Option<Platform>, CliError> {
    let parsed = text.map(str::parse::<Platform>).transpose();
    parsed.map_err(|error| CliError::with_message(CliExit::Usage, format!("`--platform`: {error}"), &error))
}

/// Returns the image's name if it is in a registry.
pub(super) fn registry_image(location: &ImageLocation) -> Option<&RegistryImageName> {
    match location {
        ImageLocation::Registry(image) => Some(image),
        ImageLocation::OnDisk(_) | ImageLocation::Engine(_) => None,
    }
}
