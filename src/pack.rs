//! Packs the planned images into the staging directory, and uploads blobs to registries meanwhile.

use std::cell::RefCell;
use std::io::{self, Cursor, Read};
use std::sync::Arc;

use super::base_image;
use super::build_request::BuildRequest;
use super::error::Error;
use super::image_config::image_config;
use super::image_plan::Plan;
use super::observer::{PackProgress, UploadProgress};
use super::plan::{BuildPlan, PlannedImages};
use super::rootfs::{Entry, LayerKind};
use super::secret_scan::ImageScanner;
use coracle_core::digest::Digest;
use coracle_core::note::Note;
use coracle_core::path::ImagePath;
use coracle_core::progress::{CancelOnly, Progress};
use coracle_oci::copy::{PushSummary, PushTargets, RegistryImageName, UploadQueue};
use coracle_oci::image::{Descriptor, Image, ImageSet, InheritedBase};
use coracle_oci::layer::{self, Layer, PackRequest, tar_header};
use coracle_oci::layout::{LayoutError, Staging};
use coracle_oci::registry::Repository;
use coracle_oci::remote_cache::{RemoteCache, RemoteCacheConfig, RemoteLayer};

/// A packed image. It has passed the secret scanner and is within its budget.
pub(crate) struct PackedBuild<'a> {
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
        Ok(self.push_targets.push_manifests_and_tags(&image_set.manifests())?)
    }
}

/// Packs the image of each platform. Blobs are uploaded while others are packed.
///
/// # Errors
/// Fails if a file changes while it is read, the secret scanner has findings, the image exceeds its
/// budget, or an upload fails.
pub(crate) fn pack_and_scan<'a>(
    request: &'a BuildRequest<'a>,
    plan: BuildPlan<'a>,
) -> Result<PackedBuild<'a>, Error> {
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
    let PackedImages { image_set, cacheable_layers, notes } = packed;
    Ok(PackedBuild { images, image_set, staging, uploads, remote_cache, cacheable_layers, notes })
}

/// Returns the remote layer cache, if one is configured and a client exists. It may mount layers
/// from `repositories`.
fn open_remote_cache(request: &BuildRequest<'_>, repositories: &[Repository]) -> Option<RemoteCache> {
    let config = &request.settings.remote_cache;
    let client = request.settings.registry_client.as_ref();
    let client = client.filter(|_| *config != RemoteCacheConfig::default())?;
    Some(RemoteCache::new(config, client, repositories))
}

/// The context of packing.
struct Packer<'a> {
    request: &'a BuildRequest<'a>,
    images: &'a PlannedImages<'a>,
    staging: &'a Staging,
    upload_queue: &'a UploadQueue<'a>,
    remote_cache: Option<&'a RemoteCache>,
    /// Layers that were packed here, with their cache keys.
    cacheable_layers: RefCell<Vec<(Digest, Layer)>>,
}

/// The packed images of all platforms.
struct PackedImages {
    image_set: ImageSet,
    /// Layers that were packed here, with their cache keys.
    cacheable_layers: Vec<(Digest, Layer)>,
    /// Warnings of the secret scanner.
    notes: Vec<Note>,
}

/// A layer to pack.
struct LayerInput<'a> {
    kind: LayerKind,
    entries: Vec<(&'a ImagePath, &'a Entry)>,
    /// The key in the remote cache. `None` without one.
    cache_key: Option<Digest>,
}

impl<'a> Packer<'a> {
    fn new(
        request: &'a BuildRequest<'a>,
        images: &'a PlannedImages<'a>,
        staging: &'a Staging,
        upload_queue: &'a UploadQueue<'a>,
        remote_cache: Option<&'a RemoteCache>,
    ) -> Self {
        Self { request, images, staging, upload_queue, remote_cache, cacheable_layers: RefCell::default() }
    }

