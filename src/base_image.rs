//! Opens the base image of a recipe, and copies its layers to the staging directory.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::build_request::BuildRequest;
use super::error::Error;
use super::observer::UploadProgress;
use super::recipe::Recipe;
use super::settings::Settings;
use coracle_core::digest::Digest;
use coracle_oci::base::{self, BaseSource};
use coracle_oci::copy::ImageLocation;
use coracle_oci::image::{Descriptor, ImageSet};
use coracle_oci::layout::{DiskLocation, Staging};
use coracle_oci::registry::RegistryClient;

/// Opens the base image of a recipe. `None` if it has none.
pub(crate) fn open_base(recipe: &Recipe, settings: &Settings) -> Result<Option<Arc<BaseSource>>, Error> {
    let Some(location) = &recipe.image.base else { return Ok(None) };
    Ok(Some(Arc::new(BaseSource::open(
        location,
        &registry_client(settings, location)?,
        settings.cache.as_deref(),
        settings.scratch_dir.as_deref(),
    )?)))
}

/// Returns the digest of the base image. No request is made if the recipe contains the digest.
pub(crate) fn base_digest(recipe: &Recipe, settings: &Settings) -> Result<Option<Digest>, Error> {
    let Some(location) = &recipe.image.base else { return Ok(None) };
    Ok(Some(base::resolve_base_digest(location, &registry_client(settings, location)?)?))
}

/// Returns the configured client, else a client with default settings.
#[cfg(feature = "registry")]
fn registry_client(settings: &Settings, _: &ImageLocation) -> Result<RegistryClient, Error> {
    use coracle_oci::registry::RegistrySettings;

    settings.registry_client.clone().map_or_else(|| Ok(RegistryClient::new(RegistrySettings::default())?), Ok)
}

/// Returns the configured client: without the feature `registry`, none can be created here.
#[cfg(not(feature = "registry"))]
fn registry_client(settings: &Settings, location: &ImageLocation) -> Result<RegistryClient, Error> {
    settings.registry_client.clone().ok_or_else(|| Error::NoRegistryClient(location.clone()))
}

/// Puts the layers of the base image that a destination lacks, or an engine may lack, into the
/// staging directory.
pub(crate) fn stage_base_layers(
    request: &BuildRequest<'_>,
    base: &BaseSource,
    image_set: &ImageSet,
    staging: &Staging,
) -> Result<(), Error> {
    let (destinations, observer) = (&request.destinations, request.observer);
    let layers: BTreeMap<Digest, &Descriptor> =
        image_set.base_layers().map(|layer| (layer.digest, layer)).collect();
    for layer in layers.into_values() {
        let has_blob = |destination: &DiskLocation| destination.has_verified_blob(layer);
        if destinations.engines.is_empty() && destinations.local.iter().all(has_blob) {
            continue;
        }
        let taken = match base.open_blob(layer, &UploadProgress(observer)) {
            Ok(mut reader) => staging.put_blob(layer, &mut reader)?,
            Err(error) => Err(error),
        };
        if let Err(source) = taken {
            if observer.is_cancelled() {
                return Err(Error::cancelled());
            }
            return Err(
                base::BaseError::Layer { base: base.location_text(), digest: layer.digest, source }.into()
            );
        }
    }
    Ok(())
}
