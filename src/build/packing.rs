//! Packs planned images: writes layers to the staging directory, and queues each for upload once it
//! is scanned.

use std::cell::RefCell;
use std::io::{self, Cursor, Read};
use std::sync::Arc;

use super::progress::PackProgress;
use super::size_comparison::SizeComparison;
use super::{Error, Observer, Plan, Settings, image_config, secret_scan};
use crate::recipe::Recipe;
use crate::rootfs::{Entry, LayerKind};
use coracle_core::digest::Digest;
use coracle_core::note::Note;
use coracle_core::path::ImagePath;
use coracle_core::progress::{CancelOnly, Progress};
use coracle_kube::contract::Contract;
use coracle_oci::base::BaseSource;
use coracle_oci::copy::UploadQueue;
use coracle_oci::image::{self, Descriptor, Image, ImageSet};
use coracle_oci::layer::{self, Layer, PackRequest, tar_header};
use coracle_oci::layout::{self, Staging};
use coracle_oci::registry::Repository;
use coracle_oci::remote_cache::RemoteCache;
use coracle_scan::SecretScanner;

/// The context of packing.
pub(super) struct Packer<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) settings: &'a Settings,
    pub(super) contract: &'a Contract,
    pub(super) base: Option<&'a Arc<BaseSource>>,
    pub(super) staging: &'a Staging,
    pub(super) upload_queue: &'a UploadQueue<'a>,
    pub(super) observer: &'a dyn Observer,
    /// Whether a destination needs the layers on this machine: on disk, or an engine.
    pub(super) is_on_disk: bool,
    pub(super) remote_cache: Option<&'a RemoteCache>,
    /// Layers that were packed here, with their cache keys.
    pub(super) packed: RefCell<Vec<(Digest, Layer)>>,
}

/// A packed image that may be published.
pub(super) struct PackedImage {
    pub(super) root: ImageSet,
    /// Layers that were packed here, with their cache keys.
    pub(super) layers: Vec<(Digest, Layer)>,
    /// Warnings of the secret scanner.
    pub(super) notes: Vec<Note>,
}

