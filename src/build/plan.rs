//! From a recipe to the tree of its image.

use std::path::{Path, PathBuf};

use super::{Error, Settings};
use crate::closure::{Elf, Kind, Surroundings, Tracer};
use crate::fs;
use crate::note::Note;
use crate::path::{ImagePath, Spelled};
use crate::platform::Platform;
use crate::recipe::Recipe;
use crate::rootfs::{self, Include, Program, Request, Rootfs};
use crate::tree::HostTree;

/// Directories whose contents differ from machine to machine, whoever builds.
const PRIVATE: [&str; 5] = ["/home", "/root", "/tmp", "/var/tmp", "/Users"];

/// What an image will hold.
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

/// Resolves the programs of `recipe` and plans the tree of its image; nothing is written.
///
/// # Errors
/// When a program can't be resolved, something can't be included, or two things claim one path.
pub fn plan(recipe: &Recipe, settings: &Settings) -> Result<Plan, Error> {
    let tree = HostTree::new("/");
    let around = surroundings(recipe);
    let programs = programs(recipe, &tree, &around)?;
    let platform = platform(recipe, &programs)?;
    let request = Request {
        includes: &includes(recipe)?,
        private: &private(recipe, settings)?,
        allowed: &allowed(recipe)?,
        programs: &programs,
        around: &around,
        user: recipe.user,
        strip: recipe.strip,
    };
    let (rootfs, notes) = rootfs::plan(&tree, &request)?;
    let needs_search_path = programs.iter().any(|program| program.closure.asks_env());
    Ok(Plan { platform, rootfs, notes, needs_search_path })
}

/// What the image tells its programs.
fn surroundings(recipe: &Recipe) -> Surroundings {
    let default = Surroundings::default();
    let search_path = recipe.env.get("PATH").cloned().unwrap_or(default.search_path);
    Surroundings { working_dir: recipe.working_dir.clone(), search_path, ..default }
}

fn programs(recipe: &Recipe, tree: &HostTree, around: &Surroundings) -> Result<Vec<Program>, Error> {
    let tracer = Tracer::new(tree, around);
    let resolve = |program: &crate::recipe::Program| {
        let from = fs::absolute(&recipe.locate(&program.from))?;
        let closure = tracer.resolve(&Spelled::new(fs::bytes_of(&from)))?;
        Ok(Program { closure, to: program.to.clone() })
    };
    recipe.programs.iter().map(resolve).collect()
}

/// The one platform of all programs, with what the recipe adds to it.
fn platform(recipe: &Recipe, programs: &[Program]) -> Result<Platform, Error> {
    let mut first: Option<Platform> = None;
    for executed in programs.iter().flat_map(|program| &program.closure.executed) {
        let Kind::Elf(Elf { machine, .. }) = &executed.kind else { continue };
        let program = || executed.spelled.clone();
        let found = machine
            .platform()
            .ok_or_else(|| Error::Machine { program: program(), machine: machine.to_string() })?;
        let wanted = first.get_or_insert_with(|| found.clone());
        if *wanted != found {
            return Err(Error::Platforms { program: program(), found, wanted: wanted.clone() });
        }
        if let Some(wanted) = &recipe.platform
            && (&wanted.os, &wanted.architecture) != (&found.os, &found.architecture)
        {
            return Err(Error::Platform { program: program(), found, wanted: wanted.clone() });
        }
    }
    // A closure ends with an ELF program, so there is one.
    let found = first.unwrap_or_else(|| Platform::linux("amd64", None));
    Ok(recipe.platform.clone().unwrap_or(found))
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

fn allowed(recipe: &Recipe) -> Result<Vec<ImagePath>, Error> {
    recipe.allow.keys().map(|path| ImagePath::parse(path.as_bytes()).map_err(Error::Allow)).collect()
}

/// A host directory as a path of the host's tree; none for one that no path of the tree can equal.
fn image_path(directory: &Path) -> Option<ImagePath> {
    ImagePath::parse(&fs::bytes_of(directory)).ok()
}
