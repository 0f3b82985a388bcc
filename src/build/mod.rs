//! The straight line over all floors: a recipe in, an image at its destinations out.
//!
//! Each step takes the value of the one before. What the environment decides comes in as [`Settings`], what goes on is
//! told to an [`Observer`]; nothing is printed here.

mod budget;
mod check;
mod comparison;
mod config;
mod contract;
mod destinations;
mod engines;
mod error;
mod ground;
mod hints;
mod leaks;
mod linkage;
mod packing;
mod plan;
mod roots;
mod sysroot;
mod unchanged;

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

pub use budget::OverBudget;
pub use comparison::{Before, Change, Previous, Weight};
pub use contract::contract_of;
pub use destinations::{including, registries};
pub use error::Error;
pub use leaks::{foresee, judge_configuration};
pub use plan::{Plan, plan};
pub use roots::{Roots, View};

use comparison::Comparison;
use destinations::Destinations;
use packing::{Packed, Packing};
use plan::plan_in;
use unchanged::Unchanged;

use coracle_oci::cache::Cache;
use coracle_kube::contract::Contract;
use coracle_core::digest::Digest;
use coracle_oci::engine::{self, Loaded};
use coracle_oci::layer::Layer;
use coracle_core::note::Note;
use coracle_core::platform::Platform;
use crate::recipe::{DEFAULT_USER, Recipe};
use coracle_core::reference::Reference;
use coracle_oci::registry::{Client, Repository};
use crate::rootfs::Owner;
use coracle_oci::remote_cache::{Shared, SharedCache};
use coracle_oci::layout::{self, Traces};
use coracle_oci::copy::{Named, Place, Sent};

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
    /// Where layers of other machines are; it takes a client.
    pub shared: Shared,
    /// What the environment says about local engines.
    pub engines: engine::Settings,
    /// Whether an image is compared with the one that it replaces even where no budget asks for it.
    pub compares: bool,
}

impl Settings {
    fn shared_cache(&self, images: &[Repository]) -> Option<SharedCache> {
        let client = self.client.as_ref().filter(|_| self.shared != Shared::default())?;
        Some(SharedCache::new(&self.shared, client, images))
    }
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
    /// All is packed, sent as far as it has no name, and about to be written to its destinations, or found there; says whether
    /// to go on. Who builds several images at once lets them wait here for their turn, so that a layout that they share
    /// always looks the same, or until it is known that they are wanted.
    fn publishing(&self) -> Turn {
        Turn::Publish
    }
}

