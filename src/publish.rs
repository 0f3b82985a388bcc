//! Publishes a packed image: signs it, writes it to its destinations, then its contract and its
//! signatures, then its names.

use std::io::{self, Cursor, Read};

#[cfg(feature = "sign")]
use super::attestations;
use super::build_request::BuildRequest;
use super::build_result::{BaseInfo, Built, RegistryPush};
use super::contract;
use super::error::Error;
use super::image_sizes::PlatformSize;
use super::inventory::InventorySummary;
use super::observer::UploadProgress;
use super::pack::PackedBuild;
use super::plan::PlannedImages;
use super::sbom;
use coracle_core::digest::Digest;
use coracle_core::note::Note;
use coracle_oci::copy;
use coracle_oci::engine::{EngineImageName, LoadedImage};
use coracle_oci::image::{Descriptor, Image, ImageGraph, ImageSet};
use coracle_oci::layout::{self, LayoutWarning, OutputStamp, Staging};

/// A published image.
pub(crate) struct PublishedImage<'a> {
    pub(crate) built: Built,
    pub(crate) images: PlannedImages<'a>,
    /// The files that were written.
    pub(crate) outputs: OutputStamp,
    /// The digest of the contract's artifact, if it was pushed to a registry.
    pub(crate) contract_digest: Option<Digest>,
}

/// Publishes the image to all destinations, once the observer allows it. Tags at registries are
/// written last: an image that can be pulled by name is complete and has its contract.
///
/// # Errors
/// Fails if the observer cancels, inputs have changed, or a destination cannot be written.
pub(crate) fn publish_contract_then_names<'a>(
    request: &BuildRequest<'a>,
    packed: PackedBuild<'a>,
) -> Result<PublishedImage<'a>, Error> {
    let BuildRequest { settings, destinations, .. } = request;
    let (image_set, staging) = (&packed.image_set, packed.staging);
    request.wait_for_publish(|| packed.images.roots.input_tracker().is_current())?;
    let mut notes = packed.notes;
    if let Some(remote_cache) = &packed.remote_cache {
        let repositories = destinations.repositories();
        for (cache_key, layer) in &packed.cacheable_layers {
            remote_cache.upload_layer(*cache_key, layer, &staging, &repositories);
        }
        notes.extend(remote_cache.take_warning());
    }
    let sboms = sbom::create_sboms(request, &packed.images.plans, image_set)?;
    #[cfg(feature = "sign")]
    let attestations = attestations::create(request, &packed.images, image_set, &sboms.artifacts)?;
    #[cfg(feature = "sign")]
    notes.extend(warning_notes(attestations.write_to_layouts(request)?));
    let mut outputs = OutputStamp::default();
    for destination in &destinations.local {
        let names = request.image_names();
        notes.extend(warning_notes(layout::write_image(image_set, &staging, names, destination)?));
        outputs.add_image(image_set, names, destination)?;
    }
    let loaded = load_into_engines(request, image_set, &staging)?;
    drop(staging);
    let contract =
        contract::publish_contract(&packed.images.contract, image_set, destinations, settings, &mut outputs)?;
    notes.extend(warning_notes(contract.warnings));
    notes.extend(warning_notes(sboms.publish(request, &mut outputs)?));
    #[cfg(feature = "sign")]
    attestations.push(request, image_set)?;
    let pushes = packed.uploads.write_tags(image_set)?;
    let built = Built {
        pushes: pushes.into_iter().map(RegistryPush::from).collect(),
        loaded,
        notes,
        ..describe_image(request, &packed.images, image_set)
    };
    Ok(PublishedImage { built, images: packed.images, outputs, contract_digest: contract.digest })
}

/// Describes the image, without what was done to publish it.
fn describe_image(request: &BuildRequest<'_>, images: &PlannedImages<'_>, image_set: &ImageSet) -> Built {
    Built {
        references: request.recipe.image.names.clone(),
        digest: image_set.digest(),
        platforms: image_set.images().iter().map(|image| image.platform().clone()).collect(),
        size: image_set.total_size(),
        platform_sizes: PlatformSize::sizes_of_all_platforms(image_set),
        previous: None,
        layers: image_set.packed_layers().cloned().collect(),
        bases: images.plans.iter().filter_map(BaseInfo::from_plan).collect(),
        user: images.user,
        file_count: images.plans.iter().map(|plan| plan.rootfs.file_count()).sum(),
        inventories: images.plans.iter().map(|plan| InventorySummary::new(request.recipe, plan)).collect(),
        destinations: request.destinations.locations().collect(),
        pushes: Vec::new(),
        loaded: Vec::new(),
        #[cfg(feature = "kube")]
        contract: images.contract.contract.clone(),
        notes: Vec::new(),
        is_unchanged: false,
    }
}

/// Loads `image_set`, whose layers are in `staging`, into each engine.
fn load_into_engines(
    request: &BuildRequest<'_>,
    image_set: &ImageSet,
    staging: &Staging,
) -> Result<Vec<(EngineImageName, LoadedImage)>, Error> {
    let configs = || image_set.images().iter().map(Image::config);
    let blobs = image_set.layer_descriptors().chain(configs().map(|config| config.descriptor().clone()));
    let graph = ImageGraph {
        documents: image_set.manifests(),
        blobs: blobs.map(|blob| (blob.digest, blob)).collect(),
    };
    let open = |blob: &Descriptor| -> io::Result<Box<dyn Read>> {
        match configs().find(|config| config.descriptor().digest == blob.digest) {
            Some(config) => Ok(Box::new(Cursor::new(config.bytes().to_vec()))),
            None => staging.blob_opener(blob.digest)(),
        }
    };
    let progress = UploadProgress(request.observer);
    let mut loaded = Vec::new();
    for name in &request.destinations.engines {
        let image = copy::load_into_engine(&graph, &open, name, &request.settings.engines, &progress)?;
        loaded.push((name.clone(), image));
    }
    Ok(loaded)
}

fn warning_notes(warnings: Vec<LayoutWarning>) -> impl Iterator<Item = Note> {
    warnings.into_iter().map(|warning| Note::Warning(warning.to_string()))
}
