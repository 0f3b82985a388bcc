//! Groups the programs of a recipe by platform.

use std::collections::BTreeMap;

use super::image_planner::resolved_includes;
use super::platform_base::RunConfig;
use crate::error::Error;
use crate::recipe::{Recipe, RecipeProgram};
use crate::root_file_systems::{self, ProgramGroup};
use crate::rootfs::IncludedFs;
use coracle_core::file_system::FileSystem;
use coracle_core::path::RawPath;
use coracle_core::platform::Platform;
use coracle_ld::closure::{self, Closure, ElfProgram, ExecutedKind, Resolver};

/// Programs with their raw paths in the file system that they are resolved in.
pub(super) type LocatedPrograms<'a> = Vec<(RawPath, &'a RecipeProgram)>;

/// Groups the programs of one file system by platform, in the recipe's order.
pub(super) fn group_by_platform<'a>(
    recipe: &Recipe,
    host: &dyn FileSystem,
    group: &ProgramGroup<'a>,
) -> Result<BTreeMap<Platform, LocatedPrograms<'a>>, Error> {
    let mut groups: BTreeMap<Platform, LocatedPrograms<'a>> = BTreeMap::new();
    for (raw_path, program) in &group.programs {
        let found = program_platform(recipe, host, &*group.file_system, raw_path)?;
        for wanted in group.platform.iter().chain(&recipe.image.platform) {
            if !found.matches_ignoring_variant(wanted) {
                return Err(Error::PlatformMismatch {
                    program: raw_path.clone(),
                    found,
                    wanted: wanted.clone(),
                });
            }
        }
        let platform = recipe.image.platform.as_ref().or(group.platform.as_ref()).unwrap_or(&found).clone();
        groups.entry(platform).or_default().push((raw_path.clone(), program));
    }
    Ok(groups)
}

/// Returns the platform of a program: from its ELF header, or from the ELF header of a script's
/// interpreter.
fn program_platform(
    recipe: &Recipe,
    host: &dyn FileSystem,
    file_system: &dyn FileSystem,
    raw_path: &RawPath,
) -> Result<Platform, Error> {
    if let Some(platform) = root_file_systems::platform_at(file_system, raw_path)? {
        return Ok(platform);
    }
    let options = RunConfig::without_base(recipe).resolve_options(recipe);
    let included = IncludedFs::new(file_system, host, &resolved_includes(recipe, 0)?, &[])?;
    let resolved = Resolver::new(&included, &options).resolve(raw_path);
    match (resolved, &recipe.image.platform) {
        (Ok(closure), _) => closure_platform(&closure),
        (Err(closure::Error::Io(error)), _) => Err(error.into()),
        // The interpreter of a script may be only in the base image.
        (Err(_), Some(platform)) if recipe.image.base.is_some() => Ok(platform.clone()),
        (Err(error), _) => Err(error.into()),
    }
}

/// Returns the platform of all executed programs. Fails if they differ, or OCI has none.
pub(super) fn closure_platform(closure: &Closure) -> Result<Platform, Error> {
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
    first.ok_or(Error::Internal("a closure has no ELF program"))
}
