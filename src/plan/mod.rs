//! Plans the images of a recipe: resolves the programs, plans the file tree of each platform, and
//! prepares what is checked while files are packed.

mod complete_image;
mod image_planner;
mod linkage;
mod platform_base;
mod platform_groups;
mod start_check;
mod stop_signal_hint;
mod virtual_environment;
mod web_file_times;

pub use start_check::check_required_files;

use std::sync::Arc;

use super::base_image;
use super::build_request::BuildRequest;
use super::contract::{self, ContractDocument};
use super::destinations::Destinations;
use super::error::Error;
use super::lock;
use super::observer::Observer;
use super::recipe::{DEFAULT_USER, Recipe};
use super::root_file_systems::{self, RootFileSystems};
use super::rootfs::Owner;
use super::secret_scan::ImageScanner;
use super::settings::Settings;
use super::size_comparison::SizeComparison;
use coracle_core::digest::Digest;
use coracle_core::path::ImagePath;
use coracle_oci::base::BaseSource;
use image_planner::{EntriesFromHints, ImagePlanner};
use platform_base::PlatformBase;
use platform_groups::group_by_platform;

use super::image_plan::Plan;

/// The plan of a build.
pub(crate) struct BuildPlan<'a> {
    pub(crate) images: PlannedImages<'a>,
    /// The scanner of the files, which are scanned while they are packed.
    pub(crate) scanner: ImageScanner,
}

/// The planned images of all platforms, and what they are made from.
pub(crate) struct PlannedImages<'a> {
    pub(crate) plans: Vec<Plan>,
    /// The user that programs run as, on all platforms.
    pub(crate) user: Owner,
    pub(crate) contract: ContractDocument,
    pub(crate) base: Option<OpenedBase>,
    /// The file systems that the plans were made from. They record what was read.
    pub(crate) roots: RootFileSystems,
    /// The budget and the previous images.
    pub(crate) sizes: SizeComparison<'a>,
}

/// The base image, and the digest that its name resolved to.
pub(crate) struct OpenedBase {
    pub(crate) source: Arc<BaseSource>,
    pub(crate) digest: Digest,
}

/// Plans the images of a build. Nothing is written.
///
/// # Errors
/// Fails like [`plan()`], and if the configuration is invalid or a required previous image cannot be
/// read.
pub(crate) fn plan_build<'a>(request: &BuildRequest<'a>) -> Result<BuildPlan<'a>, Error> {
    let BuildRequest { recipe, settings, observer, .. } = *request;
    let mut contract = contract::contract_of(recipe)?;
    let scanner = ImageScanner::new(recipe)?;
    let roots = RootFileSystems::from_recipe(recipe);
    let base = base_image::open_base(recipe, settings)?;
    let plans =
        plan_platforms(&PlanInputs { recipe, settings, observer, roots: &roots, base: base.as_deref() })?;
    if settings.locked {
        lock::check_locked(recipe, &plans, &lock::lock_path(recipe, settings.lock_file.as_deref()))?;
    }
    let sizes = SizeComparison::read_previous_images(request, plans.iter().map(|plan| &plan.platform))?;
    let user = common_user(recipe, &plans)?;
    contract::set_user(&mut contract, user);
    contract::add_writable(&mut contract, plans.iter().flat_map(|plan| &plan.added_state_dirs));
    let base =
        base.map(|source| Ok::<_, Error>(OpenedBase { digest: source.digest()?, source })).transpose()?;
    observer.on_planned(&plans);
    Ok(BuildPlan { images: PlannedImages { plans, user, contract, base, roots, sizes }, scanner })
}

/// Resolves the programs of `recipe` and plans an image for each of their platforms. Nothing is
/// written. Of `observer`, only cancellation is used.
///
/// # Errors
/// Fails if `observer` cancels, a program cannot be resolved or would not start, a file cannot be included, different
/// contents are planned for one path, or the base image cannot be used.
pub fn plan(recipe: &Recipe, settings: &Settings, observer: &dyn Observer) -> Result<Vec<Plan>, Error> {
    let base = base_image::open_base(recipe, settings)?;
    let roots = RootFileSystems::from_recipe(recipe);
    plan_platforms(&PlanInputs { recipe, settings, observer, roots: &roots, base: base.as_deref() })
}

