//! Plans the images of a recipe: resolves its programs and plans the file tree of each platform.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::destinations::Destinations;
use super::ground::{self, Ground, Taken};
use super::roots::{self, Place, Roots};
use super::{Error, Observer, Settings, linkage};
use coracle_oci::base::{self, Base};
use coracle_ld::closure::{Closure, Elf, Kind, Surroundings, Tracer};
use coracle_core::fs;
use coracle_ld::ldso::Environment;
use coracle_core::note::Note;
use coracle_core::path::{ImagePath, Spelled};
use coracle_core::platform::Platform;
use crate::recipe::{self, Recipe, RootKind};
use crate::rootfs::{self, Below, Include, Owner, Program, Request, Rootfs};
use coracle_ld::implicit::{self, Needs, Places};
use coracle_core::file_system::{Overlay, Tree};

/// Directories that are private on every machine.
const PRIVATE: [&str; 5] = ["/home", "/root", "/tmp", "/var/tmp", "/Users"];

/// The top directory of programs outside system directories; base images do not use it.
pub(super) const OWN: &str = "app";

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
    pub base: Option<base::Image>,
    /// The number of files that are omitted because the base image has them.
    pub shared: usize,
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
    let base = ground::open(recipe, settings)?;
    plan_in(&Roots::of(recipe), recipe, settings, base.as_deref(), &())
}

/// Like [`plan`], with an opened `base`, and with `roots`, which record all inputs that are read.
pub(super) fn plan_in(
    roots: &Roots,
    recipe: &Recipe,
    settings: &Settings,
    base: Option<&Base>,
    observer: &dyn Observer,
) -> Result<Vec<Plan>, Error> {
    Destinations::of(recipe).check_includes(recipe)?;
    let mut plans = Vec::new();
    for place in roots::places(recipe, roots)? {
        for (platform, programs) in by_platform(recipe, &place)? {
            let ground = base.map(|base| Ground::of(base, &platform)).transpose()?;
            let planner = Planner { recipe, settings, roots, tree: &*place.tree, programs, platform };
            plans.push(match ground {
                None => planner.plan(planner.tree, Below::Nothing, &Taken::nothing(recipe))?,
                Some(ground) => planner.plan_on(ground, observer)?,
            });
        }
    }
    Ok(plans)
}

/// Programs with their raw paths in the file system that they are resolved in.
type Programs<'a> = Vec<(Spelled, &'a recipe::Program)>;

/// Groups the programs of one file system by platform, in the recipe's order.
fn by_platform<'a>(recipe: &Recipe, place: &Place<'a>) -> Result<BTreeMap<Platform, Programs<'a>>, Error> {
    let mut groups: BTreeMap<Platform, Programs<'a>> = BTreeMap::new();
    for (spelled, program) in &place.programs {
        let found = platform_of(recipe, &*place.tree, spelled)?;
        for wanted in place.platform.iter().chain(&recipe.platform) {
            if !found.is_kin_of(wanted) {
                return Err(Error::Platform { program: spelled.clone(), found, wanted: wanted.clone() });
            }
        }
        let platform = recipe.platform.as_ref().or(place.platform.as_ref()).unwrap_or(&found).clone();
        groups.entry(platform).or_default().push((spelled.clone(), program));
    }
    Ok(groups)
}

/// Returns the platform of a program: that of its ELF header, or of a script's interpreter.
fn platform_of(recipe: &Recipe, tree: &dyn Tree, spelled: &Spelled) -> Result<Platform, Error> {
    if let Some(platform) = roots::platform_at(tree, spelled)? {
        return Ok(platform);
    }
    let around = surroundings(recipe, &Taken::nothing(recipe));
    let resolved = Tracer::new(tree, &around).resolve(spelled);
    match (resolved, &recipe.platform) {
        (Ok(closure), _) => platform(&closure),
        // The interpreter of a script may be only in the base image.
        (Err(_), Some(platform)) if recipe.base.is_some() => Ok(platform.clone()),
        (Err(error), _) => Err(error.into()),
    }
}

/// Plans the image of one platform.
struct Planner<'a> {
    recipe: &'a Recipe,
    settings: &'a Settings,
    roots: &'a Roots,
    tree: &'a dyn Tree,
    programs: Programs<'a>,
    platform: Platform,
}

