//! From a recipe to the tree of its image.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::destinations::Destinations;
use super::roots::{self, Place, Roots};
use super::{Error, Settings};
use crate::closure::{Closure, Elf, Kind, Surroundings, Tracer};
use crate::fs;
use crate::loader::Environment;
use crate::note::Note;
use crate::path::ImagePath;
use crate::platform::Platform;
use crate::recipe::{Recipe, RootKind};
use crate::rootfs::{self, Include, Program, Request, Rootfs};
use crate::runtime::{self, Needs, Places};

/// Directories whose contents differ from machine to machine, whoever builds.
const PRIVATE: [&str; 5] = ["/home", "/root", "/tmp", "/var/tmp", "/Users"];

/// What the image of one platform will hold.
#[derive(Debug)]
pub struct Plan {
    /// The programs' platform.
    pub platform: Platform,
    /// The image's tree.
    pub rootfs: Rootfs,
    /// What should be known about it.
    pub notes: Vec<Note>,
    /// A program is a script that asks `env` for its interpreter.
    pub(super) needs_search_path: bool,
}

/// Resolves the programs of `recipe` and plans the tree of its image, one for each platform that they are for; nothing
/// is written.
///
/// # Errors
/// When a program can't be resolved or would not start, something can't be included, or two things claim one path.
pub fn plan(recipe: &Recipe, settings: &Settings) -> Result<Vec<Plan>, Error> {
    plan_in(&Roots::of(recipe), recipe, settings)
}

/// The same, in `roots`, which remember what was looked at.
pub(super) fn plan_in(roots: &Roots, recipe: &Recipe, settings: &Settings) -> Result<Vec<Plan>, Error> {
    Destinations::of(recipe).check_includes(recipe)?;
    let around = surroundings(recipe);
    let host = roots.host();
    let is_sysroot = recipe.roots.iter().any(|root| root.kind == RootKind::Libraries);
    let mut plans = Vec::new();
    for place in roots::places(recipe, roots)? {
        let places = Places { tree: &*place.tree, fallback: is_sysroot.then_some(host), around: &around };
        for (platform, (programs, needs)) in programs(recipe, &place, places)? {
            let mut notes = super::check::check(&programs)?;
            let request = Request {
                host,
                includes: &includes(recipe)?,
                private: &private(recipe, settings)?,
                allowed: &recipe.allow.keys().cloned().collect::<Vec<_>>(),
                programs: &programs,
                around: &around,
                user: recipe.user,
                mount_points: &super::leaks::mounts(&recipe.config).cloned().collect::<Vec<_>>(),
                states: &recipe.config.states.iter().map(|state| state.path.clone()).collect::<Vec<_>>(),
                strip: recipe.strip,
                needs,
                policy: &recipe.runtime,
                places,
            };
            let (rootfs, more, hints) = rootfs::plan(&*place.tree, &request)?;
            notes.extend(more);
            notes.extend(super::hints::note(&hints));
            let needs_search_path = programs.iter().any(|program| program.closure.asks_env());
            plans.push(Plan { platform, rootfs, notes, needs_search_path });
        }
    }
    Ok(plans)
}

/// What the image tells its programs and their loaders.
fn surroundings(recipe: &Recipe) -> Surroundings {
    let default = Surroundings::default();
    let search_path = recipe.env.get("PATH").cloned().unwrap_or(default.search_path);
    let variable = |name: &str| recipe.env.get(name).cloned().unwrap_or_default().into_bytes();
    let loader = Environment {
        library_path: variable("LD_LIBRARY_PATH"),
        preload: variable("LD_PRELOAD"),
        hwcaps: recipe.hwcaps.clone(),
        ..default.loader
    };
    Surroundings { working_dir: recipe.working_dir.clone(), search_path, loader }
}

/// Programs of one platform, and what they need besides libraries.
type Group = (Vec<Program>, Needs);

/// The programs of one place with all that they open, by platform, in the order in which they were named.
fn programs(
    recipe: &Recipe,
    place: &Place<'_>,
    places: Places<'_>,
) -> Result<BTreeMap<Platform, Group>, Error> {
    let tracer = Tracer::new(places.tree, places.around);
    let mut groups: BTreeMap<Platform, Group> = BTreeMap::new();
    for (spelled, program) in &place.programs {
        let mut closure = tracer.resolve(spelled)?;
        let found = platform(&closure)?;
        for wanted in place.platform.iter().chain(&recipe.platform) {
            if (&wanted.os, &wanted.architecture) != (&found.os, &found.architecture) {
                return Err(Error::Platform { program: spelled.clone(), found, wanted: wanted.clone() });
            }
        }
        let platform = recipe.platform.as_ref().or(place.platform.as_ref()).unwrap_or(&found).clone();
        let (programs, needs) = groups.entry(platform).or_default();
        let last = closure.executed.len().saturating_sub(1);
        for (index, executed) in closure.executed.iter_mut().enumerate() {
            let is_entrypoint = programs.is_empty() && index == last;
            needs.add(runtime::complete(&tracer, places, &recipe.runtime, executed, is_entrypoint)?);
        }
        programs.push(Program { closure, to: program.to.clone() });
    }
    Ok(groups)
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
