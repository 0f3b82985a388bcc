//! From a recipe to the tree of its image.

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

/// Directories whose contents differ from machine to machine, whoever builds.
const PRIVATE: [&str; 5] = ["/home", "/root", "/tmp", "/var/tmp", "/Users"];

/// The directory that is an image's own, whatever it stands on.
pub(super) const OWN: &str = "app";

/// What the image of one platform will hold.
#[derive(Debug)]
pub struct Plan {
    /// The programs' platform.
    pub platform: Platform,
    /// The image's tree.
    pub rootfs: Rootfs,
    /// What should be known about it.
    pub notes: Vec<Note>,
    /// What it stands on.
    pub base: Option<base::Image>,
    /// How many files it does not bring, because its base has them.
    pub shared: usize,
    /// Who runs the program: as the recipe says, else as the base does.
    pub user: Owner,
    /// Where the program starts.
    pub(super) working_dir: ImagePath,
    /// A program is a script that asks `env` for its interpreter.
    pub(super) needs_search_path: bool,
}

/// Resolves the programs of `recipe` and plans the tree of its image, one for each platform that they are for; nothing
/// is written.
///
/// # Errors
/// When a program can't be resolved or would not start, something can't be included, two things claim one path, or the
/// base can't be used.
pub fn plan(recipe: &Recipe, settings: &Settings) -> Result<Vec<Plan>, Error> {
    let base = ground::open(recipe, settings)?;
    plan_in(&Roots::of(recipe), recipe, settings, base.as_deref(), &())
}

/// The same, in `roots`, which remember what was looked at, and on `base`.
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

/// Programs with how they are spelled where they are.
type Programs<'a> = Vec<(Spelled, &'a recipe::Program)>;

/// The programs of one place by platform, in the order in which they were named.
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

/// What a program is for: as its header says, or, for a script, that of its interpreter.
fn platform_of(recipe: &Recipe, tree: &dyn Tree, spelled: &Spelled) -> Result<Platform, Error> {
    if let Some(platform) = roots::platform_at(tree, spelled)? {
        return Ok(platform);
    }
    let around = surroundings(recipe, &Taken::nothing(recipe));
    let resolved = Tracer::new(tree, &around).resolve(spelled);
    match (resolved, &recipe.platform) {
        (Ok(closure), _) => platform(&closure),
        // The interpreter of a script may be in the base alone.
        (Err(_), Some(platform)) if recipe.base.is_some() => Ok(platform.clone()),
        (Err(error), _) => Err(error.into()),
    }
}

/// The image of one platform, before it is planned.
struct Planner<'a> {
    recipe: &'a Recipe,
    settings: &'a Settings,
    roots: &'a Roots,
    tree: &'a dyn Tree,
    programs: Programs<'a>,
    platform: Platform,
}

impl Planner<'_> {
    /// Plans it on `ground`, whose files are read only where something of the image could meet them: what stands below
    /// [`OWN`] alone stands on no base's way, unless the base itself speaks of that directory.
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

    /// Whether no program has a loader or an interpreter.
    fn is_static(&self, taken: &Taken) -> Result<bool, Error> {
        let around = surroundings(self.recipe, taken);
        let tracer = Tracer::new(self.tree, &around);
        for (spelled, _) in &self.programs {
            // What is wrong with one is told when it is planned.
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

    /// The programs with all that they open, and what they need besides libraries.
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

/// What the image tells its programs and their loaders.
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

/// The one platform of all that is executed.
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

/// Directories that no library may be found in by its absolute path.
fn private(recipe: &Recipe, settings: &Settings) -> Result<Vec<ImagePath>, Error> {
    let folder = fs::absolute(&recipe.folder)?;
    let directories =
        PRIVATE.iter().map(PathBuf::from).chain(settings.private_dirs.iter().cloned()).chain([folder]);
    Ok(directories.filter_map(|directory| image_path(&directory)).collect())
}

/// A host directory as a path of the host's tree; none for one that no path of the tree can equal.
fn image_path(directory: &Path) -> Option<ImagePath> {
    ImagePath::parse(&fs::bytes_of(directory)).ok()
}