impl Planner<'_> {
    /// Plans the image on its base image. The base's files are not read if all entries are below
    /// [`OWN`] and the base's config does not mention that directory.
    fn plan_on(&self, ground: Ground<'_>, observer: &dyn Observer) -> Result<Plan, Error> {
        if let Some(user) = ground.user(self.recipe).filter(|_| !ground.names_own_directory()) {
            let taken = ground.taken(self.recipe, user)?;
            if self.is_static(&taken)? {
                let plan = self.plan(self.tree, Below::Unread, &taken)?;
                if plan.rootfs.iter().all(|(path, _)| path.names().next() == Some(OWN.as_bytes())) {
                    return Ok(Plan { base: Some(ground.into_image()), ..plan });
                }
            }
        }
        let base = ground.tree(observer)?;
        let taken = ground.taken(self.recipe, ground.user_in(self.recipe, &base)?)?;
        let merged = Overlay { front: self.tree, behind: &base };
        let mut plan = self.plan(&merged, Below::Read(&base), &taken)?;
        plan.notes.extend(ground::unknown_user(taken.user, &base)?);
        Ok(Plan { base: Some(ground.into_image()), ..plan })
    }

    /// Whether all programs are static ELF files.
    fn is_static(&self, taken: &Taken) -> Result<bool, Error> {
        let around = surroundings(self.recipe, taken);
        let tracer = Tracer::new(self.tree, &around);
        for (spelled, _) in &self.programs {
            // Errors are reported when the program is planned.
            let Ok(closure) = tracer.resolve(spelled) else { return Ok(false) };
            let has_none =
                closure.executed.len() == 1 && closure.elves().all(|elf| elf.objects.loader.is_none());
            if !has_none {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn plan(&self, tree: &dyn Tree, below: Below<'_>, taken: &Taken) -> Result<Plan, Error> {
        let (recipe, host) = (self.recipe, self.roots.host());
        let around = surroundings(recipe, taken);
        let is_sysroot = recipe.roots.iter().any(|root| root.kind == RootKind::Libraries);
        let places = Places { tree, fallback: is_sysroot.then_some(host), around: &around };
        let (programs, needs) = self.resolved(places)?;
        let mut notes = super::check::check(&programs)?;
        linkage::check(recipe, &programs, &self.platform)?;
        let request = Request {
            host,
            includes: &includes(recipe)?,
            private: &private(recipe, self.settings)?,
            allowed: &recipe.allow.keys().cloned().collect::<Vec<_>>(),
            programs: &programs,
            around: &around,
            user: taken.user,
            mount_points: &super::leaks::mounts(&recipe.config).cloned().collect::<Vec<_>>(),
            states: &recipe.config.states.iter().map(|state| state.path.clone()).collect::<Vec<_>>(),
            strip: recipe.strip,
            needs,
            policy: &recipe.runtime,
            places,
            below,
        };
        let planned = rootfs::plan(tree, &request)?;
        notes.extend(planned.notes);
        notes.extend(linkage::advice(recipe, &programs, &self.platform, &planned.rootfs)?);
        notes.extend(super::hints::note(&planned.hints));
        Ok(Plan {
            platform: self.platform.clone(),
            rootfs: planned.rootfs,
            notes,
            shared: planned.shared,
            user: taken.user,
            base: None,
            working_dir: taken.working_dir.clone(),
            needs_search_path: programs.iter().any(|program| program.closure.asks_env()),
        })
    }

    /// Returns the programs with all libraries that they map and open, and their implicit
    /// dependencies.
    fn resolved(&self, places: Places<'_>) -> Result<(Vec<Program>, Needs), Error> {
        let tracer = Tracer::new(places.tree, places.around);
        let (mut programs, mut needs) = (Vec::new(), Needs::default());
        for (spelled, program) in &self.programs {
            let mut closure = tracer.resolve(spelled)?;
            platform(&closure)?;
            let last = closure.executed.len().saturating_sub(1);
            for (index, executed) in closure.executed.iter_mut().enumerate() {
                let is_entrypoint = programs.is_empty() && index == last;
                needs.add(implicit::complete(&tracer, places, &self.recipe.runtime, executed, is_entrypoint)?);
            }
            programs.push(Program { closure, to: program.to.clone() });
        }
        Ok((programs, needs))
    }
}

/// Returns the options of resolution: what programs and their loaders read from the image's config.
fn surroundings(recipe: &Recipe, taken: &Taken) -> Surroundings {
    let default = Surroundings::default();
    let search_path = taken.env.get("PATH").cloned().unwrap_or(default.search_path);
    let variable = |name: &str| taken.env.get(name).cloned().unwrap_or_default().into_bytes();
    let loader = Environment {
        library_path: variable("LD_LIBRARY_PATH"),
        preload: variable("LD_PRELOAD"),
        hwcaps: recipe.hwcaps.clone(),
        ..default.loader
    };
    Surroundings { working_dir: taken.working_dir.clone(), search_path, loader }
}

/// Returns the platform of all executed programs. Fails if they differ, or OCI has none.
fn platform(closure: &Closure) -> Result<Platform, Error> {
    let mut first: Option<Platform> = None;
    for executed in &closure.executed {
        let Kind::Elf(Elf { machine, .. }) = &executed.kind else { continue };
        let program = || executed.spelled.clone();
        let found = machine
            .platform()
            .ok_or_else(|| Error::Machine { program: program(), machine: machine.to_string() })?;
        let wanted = first.get_or_insert_with(|| found.clone());
        if *wanted != found {
            return Err(Error::Platforms { program: program(), found, wanted: wanted.clone() });
        }
    }
    // A closure ends with an ELF program, so there is one.
    Ok(first.unwrap_or_else(|| Platform::linux("amd64", None)))
}

fn includes(recipe: &Recipe) -> Result<Vec<Include>, Error> {
    let include = |include: &crate::recipe::Include| {
        Ok(Include { from: fs::absolute(&recipe.locate(&include.from))?, to: include.to.clone() })
    };
    recipe.includes.iter().map(include).collect()
}

/// Returns the private directories: no library may be found there by its absolute path.
fn private(recipe: &Recipe, settings: &Settings) -> Result<Vec<ImagePath>, Error> {
    let folder = fs::absolute(&recipe.folder)?;
    let directories =
        PRIVATE.iter().map(PathBuf::from).chain(settings.private_dirs.iter().cloned()).chain([folder]);
    Ok(directories.filter_map(|directory| image_path(&directory)).collect())
}

/// Converts a host directory to a path of the host's file system. `None` if it is not a normal
/// path.
fn image_path(directory: &Path) -> Option<ImagePath> {
    ImagePath::parse(&fs::bytes_of(directory)).ok()
}
