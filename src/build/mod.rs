//! Builds the image of a recipe and publishes it to its destinations.
//!
//! Each step takes the result of the previous one. The environment is passed in as [`Settings`];
//! progress is reported to an [`Observer`]. Nothing is printed here.

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

/// Settings from the environment, which the caller reads once.
#[derive(Clone, Default, Debug)]
pub struct Settings {
    /// The time of `created` in the image's config and history, in seconds since 1970.
    pub epoch: u64,
    /// Directories that exist only on this machine: the home directory, the temporary directory.
    pub private_dirs: Vec<PathBuf>,
    /// The local cache of layers and build records. `None` disables caching.
    pub cache: Option<Arc<Cache>>,
    /// The registry client. Required only if an image is read from or pushed to a registry.
    pub client: Option<Client>,
    /// The directory for temporary files of an image without a destination on disk. Default: the
    /// working directory. The files are removed after the build.
    pub scratch: Option<PathBuf>,
    /// The remote layer cache. It requires a client.
    pub shared: Shared,
    /// The settings of local engines.
    pub engines: engine::Settings,
    /// Whether the image is compared with the one that it replaces even without a budget.
    pub compares: bool,
}

impl Settings {
    fn shared_cache(&self, images: &[Repository]) -> Option<SharedCache> {
        let client = self.client.as_ref().filter(|_| self.shared != Shared::default())?;
        Some(SharedCache::new(&self.shared, client, images))
    }
}

/// Observes the progress of a build, and can cancel it.
pub trait Observer: Sync {
    /// Called with the plan of each platform before packing.
    fn planned(&self, plans: &[Plan]);
    /// Called after `bytes` more bytes were packed; called with 0 to ask for cancellation. `Break`
    /// cancels the build.
    fn packed(&self, bytes: u64) -> ControlFlow<()>;
    /// Called when `bytes` more bytes are to be sent to registries.
    fn sending(&self, _bytes: u64) {}
    /// Called after `bytes` more bytes were sent. `Break` cancels the build.
    fn sent(&self, _bytes: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
    /// Called when the image is packed and its blobs are uploaded, or it is up to date, before it
    /// is written to its destinations and named. Parallel builds block here until it is their turn,
    /// so that the order of writes to a shared image layout is always the same.
    fn publishing(&self) -> Turn {
        Turn::Publish
    }
}

/// Whether an image that is ready is published.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// Publish it.
    Publish,
    /// Publish it unless its inputs have changed since it was packed.
    PublishUnlessChanged,
    /// Cancel the build.
    GiveUp,
}

/// The no-op observer.
impl Observer for () {
    fn planned(&self, _plans: &[Plan]) {}
    fn packed(&self, _bytes: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// The result of a build.
#[derive(Debug)]
pub struct Built {
    /// The image's names.
    pub references: Vec<Reference>,
    /// The digest of its manifest or index: the one that `index.json` lists.
    pub digest: Digest,
    /// Its platforms.
    pub platforms: Vec<Platform>,
    /// The base image of each platform.
    pub below: Vec<Below>,
    /// The user and group that the program runs as.
    pub user: Owner,
    /// Its layers without those of the base image, in order.
    pub layers: Vec<Layer>,
    /// The size of its layers, configs, manifests and index, in bytes.
    pub size: u64,
    /// The sizes of the image of each platform.
    pub weights: Vec<Weight>,
    /// The image that it was compared with.
    pub previous: Option<Previous>,
    /// The number of files in it, without those of the base image.
    pub files: usize,
    /// Its destinations: on disk, then registries, then engines.
    pub destinations: Vec<Place>,
    /// What was sent to each registry, in the order of those destinations.
    pub sent: Vec<Delivery>,
    /// What each engine loaded.
    pub loaded: Vec<(engine::Named, Loaded)>,
    /// The contract: what the image expects of its configuration.
    pub contract: Contract,
    /// Warnings and hints of the build. If the image is unchanged, those of the recorded plans,
    /// too.
    pub notes: Vec<Note>,
    /// Whether the image was up to date, so that nothing was built.
    pub is_unchanged: bool,
}

/// The base of an image of one platform.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Below {
    /// Its full name. `None` for a base image without one.
    pub name: Option<String>,
    /// The digest of its manifest.
    pub digest: Digest,
    /// The number of its layers.
    pub layers: usize,
    /// The size of its layers, in bytes.
    pub size: u64,
    /// The number of files that the image omits because the base image has them.
    pub shared: usize,
}

/// A push of the image to one name at a registry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// The image's name at the registry.
    pub to: Reference,
    /// What was sent.
    pub sent: Sent,
}

impl From<(Named, Sent)> for Delivery {
    fn from((to, sent): (Named, Sent)) -> Self {
        Self { to: to.reference, sent }
    }
}

/// Builds the image of `recipe` and publishes it to every destination.
///
/// With a cache, an image whose inputs and outputs have not changed since an earlier build is not
/// built again.
///
/// # Errors
/// Fails if a program cannot be resolved, different contents are planned for one path, a file
/// changes while it is read, the secret scanner has findings, the image exceeds its budget, or a
/// destination cannot be written.
///
/// No destination is changed before the whole image is packed, scanned and within its budget. Only
/// layers are uploaded to registries before that, each after its scan is complete; tags are set
/// last.
pub fn build(recipe: &Recipe, settings: &Settings, observer: &dyn Observer) -> Result<Built, Error> {
    let destinations = Destinations::of(recipe);
    destinations.check()?;
    let routes = destinations.routes(recipe, settings)?;
    destinations.contract_at_registry(settings)?;
    let configuration = coracle_kube::config::fingerprint(&recipe.config);
    // No up-to-date check for engines: only the engine can tell whether it still has the image.
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
    // Before the tags: an image that can be pulled by name has its contract.
    let (published, contract_warnings) =
        contract::publish(&contract, &root, &destinations, settings, &mut traces)?;
    notes.extend(warnings(contract_warnings));
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
    // The comparison is not recorded: the previous image may be another one next time.
    Ok(comparison.seen(built))
}

/// Returns `built` compared with the previous image. `None` if it exceeds its budget: then it is
/// packed again, so that the error can list its largest files.
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

/// Waits for the observer's decision. Fails if the build is cancelled, or inputs have changed.
fn take_turn(observer: &dyn Observer, is_same: impl FnOnce() -> bool) -> Result<(), Error> {
    match observer.publishing() {
        Turn::PublishUnlessChanged if !is_same() => Err(Error::Changed),
        Turn::Publish | Turn::PublishUnlessChanged => Ok(()),
        Turn::GiveUp => Err(Error::interrupted()),
    }
}

/// Whether the configuration still has this fingerprint. Piped configuration has none and cannot
/// change.
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

/// Returns the user and group of the program, which must be the same on every platform.
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
