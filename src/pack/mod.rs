//! Packs the planned images into the staging directory, and uploads blobs to registries meanwhile.

mod image_config;
mod packer;

use super::base_image;
use super::error::Error;
use super::plan::{BuildPlan, PlannedImages};
use super::progress::UploadProgress;
use super::request::Request;
use coracle_core::digest::Digest;
use coracle_core::note::Note;
use coracle_oci::copy::{PushSummary, PushTargets, RegistryImageName};
use coracle_oci::image::ImageSet;
use coracle_oci::layer::Layer;
use coracle_oci::layout::Staging;
use coracle_oci::registry::Repository;
use coracle_oci::remote_cache::{RemoteCache, RemoteCacheConfig};
use packer::Packer;

/// A packed image. It has passed the secret scanner and is within its budget.
pub(crate) struct Packed<'a> {
    pub(crate) images: PlannedImages<'a>,
    pub(crate) image_set: ImageSet,
    /// The directory with the layers.
    pub(crate) staging: Staging,
    pub(crate) uploads: UploadedBlobs<'a>,
    pub(crate) remote_cache: Option<RemoteCache>,
    /// Layers that were packed here, with their cache keys.
    pub(crate) cacheable_layers: Vec<(Digest, Layer)>,
    /// Warnings of the secret scanner.
    pub(crate) notes: Vec<Note>,
}

/// Blobs of an image that are at all registries, but have no name yet.
pub(crate) struct UploadedBlobs<'a> {
    push_targets: &'a PushTargets,
}

impl UploadedBlobs<'_> {
    /// Pushes the manifests and sets the tags of `image_set`.
    pub(crate) fn write_tags(
        self,
        image_set: &ImageSet,
    ) -> Result<Vec<(RegistryImageName, PushSummary)>, Error> {
        Ok(self.push_targets.tag(&image_set.manifests())?)
    }
}

/// Packs the image of each platform. Blobs are uploaded while others are packed.
///
/// # Errors
/// Fails if a file changes while it is read, the secret scanner has findings, the image exceeds its
/// budget, or an upload fails.
pub(crate) fn pack_and_scan<'a>(request: &'a Request<'a>, plan: BuildPlan<'a>) -> Result<Packed<'a>, Error> {
    let BuildPlan { images, scanner } = plan;
    let staging = request.destinations.create_staging(request.settings)?;
    let remote_cache = open_remote_cache(request, &request.destinations.repositories());
    let progress = UploadProgress(request.observer);
    let packed = request.push_targets.upload_while(&progress, |uploads| {
        Packer::new(request, &images, &staging, uploads, remote_cache.as_ref()).pack_images(scanner)
    })?;
    if let Some(base) = &images.base {
        base_image::stage_base_layers(request, &base.source, &packed.image_set, &staging)?;
    }
    let uploads = UploadedBlobs { push_targets: &request.push_targets };
    let packer::PackedImages { image_set, cacheable_layers, notes } = packed;
    Ok(Packed { images, image_set, staging, uploads, remote_cache, cacheable_layers, notes })
}

/// Returns the remote layer cache, if one is configured and a client exists. It may mount layers
/// from `repositories`.
fn open_remote_cache(request: &Request<'_>, repositories: &[Repository]) -> Option<RemoteCache> {
    let config = &request.settings.remote_cache;
    let client = request.settings.registry_client.as_ref();
    let client = client.filter(|_| *config != RemoteCacheConfig::default())?;
    Some(RemoteCache::new(config, client, repositories))
}
