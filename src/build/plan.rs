//! Plans the images of a recipe: resolves its programs and plans the file tree of each platform.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::destinations::Destinations;
use super::platform_base::{self, PlatformBase, RunConfig};
use super::roots::{self, ProgramGroup, RootFileSystems};
use super::{Error, Observer, Settings, linkage};
use crate::recipe::{self, Recipe, RootOverrideKind};
use crate::rootfs::{self, BaseFiles, Owner, PlanRequest, PlannedProgram, ResolvedInclude, Rootfs};
use coracle_core::file_system::{FileSystem, OverlayFs};
use coracle_core::fs;
use coracle_core::note::Note;
use coracle_core::path::{ImagePath, RawPath};
use coracle_core::platform::Platform;
use coracle_ld::closure::{Closure, ElfProgram, ExecutedKind, ResolveOptions, Resolver};
use coracle_ld::implicit::{self, DataSources, Requirements};
use coracle_ld::ldso::LoaderEnvironment;
use coracle_oci::base::{self, BaseSource};

/// Directories that are private on every machine.
const PRIVATE_DIRS: [&str; 5] = ["/home", "/root", "/tmp", "/var/tmp", "/Users"];

/// The top directory of programs outside system directories; base images do not use it.
pub(super) const APP_DIR: &str = "app";

/// The planned image of one platform.
#[derive(Debug)]
pub struct Plan {
    /// The platform of the programs.
    pub platform: Platform,
    /// The file tree, without files of the base image.
    pub rootfs: Rootfs,
    /// Warnings and hints.
    pub notes: Vec<Note>,
    /// The base image.
    pub base: Option<base::BaseImage>,
    /// The number of files that are omitted because the base image has them.
    pub shared_files: usize,
    /// The user and group that the program runs as: the recipe's, else the base image's.
    pub user: Owner,
    /// The program's working directory.
    pub(super) working_dir: ImagePath,
    /// Whether a program is a script whose interpreter is found by `env`, so that `PATH` must be
    /// set.
    pub(super) needs_search_path: bool,
}

/// Resolves the programs of `recipe` and plans an image for each of their platforms. Nothing is
/// written.
///
/// # Errors
/// Fails if a program cannot be resolved or would not start, a file cannot be included, different
/// contents are planned for one path, or the base image cannot be used.
pub fn plan(recipe: &Recipe, settings: &Settings) -> Result<Vec<Plan>, Error> {
    let base = platform_base::open_base(recipe, settings)?;
    plan_with_roots(&RootFileSystems::from_recipe(recipe), recipe, settings, base.as_deref(), &())
}

/// Like [`plan`], with an opened `base`, and with `roots`, which record all inputs that are read.
pub(super) fn plan_with_roots(
    roots: &RootFileSystems,
    recipe: &Recipe,
    settings: &Settings,
    base: Option<&BaseSource>,
    observer: &dyn Observer,
) -> Result<Vec<Plan>, Error> {
    Destinations::from_recipe(recipe).check_not_included(recipe)?;
    let mut plans = Vec::new();
    for place in roots::program_groups(recipe, roots)? {
        for (platform, programs) in group_by_platform(recipe, &place)? {
            let ground = base.map(|base| PlatformBase::new(base, &platform)).transpose()?;
            let planner = ImagePlanner { recipe, settings, roots, tree: &*place.tree, programs, platform };
            plans.push(match ground {
                None => planner.plan_platform(
                    planner.tree,
                    BaseFiles::NoBase,
                    &RunConfig::without_base(recipe),
                )?,
                Some(ground) => planner.plan_on_base(ground, observer)?,
            });
        }
    }
    Ok(plans)
}

/// Programs with their raw paths in the file system that they are resolved in.
type LocatedPrograms<'a> = Vec<(RawPath, &'a recipe::RecipeProgram)>;

/// Groups the programs of one file system by platform, in the recipe's order.
fn group_by_platform<'a>(
    recipe: &Recipe,
    place: &ProgramGroup<'a>,
) -> Result<BTreeMap<Platform, LocatedPrograms<'a>>, Error> {
    let mut groups: BTreeMap<Platform, LocatedPrograms<'a>> = BTreeMap::new();
    for (spelled, program) in &place.programs {
        let found = program_platform(recipe, &*place.tree, spelled)?;
        for wanted in place.platform.iter().chain(&recipe.platform) {
            if !found.matches_ignoring_variant(wanted) {
                return Err(Error::PlatformMismatch {
                    program: spelled.clone(),
                    found,
                    wanted: wanted.clone(),
                });
            }
        }
        let platform = recipe.platform.as_ref().or(place.platform.as_ref()).unwrap_or(&found).clone();
        groups.entry(platform).or_default().push((spelled.clone(), program));
    }
    Ok(groups)
}

