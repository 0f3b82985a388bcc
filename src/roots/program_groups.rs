//! Groups the programs of a recipe by the file system that they are resolved in.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::root_file_systems::{RootFileSystems, check_directory, in_root};
use super::sysroot_fs::host_part;
use crate::error::Error;
use crate::recipe::{Recipe, RecipeProgram, RootOverrideKind};
use coracle_core::file_system::FileSystem;
use coracle_core::fs;
use coracle_core::path::{ImagePath, RawPath};
use coracle_core::platform::Platform;

/// A file system, and the programs to resolve in it.
pub(crate) struct ProgramGroup<'a> {
    pub(crate) file_system: Rc<dyn FileSystem>,
    pub(crate) programs: Vec<(RawPath, &'a RecipeProgram)>,
    /// The required platform of the programs, if the root has one.
    pub(crate) platform: Option<Platform>,
}

/// Returns the file systems that the programs of `recipe` are resolved in. With roots, every
/// program is resolved in each root. Otherwise each is resolved in the sysroot of its platform, or
/// on the host.
pub(crate) fn program_groups<'a>(
    recipe: &'a Recipe,
    roots: &RootFileSystems,
) -> Result<Vec<ProgramGroup<'a>>, Error> {
    let whole: Vec<_> = roots.roots.iter().filter(|(root, _)| root.kind == RootOverrideKind::Root).collect();
    if whole.is_empty() {
        return roots.group_by_sysroot(recipe);
    }
    let programs = recipe.contents.programs.iter().map(|program| (in_root(&program.from), program));
    let programs: Vec<_> = programs.collect();
    let places = whole.into_iter().map(|(root, tree)| {
        check_directory(root)?;
        Ok(ProgramGroup {
            file_system: tree.clone(),
            programs: programs.clone(),
            platform: root.platform.clone(),
        })
    });
    places.collect()
}

impl RootFileSystems {
    /// Groups the host's programs by sysroot: the one of their platform, or none.
    fn group_by_sysroot<'a>(&self, recipe: &'a Recipe) -> Result<Vec<ProgramGroup<'a>>, Error> {
        let mut groups: BTreeMap<Option<usize>, SysrootGroup<'_>> = BTreeMap::new();
        for program in &recipe.contents.programs {
            let raw_path =
                RawPath::new(fs::path_to_bytes(&fs::absolute_path(&recipe.resolve_path(&program.from))?));
            // Without sysroots, a program keeps the path with links; a sysroot does not have those
            // links.
            let found = if self.roots.is_empty() { None } else { self.sysroot_of_file(&raw_path)? };
            match found {
                Some((index, path)) => {
                    let group = groups.entry(index).or_default();
                    group.own.push(host_part(&path));
                    group.programs.push((RawPath::from(&path), program));
                }
                // Resolving a missing file on the host gives the best error.
                None => groups.entry(None).or_default().programs.push((raw_path, program)),
            }
        }
        let place = |(index, group): (Option<usize>, SysrootGroup<'a>)| {
            let file_system: Rc<dyn FileSystem> = match index.and_then(|index| self.roots.get(index)) {
                None => self.host.clone(),
                Some((root, tree)) => {
                    check_directory(root)?;
                    self.sysroot_fs(tree.clone(), group.own)
                }
            };
            Ok(ProgramGroup { file_system, programs: group.programs, platform: None })
        };
        groups.into_iter().map(place).collect()
    }
}

/// Programs that share a sysroot.
#[derive(Default)]
struct SysrootGroup<'a> {
    programs: Vec<(RawPath, &'a RecipeProgram)>,
    own: Vec<ImagePath>,
}