/// Like [`plan()`], but files without which a program does not start may be missing.
///
/// # Errors
/// Fails like [`plan()`].
pub fn plan_with_missing_files(recipe: &Recipe, settings: &Settings) -> Result<Vec<Plan>, Error> {
    let base = base_image::open_base(recipe, settings)?;
    let roots = RootFileSystems::from_recipe(recipe);
    let inputs = PlanInputs { recipe, settings, observer: &(), roots: &roots, base: base.as_deref() };
    plan_unchecked_platforms(&inputs)
}

/// Returns the directories that a complete image of `recipe` declares as writable, in addition to
/// the directories in the recipe. Empty if the recipe does not ask for a complete image.
///
/// # Errors
/// Fails like [`plan()`].
pub fn added_state_directories(recipe: &Recipe, settings: &Settings) -> Result<Vec<ImagePath>, Error> {
    let plans = if recipe.contents.complete { plan(recipe, settings, &())? } else { Vec::new() };
    let mut directories: Vec<ImagePath> = plans.into_iter().flat_map(|plan| plan.added_state_dirs).collect();
    directories.sort();
    directories.dedup();
    Ok(directories)
}

/// The inputs of the plans of all platforms.
struct PlanInputs<'a> {
    recipe: &'a Recipe,
    settings: &'a Settings,
    observer: &'a dyn Observer,
    roots: &'a RootFileSystems,
    base: Option<&'a BaseSource>,
}

fn plan_platforms(inputs: &PlanInputs<'_>) -> Result<Vec<Plan>, Error> {
    let cancelled = |error| if inputs.observer.is_cancelled() { Error::cancelled() } else { error };
    let plans = plan_unchecked_platforms(inputs).map_err(cancelled)?;
    plans.iter().try_for_each(start_check::check_required_files)?;
    Ok(plans)
}

fn plan_unchecked_platforms(inputs: &PlanInputs<'_>) -> Result<Vec<Plan>, Error> {
    let PlanInputs { recipe, settings, observer, roots, base } = *inputs;
    Destinations::from_recipe(recipe).check_not_included(recipe)?;
    let private_dirs = image_planner::private_dirs(recipe, settings)?;
    let is_allowed =
        |path: &ImagePath| recipe.checks.allowed_paths.keys().any(|allowed| path.is_within(allowed));
    let is_private = |path: &ImagePath| {
        private_dirs.iter().any(|directory| path.is_within(directory)) && !is_allowed(path)
    };
    let relocated = virtual_environment::relocate_virtual_environment(recipe, roots.host(), is_private)?;
    let recipe = &*relocated.recipe;
    let mut plans = Vec::new();
    for group in root_file_systems::program_groups(recipe, roots)? {
        for (platform, programs) in group_by_platform(recipe, roots.host(), &group)? {
            let base = base.map(|base| PlatformBase::new(base, &platform)).transpose()?;
            let file_system = &*group.file_system;
            let planner = ImagePlanner {
                recipe,
                settings,
                observer,
                roots,
                file_system,
                programs,
                platform,
                added: EntriesFromHints { files: &relocated.files, ..EntriesFromHints::default() },
            };
            let plan = match recipe.contents.complete {
                true => complete_image::plan_complete_image(&planner, base)?,
                false => planner.plan_image(base)?,
            };
            plans.push(Plan { entrypoint_script: relocated.script.clone(), ..plan });
        }
    }
    Ok(plans)
}

/// Returns the user and group of the program, which must be the same on every platform.
fn common_user(recipe: &Recipe, plans: &[Plan]) -> Result<Owner, Error> {
    let mut users = plans.iter().map(|plan| plan.user);
    let first = users.next().or(recipe.image.user).unwrap_or(DEFAULT_USER);
    match users.find(|user| *user != first) {
        Some(other) => Err(Error::BaseUsersDiffer { first, other }),
        None => Ok(first),
    }
}
