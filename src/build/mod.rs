//! Builds the image of a recipe and publishes it to its destinations.
//!
//! Each step takes the result of the previous one. The environment is passed in as [`Settings`];
//! progress is reported to an [`Observer`]. Nothing is printed here.

mod budget;
mod build_record;
mod contract;
mod destinations;
mod engines;
mod error;
mod image_config;
mod linkage;
mod optional_dependencies;
mod packing;
mod plan;
mod platform_base;
mod progress;
mod roots;
mod secret_scan;
mod size_comparison;
mod start_check;
mod sysroot;

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;

pub use budget::OverBudget;
pub use contract::contract_of;
pub use destinations::{enclosing_include, registry_destinations};
pub use error::Error;
pub use plan::{Plan, plan};
pub use roots::{RootFileSystems, RootId};
pub use secret_scan::{scan_config, scan_plan};
pub use size_comparison::{PlatformSize, PreviousImage, PreviousSize, SizeDelta};

use build_record::BuildRecord;
use destinations::Destinations;
use packing::{PackedImage, Packer};
use plan::plan_with_roots;
use progress::UploadProgress;
use size_comparison::SizeComparison;

use crate::recipe::{DEFAULT_USER, Recipe};
use crate::rootfs::Owner;
use coracle_core::digest::Digest;
use coracle_core::note::Note;
use coracle_core::platform::Platform;
use coracle_core::reference::ImageReference;
use coracle_kube::contract::Contract;
use coracle_oci::cache::BuildCache;
use coracle_oci::copy::{ImageLocation, PushSummary, RegistryImageName};
use coracle_oci::engine::{self, LoadedImage};
use coracle_oci::layer::Layer;
use coracle_oci::layout::{self, OutputStamp};
use coracle_oci::registry::{RegistryClient, Repository};
use coracle_oci::remote_cache::{RemoteCache, RemoteCacheConfig};

/// Settings from the environment, which the caller reads once.
#[derive(Clone, Default, Debug)]
pub struct Settings {
    /// The time of `created` in the image's config and history, in seconds since 1970.
    pub epoch: u64,
    /// Directories that exist only on this machine: the home directory, the temporary directory.
    pub private_dirs: Vec<PathBuf>,
    /// The local cache of layers and build records. `None` disables caching.
    pub cache: Option<Arc<BuildCache>>,
    /// The registry client. Required only if an image is read from or pushed to a registry.
    pub registry_client: Option<RegistryClient>,
    /// The directory for temporary files of an image without a destination on disk. Default: the
    /// working directory. The files are removed after the build.
    pub scratch_dir: Option<PathBuf>,
    /// The remote layer cache. It requires a client.
    pub remote_cache: RemoteCacheConfig,
    /// The settings of local engines.
    pub engines: engine::EngineSettings,
    /// Whether the image is compared with the one that it replaces even without a budget.
    pub compare_with_previous: bool,
}

impl Settings {
    fn open_remote_cache(&self, images: &[Repository]) -> Option<RemoteCache> {
        let client =
            self.registry_client.as_ref().filter(|_| self.remote_cache != RemoteCacheConfig::default())?;
        Some(RemoteCache::new(&self.remote_cache, client, images))
    }
}

/// Observes the progress of a build, and can cancel it.
pub trait Observer: Sync {
    /// Called with the plan of each platform before packing.
    fn on_planned(&self, plans: &[Plan]);
    /// Called after `bytes` more bytes were packed.
    fn on_packed(&self, bytes: u64);
    /// Called when `bytes` more bytes are to be sent to registries.
    fn on_upload_queued(&self, _bytes: u64) {}
    /// Called after `bytes` more bytes were sent.
    fn on_uploaded(&self, _bytes: u64) {}
    /// Whether the build should end. Once true, it must stay true.
    fn is_cancelled(&self) -> bool {
        false
    }
    /// Called when the image is packed and its blobs are uploaded, or it is up to date, before it
    /// is written to its destinations and named. Parallel builds block here until it is their turn,
    /// so that the order of writes to a shared image layout is always the same.
    fn before_publish(&self) -> PublishDecision {
        PublishDecision::Publish
    }
}

/// Whether an image that is ready is published.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PublishDecision {
    /// Publish it.
    Publish,
    /// Publish it unless its inputs have changed since it was packed.
    PublishIfUnchanged,
    /// Cancel the build.
    Cancel,
}

/// The no-op observer.
impl Observer for () {
    fn on_planned(&self, _plans: &[Plan]) {}
    fn on_packed(&self, _bytes: u64) {}
}

