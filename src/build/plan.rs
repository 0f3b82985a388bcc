//! From a recipe to the tree of its image.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::destinations::Destinations;
use super::roots::{self, Place};
use super::{Error, Settings};
use crate::closure::{Closure, Elf, Kind, Surroundings, Tracer};
use crate::fs;
use crate::note::Note;
use crate::path::ImagePath;
use crate::platform::Platform;
use crate::recipe::Recipe;
use crate::rootfs::{self, Include, Program, Request, Rootfs};
use crate::tree::HostTree;

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
    Destinations::of(recipe).check_includes(recipe)?;
    let around = surroundings(recipe);
    let host = HostTree::new("/");
    let mut plans = Vec::new();
    for place in roots::places(recipe)? {
        for (platform, programs) in programs(recipe, &place, &around)? {
            let mut notes = super::check::check(&programs)?;
            let request = Request {
                host: &host,
                includes: &includes(recipe)?,
                private: &private(recipe, settings)?,
                allowed: &recipe.allow.keys().cloned().collect::<Vec<_>>(),
                programs: &programs,
                around: &around,
                user: recipe.user,
                strip: recipe.strip,
            };
            let (rootfs, more) = rootfs::plan(&*place.tree, &request)?;
            notes.extend(more);
            let needs_search_path = programs.iter().any(|program| program.closure.asks_env());
            plans.push(Plan { platform, rootfs, notes, needs_search_path });
        }
    }
    Ok(plans)
}

/// What the image tells its programs.
fn surroundings(recipe: &Recipe) -> Surroundings {
    let default = Surroundings::default();
    let search_path = recipe.env.get("PATH").cloned().unwrap_or(default.search_path);
    Surroundings { working_dir: recipe.working_dir.clone(), search_path, ..default }
}

/// The programs of one place, by platform, in the order in which they were named.
fn programs(
    recipe: &Recipe,
    place: &Place<'_>,
    around: &Surroundings,
) -> Result<BTreeMap<Platform, Vec<Program>>, Error> {
    let tracer = Tracer::new(&*place.tree, around);
    let mut programs: BTreeMap<Platform, Vec<Program>> = BTreeMap::new();
    for (spelled, program) in &place.programs {
        let closure = tracer.resolve(spelled)?;
        let found = platform(&closure)?;
        for wanted in place.platform.iter().chain(&recipe.platform) {
            if (&wanted.os, &wanted.architecture) != (&found.os, &found.architecture) {
                return Err(Error::Platform { program: spelled.clone(), found, wanted: wanted.clone() });
            }
        }
        let platform = recipe.platform.as_ref().or(place.platform.as_ref()).unwrap_or(&found).clone();
        programs.entry(platform).or_default().push(Program { closure, to: program.to.clone() });
    }
    Ok(programs)
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
