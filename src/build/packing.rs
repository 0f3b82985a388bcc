//! From plans to images: layers into the staging directory, and on their way to registries as soon as they may be.

use std::io::{self, Cursor, Read};
use std::ops::ControlFlow;
use std::sync::Arc;

use super::{Error, Observer, Plan, Settings, config, leaks};
use crate::contract::Contract;
use crate::gate::Gate;
use crate::image::{Descriptor, Image, Root};
use crate::layer::Layer;
use crate::recipe::Recipe;
use crate::rootfs::Stratum;
use crate::store::Staging;
use crate::transfer::Outbox;

/// What packing needs besides a plan.
pub(super) struct Packing<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) settings: &'a Settings,
    pub(super) contract: &'a Contract,
    pub(super) staging: &'a Staging,
    pub(super) outbox: &'a Outbox<'a>,
    pub(super) observer: &'a dyn Observer,
}

impl Packing<'_> {
    /// The image of one platform.
    pub(super) fn image(&self, plan: &Plan, gate: &mut Gate) -> Result<Image, Error> {
        let config = config::of(self.recipe, plan, self.contract)?;
        gate.places(&plan.rootfs);
        leaks::words(gate, &config);
        let layers = plan.rootfs.strata().into_iter().map(|stratum| self.layer(plan, stratum, gate));
        let layers = layers.collect::<Result<Vec<_>, _>>()?;
        Ok(Image::new(&config, &plan.platform, &layers, self.settings.epoch)?)
    }

    /// A layer leaves the machine when the gate has seen all of it, and has found nothing so far.
    fn layer(&self, plan: &Plan, stratum: Stratum, gate: &mut Gate) -> Result<Layer, Error> {
        let packed = |bytes| match self.outbox.go_on() {
            ControlFlow::Continue(()) => self.observer.packed(bytes),
            stop => stop,
        };
        let entries = plan.rootfs.layer(stratum);
        let cache = self.settings.cache.as_deref();
        let layer = self.staging.pack(&entries, stratum, self.recipe.compression, cache, &packed, gate)?;
        if !gate.refuses() {
            let bytes = self.outbox.offer(&Descriptor::from(&layer), self.staging.opener(layer.digest));
            self.observer.sending(bytes);
        }
        Ok(layer)
    }

    /// The configs of `root`, which the gate has let pass.
    pub(super) fn configs(&self, root: &Root) {
        for config in root.images().iter().map(Image::config) {
            let bytes: Arc<[u8]> = config.bytes().into();
            let open = move || -> io::Result<Box<dyn Read>> { Ok(Box::new(Cursor::new(bytes.clone()))) };
            self.observer.sending(self.outbox.offer(config.descriptor(), open));
        }
    }
}
