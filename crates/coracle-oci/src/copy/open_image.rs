//! Opens and reads images at any location, and looks up manifests at registries.

use super::error::CopyError;
use super::image_location::ImageLocation;
use super::registry_image_name::RegistryImageName;
use crate::engine::{self, EngineSettings};
use crate::layout::{DiskFormat, DiskLocation, ImageSource, ParsedImage, Staging};
use crate::registry::{Access, ManifestReference, RegistryClient};
use coracle_core::digest::Digest;
use coracle_core::progress::Progress;

/// Opens the image at `location`, wherever it is. Engines stream archives, but reading an archive
/// needs a file that can be seeked: the image of an engine is saved to a temporary directory, which
/// is removed with the source.
///
/// # Errors
/// Fails if there is no image or it can't be read, or an engine fails.
pub fn open_any_source(
    location: &ImageLocation,
    client: &RegistryClient,
    engines: &EngineSettings,
    progress: &dyn Progress,
) -> Result<ImageSource, CopyError> {
    let ImageLocation::Engine(named) = location else { return open_source(location, client) };
    let staging = Staging::new_in(&engines.temp_dir)?;
    let path = staging.temporary_path();
    engine::save_image(named, &path, engines, progress)?;
    let archive = DiskLocation { format: DiskFormat::OciArchive, path, tag: None };
    let source = ImageSource::open_on_disk(&archive)?;
    Ok(source.saved_from_engine(location.to_string(), named.name.full_name(), staging))
}

/// Opens the image at `location`: reads its manifest or index. The rest is read on demand.
///
/// # Errors
/// Fails if there is no image, it can't be read, or it is in an engine.
pub fn open_source(location: &ImageLocation, client: &RegistryClient) -> Result<ImageSource, CopyError> {
    match location {
        ImageLocation::OnDisk(location) => Ok(ImageSource::open_on_disk(location)?),
        ImageLocation::Registry(name) => {
            let remote = client.repository_client(&(&name.reference).into(), &Access::Pull);
            let full_name = name.full_name();
            let found = ImageSource::open_at_registry(
                remote,
                name.manifest_reference(),
                location.to_string(),
                full_name,
            );
            found
                .map_err(CopyError::UnreadableRemote)?
                .ok_or_else(|| CopyError::NoSuchImage(location.clone()))
        }
        ImageLocation::Engine(_) => Err(CopyError::UnreadableEngine(location.clone())),
    }
}

/// Reads the image at `location`: all manifests and configs, without layers.
///
/// # Errors
/// Fails if there is no image, or a document is missing, invalid or does not match its digest.
pub fn read_image(location: &ImageLocation, client: &RegistryClient) -> Result<ParsedImage, CopyError> {
    open_source(location, client)?.parse().map_err(|error| CopyError::from_read_error(location, error))
}

/// Resolves an image name to the digest of its manifest or index, usually with one HEAD request.
///
/// # Errors
/// Fails if there is no such image or the request fails.
pub fn resolve_digest(name: &RegistryImageName, client: &RegistryClient) -> Result<Digest, CopyError> {
    let remote = client.repository_client(&(&name.reference).into(), &Access::Pull);
    let head = remote.head_manifest(name.manifest_reference())?;
    head.map(|head| head.digest).ok_or_else(|| CopyError::NoSuchImage(ImageLocation::Registry(name.clone())))
}

/// Returns whether the repository of `name` has the manifest `digest`, so that it need not be pushed again;
/// one request.
///
/// # Errors
/// Fails if the request fails.
pub fn has_manifest(
    name: &RegistryImageName,
    digest: Digest,
    client: &RegistryClient,
) -> Result<bool, CopyError> {
    let remote = client.repository_client(&(&name.reference).into(), &Access::Pull);
    Ok(remote.head_existing_manifest(ManifestReference::Digest(digest))?.is_some())
}
