//! The straight line over all floors: a recipe in, an image at its destinations out.
//!
//! Each step takes the value of the one before. What the environment decides comes in as [`Settings`], what goes on is
//! told to an [`Observer`]; nothing is printed here.

mod check;
mod config;
mod contract;
mod destinations;
mod error;
mod ground;
mod hints;
mod leaks;
mod plan;
mod roots;
mod sysroot;
mod unchanged;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

pub use contract::contract_of;
pub use error::Error;
pub use leaks::{foresee, judge_configuration};
pub use plan::{Plan, plan};
pub use roots::{Roots, View};

use destinations::Destinations;
use plan::plan_in;
use unchanged::Unchanged;

use crate::cache::Cache;
use crate::contract::Contract;
use crate::digest::Digest;
use crate::gate::Gate;
use crate::image::{Image, Root};
use crate::layer::Layer;
use crate::note::Note;
use crate::platform::Platform;
use crate::recipe::{DEFAULT_USER, Recipe};
use crate::reference::Reference;
use crate::registry::Client;
use crate::rootfs::Owner;
use crate::store::{self, Destination, Staging, Traces};

/// What the environment decides, read once by whoever calls.
#[derive(Clone, Default, Debug)]
pub struct Settings {
    /// Seconds since 1970, for `created` of the config and its history.
    pub epoch: u64,
    /// Directories whose paths exist on this machine alone: home, the temporary directory.
    pub private_dirs: Vec<PathBuf>,
    /// What was built before; without it, everything is done again.
    pub cache: Option<Arc<Cache>>,
    /// Who talks to registries; without it, one that has no logins.
    pub client: Option<Client>,
}

/// Sees how a build goes.
pub trait Observer: Sync {
    /// The plans, one for each platform, before anything is packed.
    fn planned(&self, plans: &[Plan]);
    /// So many more bytes were packed; says whether to go on.
    fn packed(&self, bytes: u64) -> ControlFlow<()>;
    /// All is packed and about to be written to its destinations; who builds several images at once lets them wait here
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
    /// What it stands on: name, digest and layers of the base of each platform.
    pub below: Vec<Below>,
    /// Who runs the program.
    pub user: Owner,
    /// Its own layers, in order.
    pub layers: Vec<Layer>,
    /// Bytes of its layers, config and manifest.
    pub size: u64,
    /// Files in it.
    pub files: usize,
    /// Where it was written.
    pub destinations: Vec<Destination>,
    /// What it expects of its surroundings.
    pub contract: Contract,
    /// What happened on the way that should be known; when it is unchanged, what was told of the plans too.
    pub notes: Vec<Note>,
    /// It stood there already, and nothing that it depends on has changed.
    pub is_unchanged: bool,
}

/// The base of an image of one platform.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Below {
    /// What it is called, in full.
    pub name: Option<String>,
    /// The digest of its manifest.
    pub digest: Digest,
    /// How many layers it has.
    pub layers: usize,
    /// Their bytes.
    pub size: u64,
    /// How many files the image does not bring, because the base has them.
    pub shared: usize,
}