/// The result of a build.
#[derive(Debug)]
pub struct Built {
    /// The image's names.
    pub references: Vec<ImageReference>,
    /// The digest of its manifest or index: the one that `index.json` lists.
    pub digest: Digest,
    /// Its platforms.
    pub platforms: Vec<Platform>,
    /// The base image of each platform.
    pub bases: Vec<BaseInfo>,
    /// The user and group that the program runs as.
    pub user: Owner,
    /// Its layers without those of the base image, in order.
    pub layers: Vec<Layer>,
    /// The size of its layers, configs, manifests and index, in bytes.
    pub size: u64,
    /// The sizes of the image of each platform.
    pub platform_sizes: Vec<PlatformSize>,
    /// The image that it was compared with.
    pub previous: Option<PreviousImage>,
    /// The number of files in it, without those of the base image.
    pub file_count: usize,
    /// Its destinations: on disk, then registries, then engines.
    pub destinations: Vec<ImageLocation>,
    /// What was sent to each registry, in the order of those destinations.
    pub pushes: Vec<RegistryPush>,
    /// What each engine loaded.
    pub loaded: Vec<(engine::EngineImageName, LoadedImage)>,
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
pub struct BaseInfo {
    /// Its full name. `None` for a base image without one.
    pub name: Option<String>,
    /// The digest of its manifest.
    pub digest: Digest,
    /// The number of its layers.
    pub layer_count: usize,
    /// The size of its layers, in bytes.
    pub size: u64,
    /// The number of files that the image omits because the base image has them.
    pub shared_files: usize,
}

/// A push of the image to one name at a registry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegistryPush {
    /// The image's name at the registry.
    pub name: ImageReference,
    /// What was sent.
    pub sent: PushSummary,
}