    fn progress(&self) -> PackProgress<'a> {
        PackProgress { observer: self.request.observer, upload_queue: self.upload_queue }
    }

    /// Packs the images of all platforms.
    ///
    /// # Errors
    /// Fails if the scanner has findings, or the image exceeds its budget.
    fn pack_images(self, mut scanner: ImageScanner) -> Result<PackedImages, Error> {
        let images = self.images.plans.iter().map(|plan| self.pack_image(plan, &mut scanner));
        let image_set = ImageSet::new(images.collect::<Result<_, _>>()?)?;
        let notes = scanner.evaluate()?;
        self.images.sizes.check_budget(&image_set, &self.images.plans)?;
        self.queue_configs(&image_set);
        Ok(PackedImages { image_set, cacheable_layers: self.cacheable_layers.into_inner(), notes })
    }

    /// Packs the image of one platform.
    fn pack_image(&self, plan: &Plan, scanner: &mut ImageScanner) -> Result<Image, Error> {
        let config = image_config(self.request.recipe, plan, &self.images.contract)?;
        scanner.scan_plan(plan, &config);
        let base = self.queue_base_layers(plan);
        let kinds = plan.rootfs.layer_kinds().into_iter();
        let layers = kinds.map(|kind| {
            let entries = plan.rootfs.layer_entries(kind);
            let compression = self.request.recipe.output.compression;
            let cache_key = self.remote_cache.map(|_| layer::layer_cache_key(&entries, compression));
            self.pack_layer(&LayerInput { kind, entries, cache_key }, scanner)
        });
        let layers = layers.collect::<Result<Vec<_>, _>>()?;
        Ok(Image::new(&config, &plan.platform, &base, &layers, self.request.settings.epoch)?)
    }

    /// Returns the base image's layers and history, and queues its layers for registries that lack
    /// them.
    fn queue_base_layers(&self, plan: &Plan) -> InheritedBase {
        let Some((base, image)) = self.images.base.as_ref().zip(plan.base.as_ref()) else {
            return InheritedBase::default();
        };
        let from = base.source.repository().map(Repository::from);
        for (layer, _) in &image.base_layers.layers {
            let (source, descriptor) = (Arc::clone(&base.source), layer.clone());
            self.queue_blob(layer, from.clone(), move || source.open_blob(&descriptor, &()));
        }
        image.base_layers.clone()
    }

    /// Packs a layer, or takes it from a cache. It is queued for upload only after its scan is
    /// complete and if the scanner has no findings so far.
    fn pack_layer(&self, input: &LayerInput<'_>, scanner: &mut ImageScanner) -> Result<Layer, Error> {
        if let Some(layer) = self.layer_from_remote_cache(input, scanner)? {
            return Ok(layer);
        }
        let progress = self.progress();
        let request = self.pack_request(input, &progress);
        let cache = self.request.settings.cache.as_deref();
        let layer = self.staging.pack_layer(&request, cache, scanner.content_scanner())?;
        self.queue_staged_layer(&layer, None, scanner);
        let cacheable = input.cache_key.map(|cache_key| (cache_key, layer.clone()));
        self.cacheable_layers.borrow_mut().extend(cacheable);
        Ok(layer)
    }

    fn pack_request<'b>(&self, input: &'b LayerInput<'_>, progress: &'b dyn Progress) -> PackRequest<'b> {
        let compression = self.request.recipe.output.compression;
        PackRequest { entries: &input.entries, kind: input.kind, compression, progress }
    }

    /// Takes the layer from the remote cache. `None` if it is not there, or the local cache has it.
    fn layer_from_remote_cache(
        &self,
        input: &LayerInput<'_>,
        scanner: &mut ImageScanner,
    ) -> Result<Option<Layer>, Error> {
        let Some((remote_cache, cache_key)) = self.remote_cache.zip(input.cache_key) else { return Ok(None) };
        let local_cache = self.request.settings.cache.as_deref();
        if local_cache.is_some_and(|cache| cache.has_layers_with_key(cache_key)) {
            return Ok(None);
        }
        let candidates = remote_cache.find_layers(cache_key);
        if candidates.is_empty() {
            return Ok(None);
        }
        let progress = self.progress();
        let diff_id =
            layer::compute_diff_id(&input.entries, &CancelOnly(&progress), scanner.content_scanner())
                .map_err(LayoutError::from)?;
        let unpacked_size = tar_header::tar_size(&input.entries);
        let codec = self.request.recipe.output.compression.codec;
        let remote_layer =
            candidates.iter().find(|candidate| candidate.matches(diff_id, unpacked_size, codec));
        let Some(remote_layer) = remote_layer else { return Ok(None) };
        let layer = self.use_remote_layer(input, remote_layer, unpacked_size, scanner)?;
        if layer.is_some() {
            progress.advance(unpacked_size);
        }
        if progress.is_cancelled() {
            return Err(Error::cancelled());
        }
        Ok(layer)
    }

    /// Downloads the layer if it is needed on this machine or the cache is not trusted; otherwise it
    /// is copied between repositories. `None` if it cannot be downloaded.
    fn use_remote_layer(
        &self,
        input: &LayerInput<'_>,
        remote_layer: &RemoteLayer<'_>,
        unpacked_size: u64,
        scanner: &ImageScanner,
    ) -> Result<Option<Layer>, Error> {
        let Some(remote_cache) = self.remote_cache else { return Ok(None) };
        let from = Some(remote_layer.repository().clone());
        if remote_cache.is_trusted() && !self.request.destinations.need_local_layers() {
            let layer = remote_layer.layer(unpacked_size, input.kind);
            if scanner.is_clean() {
                self.queue_blob(&remote_layer.descriptor(), from, remote_layer.blob_opener());
            }
            return Ok(Some(layer));
        }
        let progress = self.progress();
        let cancel_only = CancelOnly(&progress);
        let request = self.pack_request(input, &cancel_only);
        let layer = remote_cache.fetch_layer(remote_layer, unpacked_size, &request, self.staging)?;
        if let Some(layer) = &layer {
            self.queue_staged_layer(layer, from, scanner);
        }
        Ok(layer)
    }

    /// Queues a layer in the staging directory for upload, unless the scanner has findings.
    fn queue_staged_layer(&self, layer: &Layer, from: Option<Repository>, scanner: &ImageScanner) {
        if scanner.is_clean() {
            self.queue_blob(&Descriptor::from(layer), from, self.staging.blob_opener(layer.digest));
        }
    }

    /// Queues the configs of `image_set` for upload; the scan is complete.
    fn queue_configs(&self, image_set: &ImageSet) {
        for config in image_set.images().iter().map(Image::config) {
            let bytes: Arc<[u8]> = config.bytes().into();
            let open = move || -> io::Result<Box<dyn Read>> { Ok(Box::new(Cursor::new(bytes.clone()))) };
            self.queue_blob(config.descriptor(), None, open);
        }
    }

    /// Queues a blob for upload, and reports its size. `from` is a repository that may have it.
    fn queue_blob(
        &self,
        blob: &Descriptor,
        from: Option<Repository>,
        open: impl Fn() -> io::Result<Box<dyn Read>> + Send + Sync + 'static,
    ) {
        self.request.observer.on_upload_queued(self.upload_queue.enqueue(blob, from, open));
    }
}