/// What becomes of an image that is ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// It is published.
    Publish,
    /// It is published if all that it was made of is as it was: it may have waited for long.
    PublishUnlessChanged,
    /// It is given up.
    GiveUp,
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
    /// The image of each platform in figures.
    pub weights: Vec<Weight>,
    /// What it was compared with.
    pub previous: Option<Previous>,
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
/// something, the image is larger than its budget, or a destination can't be written. No destination is changed before
/// the whole image is packed, the gate has let it pass, and it is small enough; registries get its layers meanwhile, each
/// when the gate has seen all of it, and the name last.
pub fn build(recipe: &Recipe, settings: &Settings, observer: &dyn Observer) -> Result<Built, Error> {
    let destinations = Destinations::of(recipe);
    destinations.check()?;
    let routes = destinations.routes(recipe, settings)?;
    destinations.contract_at_registry(settings)?;
    let configuration = coracle_kube::config::fingerprint(&recipe.config);
    // An engine takes what is packed here, and tells itself whether it has it.
    let earlier = match destinations.engines.is_empty() {
        true => Unchanged::of(recipe, settings, &destinations, configuration)?,
        false => None,
    };
    if let Some(earlier) = &earlier
        && let Some(built) = earlier.recall(recipe, settings, &destinations, &routes)?
        && let Some(built) = within_budget(built, recipe, settings, &destinations)?
    {
        let is_same = || is_same(recipe, configuration) && earlier.holds(recipe, &destinations);
        return take_turn(observer, is_same).map(|()| built);
    }
    let mut contract = contract_of(recipe)?;
    let gate = leaks::gate(recipe)?;
    let earlier = earlier.map(|earlier| earlier.begin(recipe));
    let roots = Roots::of(recipe);
    let base = ground::open(recipe, settings)?;
    let plans = plan_in(&roots, recipe, settings, base.as_deref(), observer)?;
    let platforms: Vec<&Platform> = plans.iter().map(|plan| &plan.platform).collect();
    let comparison = Comparison::of(recipe, settings, &destinations, &platforms)?;
    let user = user(recipe, &plans)?;
    contract.contract.user = user.to_string();
    observer.planned(&plans);
    let staging = destinations.staging(settings)?;
    let repositories = destinations.repositories();
    let shared = settings.shared_cache(&repositories);
    let Packed { root, layers, mut notes } = routes.carry(&|bytes| observer.sent(bytes), |outbox| {
        let packing = Packing {
            recipe,
            settings,
            contract: &contract.contract,
            base: base.as_ref(),
            staging: &staging,
            outbox,
            observer,
            is_on_disk: !(destinations.local.is_empty() && destinations.engines.is_empty()),
            shared: shared.as_ref(),
            packed: RefCell::default(),
        };
        packing.all(&plans, gate, &comparison)
    })?;
    if let Some(base) = &base {
        ground::stage(base, &root, &staging, &destinations, observer)?;
    }
    take_turn(observer, || is_same(recipe, configuration) && roots.witness().holds())?;
    if let Some(shared) = &shared {
        layers.iter().for_each(|(shape, layer)| shared.keep(*shape, layer, &staging, &repositories));
        notes.extend(shared.note());
    }
    let mut traces = Traces::default();
    for destination in &destinations.local {
        notes.extend(warnings(layout::publish(&root, &staging, &recipe.names, destination)?));
        traces.add(&root, &recipe.names, destination)?;
    }
    let loaded = engines::load(&root, &staging, &destinations.engines, settings, observer)?;
    drop(staging);
    // Before the names: where they lead to the image, the contract is complete.
    let (published, said) = contract::publish(&contract, &root, &destinations, settings, &mut traces)?;
    notes.extend(warnings(said));
    let sent = routes.name(&root.manifests())?;
    let built = Built {
        references: recipe.names.clone(),
        digest: root.digest(),
        platforms: root.images().iter().map(|image| image.platform().clone()).collect(),
        size: root.size(),
        weights: Weight::all(&root),
        previous: None,
        layers: root.layers().cloned().collect(),
        below: plans.iter().filter_map(Below::of).collect(),
        user,
        files: plans.iter().map(|plan| plan.rootfs.files()).sum(),
        destinations: destinations.places().collect(),
        sent: sent.into_iter().map(Delivery::from).collect(),
        loaded,
        contract: contract.contract,
        notes,
        is_unchanged: false,
    };
    let is_on = base.as_ref().map(|base| base.digest()).transpose()?;
    if let Some(earlier) = earlier.filter(|earlier| earlier.base() == is_on) {
        earlier.remember(recipe, &built, published, &plans, roots.witness(), traces);
    }
    // What it is compared with may be another image the next time.
    Ok(comparison.seen(built))
}

/// `built` beside the image before it, if it keeps to its budget. What does not is packed again: then its files can be told.
fn within_budget(
    built: Built,
    recipe: &Recipe,
    settings: &Settings,
    destinations: &Destinations,
) -> Result<Option<Built>, Error> {
    let platforms: Vec<&Platform> = built.platforms.iter().collect();
    let comparison = Comparison::of(recipe, settings, destinations, &platforms)?;
    let built = comparison.seen(built);
    Ok(comparison.holds(&built).then_some(built))
}

/// Waits for the image's turn.
fn take_turn(observer: &dyn Observer, is_same: impl FnOnce() -> bool) -> Result<(), Error> {
    match observer.publishing() {
        Turn::PublishUnlessChanged if !is_same() => Err(Error::Changed),
        Turn::Publish | Turn::PublishUnlessChanged => Ok(()),
        Turn::GiveUp => Err(Error::interrupted()),
    }
}

/// Whether the configuration is the one with this fingerprint; what is piped in has none, and can't change.
fn is_same(recipe: &Recipe, configuration: Option<Digest>) -> bool {
    coracle_kube::config::fingerprint(&recipe.config) == configuration
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

fn warnings(warnings: Vec<layout::Warning>) -> impl Iterator<Item = Note> {
    warnings.into_iter().map(|warning| Note::Warning(warning.to_string()))
}