impl Packer<'_> {
    /// Packs the image of all `plans`.
    ///
    /// # Errors
    /// Fails if the scanner has findings, or the image exceeds its budget.
    pub(super) fn pack_images(
        self,
        plans: &[Plan],
        mut gate: SecretScanner,
        comparison: &SizeComparison<'_>,
    ) -> Result<PackedImage, Error> {
        let images = plans.iter().map(|plan| self.pack_image(plan, &mut gate));
        let root = ImageSet::new(images.collect::<Result<_, _>>()?)?;
        let notes = gate.evaluate()?;
        comparison.check_budget(&root, plans)?;
        self.queue_configs(&root);
        Ok(PackedImage { root, layers: self.packed.into_inner(), notes })
    }

    /// Packs the image of one platform.
    fn pack_image(&self, plan: &Plan, gate: &mut SecretScanner) -> Result<Image, Error> {
        let config = image_config::image_config(self.recipe, plan, self.contract)?;
        gate.scan_plan(plan.rootfs.iter(), &plan.rootfs);
        secret_scan::scan_image_config(gate, &config);
        let below = self.queue_base_layers(plan);
        let layers =
            plan.rootfs.layer_kinds().into_iter().map(|stratum| self.pack_layer(plan, stratum, gate));
        let layers = layers.collect::<Result<Vec<_>, _>>()?;
        Ok(Image::new(&config, &plan.platform, &below, &layers, self.settings.epoch)?)
    }

    /// Returns the base image's layers and history, and queues its layers for registries that lack
    /// them.
    fn queue_base_layers(&self, plan: &Plan) -> image::InheritedBase {
        let Some((base, image)) = self.base.zip(plan.base.as_ref()) else {
            return image::InheritedBase::default();
        };
        let from = base.repository().map(Repository::from);
        for (layer, _) in &image.base_layers.layers {
            let (base, named) = (Arc::clone(base), layer.clone());
            let bytes = self.upload_queue.enqueue(layer, from.clone(), move || base.open_blob(&named, &()));
            self.observer.on_upload_queued(bytes);
        }
        image.base_layers.clone()
    }

    /// Packs a layer, or takes it from a cache. It is queued for upload only after its scan is
    /// complete and if the scanner has no findings so far.
    fn pack_layer(&self, plan: &Plan, stratum: LayerKind, gate: &mut SecretScanner) -> Result<Layer, Error> {
        let progress = PackProgress { observer: self.observer, upload_queue: self.upload_queue };
        let entries = plan.rootfs.layer_entries(stratum);
        let compression = self.recipe.compression;
        let shape = self.remote_cache.map(|_| layer::layer_cache_key(&entries, compression));
        let cache = self.settings.cache.as_deref();
        let is_here = shape.is_some_and(|shape| cache.is_some_and(|cache| cache.has_layers_for(shape)));
        if let (Some(shared), Some(shape), false) = (self.remote_cache, shape, is_here)
            && let Some(layer) =
                self.layer_from_remote_cache(shared, shape, &entries, stratum, &progress, gate)?
        {
            return Ok(layer);
        }
        let request = PackRequest { entries: &entries, kind: stratum, compression, progress: &progress };
        let layer = self.staging.pack_layer(&request, cache, gate)?;
        if !gate.has_unaccepted_errors() {
            let bytes = self.upload_queue.enqueue(
                &Descriptor::from(&layer),
                None,
                self.staging.blob_opener(layer.digest),
            );
            self.observer.on_upload_queued(bytes);
        }
        if let Some(shape) = shape {
            self.packed.borrow_mut().push((shape, layer.clone()));
        }
        Ok(layer)
    }

    /// Takes the layer from the remote cache. `None` if it is not there. It is downloaded if it is
    /// needed on this machine or the cache is not trusted; otherwise it is copied between
    /// repositories.
    fn layer_from_remote_cache(
        &self,
        shared: &RemoteCache,
        shape: Digest,
        entries: &[(&ImagePath, &Entry)],
        stratum: LayerKind,
        progress: &dyn Progress,
        gate: &mut SecretScanner,
    ) -> Result<Option<Layer>, Error> {
        let candidates = shared.find(shape);
        if candidates.is_empty() {
            return Ok(None);
        }
        let diff_id = layer::compute_diff_id(entries, &CancelOnly(progress), gate)
            .map_err(layout::LayoutError::from)?;
        let unpacked = tar_header::tar_size(entries);
        let found = candidates.iter().find(|found| found.matches(diff_id, unpacked));
        let Some(found) = found else { return Ok(None) };
        let from = Some(found.repository().clone());
        let layer = if shared.is_trusted() && !self.is_on_disk {
            let layer = found.layer(unpacked, stratum);
            if !gate.has_unaccepted_errors() {
                self.observer.on_upload_queued(self.upload_queue.enqueue(
                    &found.descriptor(),
                    from,
                    found.blob_opener(),
                ));
            }
            layer
        } else {
            let Some(layer) = shared.fetch(found, unpacked, stratum, self.staging)? else { return Ok(None) };
            if !gate.has_unaccepted_errors() {
                let opener = self.staging.blob_opener(layer.digest);
                self.observer.on_upload_queued(self.upload_queue.enqueue(
                    &Descriptor::from(&layer),
                    from,
                    opener,
                ));
            }
            layer
        };
        progress.advance(unpacked);
        if progress.is_cancelled() {
            return Err(Error::Cancelled);
        }
        Ok(Some(layer))
    }

    /// Queues the configs of `root` for upload; the scan is complete.
    fn queue_configs(&self, root: &ImageSet) {
        for config in root.images().iter().map(Image::config) {
            let bytes: Arc<[u8]> = config.bytes().into();
            let open = move || -> io::Result<Box<dyn Read>> { Ok(Box::new(Cursor::new(bytes.clone()))) };
            self.observer.on_upload_queued(self.upload_queue.enqueue(config.descriptor(), None, open));
        }
    }
}
