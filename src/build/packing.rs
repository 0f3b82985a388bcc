//! Packs planned images: writes layers to the staging directory, and queues each for upload once it
//! is scanned.

use std::cell::RefCell;
use std::io::{self, Cursor, Read};
use std::ops::ControlFlow;
use std::sync::Arc;

use super::comparison::Comparison;
use super::{Error, Observer, Plan, Settings, config, leaks};
use coracle_oci::base::Base;
use coracle_kube::contract::Contract;
use coracle_core::digest::Digest;
use coracle_scan::Gate;
use coracle_oci::image::{self, Descriptor, Image, Root};
use coracle_oci::layer::{self, Layer, tar};
use coracle_core::note::Note;
use coracle_core::path::ImagePath;
use crate::recipe::Recipe;
use coracle_oci::registry::Repository;
use crate::rootfs::{Entry, Stratum};
use coracle_oci::remote_cache::SharedCache;
use coracle_oci::layout::{self, Staging};
use coracle_oci::copy::Outbox;

/// The context of packing.
pub(super) struct Packing<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) settings: &'a Settings,
    pub(super) contract: &'a Contract,
    pub(super) base: Option<&'a Arc<Base>>,
    pub(super) staging: &'a Staging,
    pub(super) outbox: &'a Outbox<'a>,
    pub(super) observer: &'a dyn Observer,
    /// Whether a destination needs the layers on this machine: on disk, or an engine.
    pub(super) is_on_disk: bool,
    pub(super) shared: Option<&'a SharedCache>,
    /// Layers that were packed here, with their cache keys.
    pub(super) packed: RefCell<Vec<(Digest, Layer)>>,
}

/// A packed image that may be published.
pub(super) struct Packed {
    pub(super) root: Root,
    /// Layers that were packed here, with their cache keys.
    pub(super) layers: Vec<(Digest, Layer)>,
    /// Warnings of the secret scanner.
    pub(super) notes: Vec<Note>,
}

impl Packing<'_> {
    /// Packs the image of all `plans`.
    ///
    /// # Errors
    /// Fails if the scanner has findings, or the image exceeds its budget.
    pub(super) fn all(
        self,
        plans: &[Plan],
        mut gate: Gate,
        comparison: &Comparison<'_>,
    ) -> Result<Packed, Error> {
        let images = plans.iter().map(|plan| self.image(plan, &mut gate));
        let root = Root::new(images.collect::<Result<_, _>>()?)?;
        let notes = gate.verdict()?;
        comparison.judge(&root, plans)?;
        self.configs(&root);
        Ok(Packed { root, layers: self.packed.into_inner(), notes })
    }

    /// Packs the image of one platform.
    fn image(&self, plan: &Plan, gate: &mut Gate) -> Result<Image, Error> {
        let config = config::of(self.recipe, plan, self.contract)?;
        gate.places(plan.rootfs.iter(), &plan.rootfs);
        leaks::words(gate, &config);
        let below = self.below(plan);
        let layers = plan.rootfs.strata().into_iter().map(|stratum| self.layer(plan, stratum, gate));
        let layers = layers.collect::<Result<Vec<_>, _>>()?;
        Ok(Image::new(&config, &plan.platform, &below, &layers, self.settings.epoch)?)
    }

    /// Returns the base image's layers and history, and queues its layers for registries that lack
    /// them.
    fn below(&self, plan: &Plan) -> image::Base {
        let Some((base, image)) = self.base.zip(plan.base.as_ref()) else { return image::Base::default() };
        let from = base.repository().map(Repository::from);
        for (layer, _) in &image.image.layers {
            let (base, named) = (Arc::clone(base), layer.clone());
            let bytes = self
                .outbox
                .offer(layer, from.clone(), move || base.blob(&named, &|| ControlFlow::Continue(())));
            self.observer.sending(bytes);
        }
        image.image.clone()
    }

    /// Packs a layer, or takes it from a cache. It is queued for upload only after its scan is
    /// complete and if the scanner has no findings so far.
    fn layer(&self, plan: &Plan, stratum: Stratum, gate: &mut Gate) -> Result<Layer, Error> {
        let packed = |bytes| match self.outbox.go_on() {
            ControlFlow::Continue(()) => self.observer.packed(bytes),
            stop => stop,
        };
        let entries = plan.rootfs.layer(stratum);
        let compression = self.recipe.compression;
        let shape = self.shared.map(|_| layer::shape(&entries, compression));
        let cache = self.settings.cache.as_deref();
        let is_here = shape.is_some_and(|shape| cache.is_some_and(|cache| cache.knows(shape)));
        if let (Some(shared), Some(shape), false) = (self.shared, shape, is_here)
            && let Some(layer) = self.elsewhere(shared, shape, &entries, stratum, &packed, gate)?
        {
            return Ok(layer);
        }
        let layer = self.staging.pack(&entries, stratum, compression, cache, &packed, gate)?;
        if !gate.refuses() {
            let bytes = self.outbox.offer(&Descriptor::from(&layer), None, self.staging.opener(layer.digest));
            self.observer.sending(bytes);
        }
        if let Some(shape) = shape {
            self.packed.borrow_mut().push((shape, layer.clone()));
        }
        Ok(layer)
    }

    /// Takes the layer from the remote cache. `None` if it is not there. It is downloaded if it is
    /// needed on this machine or the cache is not trusted; otherwise it is copied between
    /// repositories.
    fn elsewhere(
        &self,
        shared: &SharedCache,
        shape: Digest,
        entries: &[(&ImagePath, &Entry)],
        stratum: Stratum,
        packed: &layer::Observer<'_>,
        gate: &mut Gate,
    ) -> Result<Option<Layer>, Error> {
        let candidates = shared.find(shape);
        if candidates.is_empty() {
            return Ok(None);
        }
        let diff_id = layer::diff_id(entries, &|_| packed(0), gate).map_err(layout::Error::from)?;
        let unpacked = tar::size(entries);
        let found = candidates.iter().find(|found| found.is(diff_id, unpacked));
        let Some(found) = found else { return Ok(None) };
        let from = Some(found.repository().clone());
        let layer = if shared.is_trusted() && !self.is_on_disk {
            let layer = found.layer(unpacked, stratum);
            if !gate.refuses() {
                self.observer.sending(self.outbox.offer(&found.descriptor(), from, found.opener()));
            }
            layer
        } else {
            let Some(layer) = shared.fetch(found, unpacked, stratum, self.staging)? else { return Ok(None) };
            if !gate.refuses() {
                let opener = self.staging.opener(layer.digest);
                self.observer.sending(self.outbox.offer(&Descriptor::from(&layer), from, opener));
            }
            layer
        };
        if packed(unpacked).is_break() {
            return Err(Error::interrupted());
        }
        Ok(Some(layer))
    }

    /// Queues the configs of `root` for upload; the scan is complete.
    fn configs(&self, root: &Root) {
        for config in root.images().iter().map(Image::config) {
            let bytes: Arc<[u8]> = config.bytes().into();
            let open = move || -> io::Result<Box<dyn Read>> { Ok(Box::new(Cursor::new(bytes.clone()))) };
            self.observer.sending(self.outbox.offer(config.descriptor(), None, open));
        }
    }
}