impl From<(RegistryImageName, PushSummary)> for RegistryPush {
    fn from((to, sent): (RegistryImageName, PushSummary)) -> Self {
        Self { name: to.reference, sent }
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
    let destinations = Destinations::from_recipe(recipe);
    destinations.check_writable()?;
    let routes = destinations.push_routes(recipe, settings)?;
    destinations.contract_at_registry(settings)?;
    let configuration = coracle_kube::config::source_fingerprint(&recipe.config);
    // No up-to-date check for engines: only the engine can tell whether it still has the image.
    let earlier = match destinations.engines.is_empty() {
        true => BuildRecord::find(recipe, settings, &destinations, configuration)?,
        false => None,
    };
    if let Some(earlier) = &earlier
        && let Some(built) = earlier.valid_result(recipe, settings, &destinations, &routes)?
        && let Some(built) = recalled_within_budget(built, recipe, settings, &destinations)?
    {
        let is_same =
            || is_config_unchanged(recipe, configuration) && earlier.is_current(recipe, &destinations);
        return wait_for_publish(observer, is_same).map(|()| built);
    }
    let mut contract = contract_of(recipe)?;
    let gate = secret_scan::secret_scanner(recipe)?;
    let earlier = earlier.map(|earlier| earlier.start_build(recipe));
    let roots = RootFileSystems::from_recipe(recipe);
    let base = platform_base::open_base(recipe, settings)?;
    let plans = plan_with_roots(&roots, recipe, settings, base.as_deref(), observer)?;
    let platforms: Vec<&Platform> = plans.iter().map(|plan| &plan.platform).collect();
    let comparison = SizeComparison::find_previous(recipe, settings, &destinations, &platforms)?;
    let user = common_user(recipe, &plans)?;
    contract.contract.user = user.to_string();
    observer.on_planned(&plans);
    let staging = destinations.staging(settings)?;
    let repositories = destinations.repositories();
    let shared = settings.open_remote_cache(&repositories);
    let PackedImage { root, layers, mut notes } =
        routes.upload_while(&UploadProgress(observer), |outbox| {
            let packing = Packer {
                recipe,
                settings,
                contract: &contract.contract,
                base: base.as_ref(),
                staging: &staging,
                upload_queue: outbox,
                observer,
                is_on_disk: !(destinations.local.is_empty() && destinations.engines.is_empty()),
                remote_cache: shared.as_ref(),
                packed: RefCell::default(),
            };
            packing.pack_images(&plans, gate, &comparison)
        })?;
    if let Some(base) = &base {
        platform_base::stage_base_layers(base, &root, &staging, &destinations, observer)?;
    }
    wait_for_publish(observer, || {
        is_config_unchanged(recipe, configuration) && roots.input_tracker().is_current()
    })?;
    if let Some(shared) = &shared {
        layers.iter().for_each(|(shape, layer)| shared.upload(*shape, layer, &staging, &repositories));
        notes.extend(shared.take_warning());
    }
    let mut traces = OutputStamp::default();
    for destination in &destinations.local {
        notes.extend(warning_notes(layout::write_image(&root, &staging, &recipe.names, destination)?));
        traces.add_image(&root, &recipe.names, destination)?;
    }
    let loaded = engines::load_into_engines(&root, &staging, &destinations.engines, settings, observer)?;
    drop(staging);
    // Before the tags: an image that can be pulled by name has its contract.
    let (published, contract_warnings) =
        contract::publish_contract(&contract, &root, &destinations, settings, &mut traces)?;
    notes.extend(warning_notes(contract_warnings));
    let sent = routes.tag(&root.manifests())?;
    let built = Built {
        references: recipe.names.clone(),
        digest: root.digest(),
        platforms: root.images().iter().map(|image| image.platform().clone()).collect(),
        size: root.total_size(),
        platform_sizes: PlatformSize::of_all_platforms(&root),
        previous: None,
        layers: root.packed_layers().cloned().collect(),
        bases: plans.iter().filter_map(BaseInfo::from_plan).collect(),
        user,
        file_count: plans.iter().map(|plan| plan.rootfs.file_count()).sum(),
        destinations: destinations.locations().collect(),
        pushes: sent.into_iter().map(RegistryPush::from).collect(),
        loaded,
        contract: contract.contract,
        notes,
        is_unchanged: false,
    };
    let is_on = base.as_ref().map(|base| base.digest()).transpose()?;
    if let Some(earlier) = earlier.filter(|earlier| earlier.base() == is_on) {
        earlier.write_record(recipe, &built, published, &plans, roots.input_tracker(), traces);
    }
    // The comparison is not recorded: the previous image may be another one next time.
    Ok(comparison.add_to(built))
}

/// Returns `built` compared with the previous image. `None` if it exceeds its budget: then it is
/// packed again, so that the error can list its largest files.
fn recalled_within_budget(
    built: Built,
    recipe: &Recipe,
    settings: &Settings,
    destinations: &Destinations,
) -> Result<Option<Built>, Error> {
    let platforms: Vec<&Platform> = built.platforms.iter().collect();
    let comparison = SizeComparison::find_previous(recipe, settings, destinations, &platforms)?;
    let built = comparison.add_to(built);
    Ok(comparison.is_within_budget(&built).then_some(built))
}

/// Waits for the observer's decision. Fails if the build is cancelled, or inputs have changed.
fn wait_for_publish(observer: &dyn Observer, is_same: impl FnOnce() -> bool) -> Result<(), Error> {
    match observer.before_publish() {
        PublishDecision::PublishIfUnchanged if !is_same() => Err(Error::InputsChanged),
        PublishDecision::Publish | PublishDecision::PublishIfUnchanged => Ok(()),
        PublishDecision::Cancel => Err(Error::Cancelled),
    }
}

/// Whether the configuration still has this fingerprint. Piped configuration has none and cannot
/// change.
fn is_config_unchanged(recipe: &Recipe, configuration: Option<Digest>) -> bool {
    coracle_kube::config::source_fingerprint(&recipe.config) == configuration
}

impl BaseInfo {
    fn from_plan(plan: &Plan) -> Option<Self> {
        let base = plan.base.as_ref()?;
        let layers = &base.base_layers.layers;
        let size = layers.iter().map(|(layer, _)| layer.size).sum();
        let (name, digest, shared) = (base.name.clone(), base.digest, plan.shared_files);
        Some(Self { name, digest, layer_count: layers.len(), size, shared_files: shared })
    }
}

/// Returns the user and group of the program, which must be the same on every platform.
fn common_user(recipe: &Recipe, plans: &[Plan]) -> Result<Owner, Error> {
    let mut users = plans.iter().map(|plan| plan.user);
    let first = users.next().or(recipe.user).unwrap_or(DEFAULT_USER);
    match users.find(|user| *user != first) {
        Some(other) => Err(Error::BaseUsersDiffer { first, other }),
        None => Ok(first),
    }
}

fn warning_notes(warnings: Vec<layout::LayoutWarning>) -> impl Iterator<Item = Note> {
    warnings.into_iter().map(|warning| Note::Warning(warning.to_string()))
}
