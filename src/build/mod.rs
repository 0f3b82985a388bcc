//! The straight line over all floors: a recipe in, an image at its destinations out.
//!
//! Each step takes the value of the one before. What the environment decides comes in as [`Settings`], what goes on is
//! told to an [`Observer`]; nothing is printed here.

mod check;
mod config;
mod contract;
mod destinations;
mod engines;
mod error;
mod hints;
mod leaks;
mod packing;
mod plan;
mod roots;
mod sysroot;
mod unchanged;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

pub use contract::contract_of;
pub use destinations::registries;
pub use error::Error;
pub use leaks::{foresee, judge_configuration};
pub use plan::{Plan, plan};
pub use roots::{Roots, View};

use destinations::Destinations;
use packing::Packing;
use plan::plan_in;
use unchanged::Unchanged;

use crate::cache::Cache;
use crate::contract::Contract;
use crate::digest::Digest;
use crate::engine::{self, Loaded};
use crate::image::Root;
use crate::layer::Layer;
use crate::note::Note;
use crate::platform::Platform;
use crate::recipe::Recipe;
use crate::reference::Reference;
use crate::registry::Client;
use crate::store::{self, Destination, Traces};
use crate::transfer::{Named, Place, Sent};

/// What the environment decides, read once by whoever calls.
#[derive(Clone, Default, Debug)]
pub struct Settings {
    /// Seconds since 1970, for `created` of the config and its history.
    pub epoch: u64,
    /// Directories whose paths exist on this machine alone: home, the temporary directory.
    pub private_dirs: Vec<PathBuf>,
    /// What was built before; without it, everything is done again.
    pub cache: Option<Arc<Cache>>,
    /// Who talks to registries. It is needed for images that go there or come from there, and costs others nothing.
    pub client: Option<Client>,
    /// Where an image is packed that stays nowhere on disk; without it, in the working directory. What is there goes
    /// with the build.
    pub scratch: Option<PathBuf>,
    /// What the environment says about local engines.
    pub engines: engine::Settings,
}

/// Sees how a build goes.
pub trait Observer: Sync {
    /// The plans, one for each platform, before anything is packed.
    fn planned(&self, plans: &[Plan]);
    /// So many more bytes were packed; says whether to go on.
    fn packed(&self, bytes: u64) -> ControlFlow<()>;
    /// So many bytes more are to be sent to registries.
    fn sending(&self, _bytes: u64) {}
    /// So many more of them are there; says whether to go on.
    fn sent(&self, _bytes: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
    /// All is packed, sent as far as it has no name, and about to be written to its destinations; who builds several images at once lets them wait here
    /// for their turn, so that a layout that they share always looks the same.
    fn publishing(&self) {}
}

/// Who does not want to see.
impl Observer for () {
    fn planned(&self, _plans: &[Plan]) {}
    fn packed(&self, _bytes: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// An image that was written.
#[derive(Debug)]
pub struct Built {
    /// Its names.
    pub references: Vec<Reference>,
    /// The digest of its manifest: the one that `index.json` lists.
    pub digest: Digest,
    /// Its platforms.
    pub platforms: Vec<Platform>,
    /// Its layers, in order.
    pub layers: Vec<Layer>,
    /// Bytes of its layers, config and manifest.
    pub size: u64,
    /// Files in it.
    pub files: usize,
    /// Where it is: on disk first, then at registries.
    pub destinations: Vec<Place>,
    /// What each registry was sent, in the order of the destinations there.
    pub sent: Vec<Delivery>,
    /// What each engine took.
    pub loaded: Vec<(engine::Named, Loaded)>,
    /// What it expects of its surroundings.
    pub contract: Contract,
    /// What happened on the way that should be known; when it is unchanged, what was told of the plans too.
    pub notes: Vec<Note>,
    /// It stood there already, and nothing that it depends on has changed.
    pub is_unchanged: bool,
}

/// What it took to bring an image to a registry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// Its name there.
    pub to: Reference,
    /// What was sent.
    pub sent: Sent,
}

impl From<(Named, Sent)> for Delivery {
    fn from((to, sent): (Named, Sent)) -> Self {
        Self { to: to.reference, sent }
    }
}

/// Builds the image of `recipe` and writes it to every destination.
///
/// With a cache, an image that is there already and whose files have not changed is recognised, and nothing is read.
///
/// # Errors
/// When a program can't be resolved, two things claim one path, a file changes while it is read, the leak gate finds
/// something, or a destination can't be written. No destination is changed before the whole image is packed and the gate
/// has let it pass; registries get its layers meanwhile, each when the gate has seen all of it, and the name last.
pub fn build(recipe: &Recipe, settings: &Settings, observer: &dyn Observer) -> Result<Built, Error> {
    let destinations = Destinations::of(recipe);
    destinations.check()?;
    let routes = destinations.routes(settings)?;
    // An engine takes what is packed here, and tells itself whether it has it.
    let earlier = match destinations.engines.is_empty() {
        true => Unchanged::of(recipe, settings, &destinations)?,
        false => None,
    };
    if let Some(earlier) = &earlier
        && let Some(built) = earlier.recall(recipe, &destinations, &routes)?
    {
        return Ok(built);
    }
    let contract = contract_of(recipe)?;
    recipe.publish_contract.iter().try_for_each(Destination::check)?;
    let mut gate = leaks::gate(recipe)?;
    let roots = Roots::of(recipe);
    let plans = plan_in(&roots, recipe, settings)?;
    observer.planned(&plans);
    let staging = destinations.staging(settings)?;
    let (root, mut notes) = routes.carry(&|bytes| observer.sent(bytes), |outbox| {
        let packing =
            Packing { recipe, settings, contract: &contract.contract, staging: &staging, outbox, observer };
        let images = plans.iter().map(|plan| packing.image(plan, &mut gate));
        let root = Root::new(images.collect::<Result<_, _>>()?)?;
        let notes = gate.verdict()?;
        packing.configs(&root);
        Ok::<_, Error>((root, notes))
    })?;
    observer.publishing();
    let mut traces = Traces::default();
    for destination in &destinations.local {
        notes.extend(warnings(store::publish(&root, &staging, &recipe.names, destination)?));
        traces.add(&root, &recipe.names, destination)?;
    }
    let loaded = engines::load(&root, &staging, &destinations.engines, settings, observer)?;
    drop(staging);
    if let Some(destination) = &recipe.publish_contract {
        let artifact = contract::artifact(&contract, &root)?;
        notes.extend(warnings(store::attach(&artifact, destination)?));
        traces.add_artifact(&artifact, destination)?;
    }
    let sent = routes.name(&root.manifests())?;
    let built = Built {
        references: recipe.names.clone(),
        digest: root.digest(),
        platforms: root.images().iter().map(|image| image.platform().clone()).collect(),
        size: root
            .layers()
            .map(|layer| layer.size)
            .chain(root.documents().map(|blob| blob.descriptor().size))
            .sum(),
        layers: root.layers().cloned().collect(),
        files: plans.iter().map(|plan| plan.rootfs.files()).sum(),
        destinations: destinations.places().collect(),
        sent: sent.into_iter().map(Delivery::from).collect(),
        loaded,
        contract: contract.contract,
        notes,
        is_unchanged: false,
    };
    if let Some(earlier) = earlier {
        earlier.remember(recipe, &built, &plans, roots.witness(), traces);
    }
    Ok(built)
}

fn warnings(warnings: Vec<store::Warning>) -> impl Iterator<Item = Note> {
    warnings.into_iter().map(|warning| Note::Warning(warning.to_string()))
}