/// Builds the image of `recipe` and writes it to every destination.
///
/// With a cache, an image that is there already and whose files have not changed is recognised, and nothing is read.
///
/// # Errors
/// When a program can't be resolved, two things claim one path, a file changes while it is read, the leak gate finds
/// something, or a destination can't be written. No destination is changed before the whole image is packed.
pub fn build(recipe: &Recipe, settings: &Settings, observer: &dyn Observer) -> Result<Built, Error> {
    let destinations = Destinations::of(recipe);
    destinations.iter().try_for_each(Destination::check)?;
    let earlier = Unchanged::of(recipe, settings, &destinations)?;
    if let Some(built) = earlier.as_ref().and_then(|earlier| earlier.recall(recipe, &destinations)) {
        return Ok(built);
    }
    let mut contract = contract_of(recipe)?;
    recipe.publish_contract.iter().try_for_each(Destination::check)?;
    let mut gate = leaks::gate(recipe)?;
    let roots = Roots::of(recipe);
    let base = ground::open(recipe, settings)?;
    let plans = plan_in(&roots, recipe, settings, base.as_ref())?;
    let user = user(recipe, &plans)?;
    contract.contract.user = user.to_string();
    observer.planned(&plans);
    let staging = Staging::new(&destinations.first)?;
    let images = plans
        .iter()
        .map(|plan| pack(recipe, settings, plan, &contract.contract, &staging, observer, &mut gate));
    let root = Root::new(images.collect::<Result<_, _>>()?)?;
    let mut notes = gate.verdict()?;
    if let Some(base) = &base {
        ground::stage(base, &root, &staging, &destinations, observer)?;
    }
    observer.publishing();
    let mut traces = Traces::default();
    for destination in destinations.iter() {
        notes.extend(warnings(store::publish(&root, &staging, &recipe.names, destination)?));
        traces.add(&root, &recipe.names, destination)?;
    }
    drop(staging);
    if let Some(destination) = &recipe.publish_contract {
        let artifact = contract::artifact(&contract, &root)?;
        notes.extend(warnings(store::attach(&artifact, destination)?));
        traces.add_artifact(&artifact, destination)?;
    }
    let built = Built {
        references: recipe.names.clone(),
        digest: root.digest(),
        platforms: root.images().iter().map(|image| image.platform().clone()).collect(),
        size: root
            .blobs()
            .map(|layer| layer.size)
            .chain(root.documents().map(|blob| blob.descriptor().size))
            .sum(),
        layers: root.layers().cloned().collect(),
        below: plans.iter().filter_map(Below::of).collect(),
        user,
        files: plans.iter().map(|plan| plan.rootfs.files()).sum(),
        destinations: destinations.iter().cloned().collect(),
        contract: contract.contract,
        notes,
        is_unchanged: false,
    };
    if let Some(earlier) = earlier {
        earlier.remember(recipe, &built, &plans, roots.witness(), traces);
    }
    Ok(built)
}

/// The image of one platform, its layers packed into `staging`.
fn pack(
    recipe: &Recipe,
    settings: &Settings,
    plan: &Plan,
    contract: &Contract,
    staging: &Staging,
    observer: &dyn Observer,
    gate: &mut Gate,
) -> Result<Image, Error> {
    let config = config::of(recipe, plan, contract)?;
    gate.places(&plan.rootfs);
    leaks::words(gate, &config);
    let packed = |bytes| observer.packed(bytes);
    let strata = plan.rootfs.strata().into_iter();
    let cache = settings.cache.as_deref();
    let layers = strata.map(|stratum| {
        let entries = plan.rootfs.layer(stratum);
        staging.pack(&entries, stratum, recipe.compression, cache, &packed, gate)
    });
    let layers = layers.collect::<Result<Vec<_>, _>>()?;
    let below = plan.base.as_ref().map(|base| base.image.clone()).unwrap_or_default();
    Ok(Image::new(&config, &plan.platform, &below, &layers, settings.epoch)?)
}

impl Below {
    fn of(plan: &Plan) -> Option<Self> {
        let base = plan.base.as_ref()?;
        let layers = &base.image.layers;
        let size = layers.iter().map(|(layer, _)| layer.size).sum();
        let (name, digest, shared) = (base.name.clone(), base.digest, plan.shared);
        Some(Self { name, digest, layers: layers.len(), size, shared })
    }
}

/// Who runs the program, on every platform.
fn user(recipe: &Recipe, plans: &[Plan]) -> Result<Owner, Error> {
    let mut users = plans.iter().map(|plan| plan.user);
    let first = users.next().or(recipe.user).unwrap_or(DEFAULT_USER);
    match users.find(|user| *user != first) {
        Some(other) => Err(Error::Users { first, other }),
        None => Ok(first),
    }
}

fn warnings(warnings: Vec<store::Warning>) -> impl Iterator<Item = Note> {
    warnings.into_iter().map(|warning| Note::Warning(warning.to_string()))
}