/// Returns the platform of a program: that of its ELF header, or of a script's interpreter.
fn program_platform(recipe: &Recipe, tree: &dyn FileSystem, spelled: &RawPath) -> Result<Platform, Error> {
    if let Some(platform) = roots::platform_at(tree, spelled)? {
        return Ok(platform);
    }
    let around = resolve_options(recipe, &RunConfig::without_base(recipe));
    let resolved = Resolver::new(tree, &around).resolve(spelled);
    match (resolved, &recipe.platform) {
        (Ok(closure), _) => closure_platform(&closure),
        // The interpreter of a script may be only in the base image.
        (Err(_), Some(platform)) if recipe.base.is_some() => Ok(platform.clone()),
        (Err(error), _) => Err(error.into()),
    }
}

/// Plans the image of one platform.
struct ImagePlanner<'a> {
    recipe: &'a Recipe,
    settings: &'a Settings,
    roots: &'a RootFileSystems,
    tree: &'a dyn FileSystem,
    programs: LocatedPrograms<'a>,
    platform: Platform,
}

impl ImagePlanner<'_> {
    /// Plans the image on its base image. The base's files are not read if all entries are below
    /// [`OWN`] and the base's config does not mention that directory.
    fn plan_on_base(&self, ground: PlatformBase<'_>, observer: &dyn Observer) -> Result<Plan, Error> {
        if let Some(user) = ground.numeric_user(self.recipe).filter(|_| !ground.mentions_app_dir()) {
            let taken = ground.run_config(self.recipe, user)?;
            if self.are_static(&taken)? {
                let plan = self.plan_platform(self.tree, BaseFiles::Unread, &taken)?;
                if plan.rootfs.iter().all(|(path, _)| path.components().next() == Some(APP_DIR.as_bytes())) {
                    return Ok(Plan { base: Some(ground.into_image()), ..plan });
                }
            }
        }
        let base = ground.tree(observer)?;
        let taken = ground.run_config(self.recipe, ground.user_by_name(self.recipe, &base)?)?;
        let merged = OverlayFs { upper: self.tree, lower: &base };
        let mut plan = self.plan_platform(&merged, BaseFiles::Read(&base), &taken)?;
        plan.notes.extend(platform_base::unknown_user_hint(taken.user, &base)?);
        Ok(Plan { base: Some(ground.into_image()), ..plan })
    }

    /// Whether all programs are static ELF files.
    fn are_static(&self, taken: &RunConfig) -> Result<bool, Error> {
        let around = resolve_options(self.recipe, taken);
        let tracer = Resolver::new(self.tree, &around);
        for (spelled, _) in &self.programs {
            // Errors are reported when the program is planned.
            let Ok(closure) = tracer.resolve(spelled) else { return Ok(false) };
            let has_none = closure.executed.len() == 1
                && closure.elf_programs().all(|elf| elf.link_map.loader.is_none());
            if !has_none {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn plan_platform(
        &self,
        tree: &dyn FileSystem,
        below: BaseFiles<'_>,
        taken: &RunConfig,
    ) -> Result<Plan, Error> {
        let (recipe, host) = (self.recipe, self.roots.host());
        let around = resolve_options(recipe, taken);
        let is_sysroot = recipe.root_overrides.iter().any(|root| root.kind == RootOverrideKind::Sysroot);
        let places = DataSources { tree, fallback: is_sysroot.then_some(host), options: &around };
        let (programs, needs) = self.resolve_programs(places)?;
        let mut notes = super::start_check::check_programs_start(&programs)?;
        linkage::check_linkage(recipe, &programs, &self.platform)?;
        let request = PlanRequest {
            host,
            includes: &resolved_includes(recipe)?,
            private_dirs: &private_dirs(recipe, self.settings)?,
            allowed_private_dirs: &recipe.allowed_paths.keys().cloned().collect::<Vec<_>>(),
            programs: &programs,
            resolve_options: &around,
            user: taken.user,
            mount_points: &super::secret_scan::mount_points(&recipe.config).cloned().collect::<Vec<_>>(),
            state_dirs: &recipe
                .config
                .writable_directories
                .iter()
                .map(|state| state.path.clone())
                .collect::<Vec<_>>(),
            strip: recipe.strip,
            requirements: needs,
            policy: &recipe.implicit,
            places,
            base: below,
        };
        let planned = rootfs::plan_rootfs(tree, &request)?;
        notes.extend(planned.notes);
        notes.extend(linkage::linkage_advice(recipe, &programs, &self.platform, &planned.rootfs)?);
        notes.extend(super::optional_dependencies::optional_dependencies_hint(&planned.hints));
        Ok(Plan {
            platform: self.platform.clone(),
            rootfs: planned.rootfs,
            notes,
            shared_files: planned.shared_files,
            user: taken.user,
            base: None,
            working_dir: taken.working_dir.clone(),
            needs_search_path: programs.iter().any(|program| program.closure.depends_on_search_path()),
        })
    }

    /// Returns the programs with all libraries that they map and open, and their implicit
    /// dependencies.
    fn resolve_programs(
        &self,
        places: DataSources<'_>,
    ) -> Result<(Vec<PlannedProgram>, Requirements), Error> {
        let tracer = Resolver::new(places.tree, places.options);
        let (mut programs, mut needs) = (Vec::new(), Requirements::default());
        for (spelled, program) in &self.programs {
            let mut closure = tracer.resolve(spelled)?;
            closure_platform(&closure)?;
            let last = closure.executed.len().saturating_sub(1);
            for (index, executed) in closure.executed.iter_mut().enumerate() {
                let is_entrypoint = programs.is_empty() && index == last;
                needs.merge(implicit::add_implicit_dependencies(
                    &tracer,
                    places,
                    &self.recipe.implicit,
                    executed,
                    is_entrypoint,
                )?);
            }
            programs.push(PlannedProgram { closure, to: program.to.clone() });
        }
        Ok((programs, needs))
    }
}

/// Returns the options of resolution: what programs and their loaders read from the image's config.
fn resolve_options(recipe: &Recipe, taken: &RunConfig) -> ResolveOptions {
    let default = ResolveOptions::default();
    let search_path = taken.env.get("PATH").cloned().unwrap_or(default.search_path);
    let variable = |name: &str| taken.env.get(name).cloned().unwrap_or_default().into_bytes();
    let loader = LoaderEnvironment {
        library_path: variable("LD_LIBRARY_PATH"),
        preload: variable("LD_PRELOAD"),
        hwcaps: recipe.hwcaps.clone(),
        ..default.loader_environment
    };
    ResolveOptions { working_dir: taken.working_dir.clone(), search_path, loader_environment: loader }
}

/// Returns the platform of all executed programs. Fails if they differ, or OCI has none.
fn closure_platform(closure: &Closure) -> Result<Platform, Error> {
    let mut first: Option<Platform> = None;
    for executed in &closure.executed {
        let ExecutedKind::Elf(ElfProgram { machine, .. }) = &executed.kind else { continue };
        let program = || executed.raw_path.clone();
        let found = machine
            .platform()
            .ok_or_else(|| Error::UnsupportedMachine { program: program(), machine: machine.to_string() })?;
        let wanted = first.get_or_insert_with(|| found.clone());
        if *wanted != found {
            return Err(Error::InterpreterPlatform { program: program(), found, wanted: wanted.clone() });
        }
    }
    // A closure ends with an ELF program, so there is one.
    Ok(first.unwrap_or_else(|| Platform::linux("amd64", None)))
}

fn resolved_includes(recipe: &Recipe) -> Result<Vec<ResolvedInclude>, Error> {
    let include = |include: &crate::recipe::RecipeInclude| {
        Ok(ResolvedInclude {
            from: fs::absolute_path(&recipe.resolve_path(&include.from))?,
            to: include.to.clone(),
        })
    };
    recipe.includes.iter().map(include).collect()
}

/// Returns the private directories: no library may be found there by its absolute path.
fn private_dirs(recipe: &Recipe, settings: &Settings) -> Result<Vec<ImagePath>, Error> {
    let folder = fs::absolute_path(&recipe.recipe_dir)?;
    let directories =
        PRIVATE_DIRS.iter().map(PathBuf::from).chain(settings.private_dirs.iter().cloned()).chain([folder]);
    Ok(directories.filter_map(|directory| image_path(&directory)).collect())
}

/// Converts a host directory to a path of the host's file system. `None` if it is not a normal
/// path.
fn image_path(directory: &Path) -> Option<ImagePath> {
    ImagePath::parse(&fs::path_to_bytes(directory)).ok()
}
