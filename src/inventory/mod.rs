//! The inventory of an image: the packages that its files come from, the crates and Go modules of its
//! programs, and the files by which scanners recognize the packages.

mod file_sources;
mod image_evidence;
mod program_modules;

use std::collections::BTreeSet;

pub use coracle_inventory::{Distribution, Module, ModuleList, Package};

use crate::error::Error;
use crate::recipe::Recipe;
use crate::root_file_systems::RootFileSystems;
use crate::rootfs::{BaseFiles, Rootfs};
use coracle_core::file_system::HostFs;
use coracle_core::note::Note;
use coracle_core::path::ImagePath;
use coracle_inventory::FileSelection;
use file_sources::FileSources;

/// The packages and modules of the image of one platform, without the base image's.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ImageInventory {
    /// The distribution that the packages are from.
    pub distribution: Option<Distribution>,
    /// The packages that own files of the image, with these files; paths are those in the image.
    pub packages: Vec<Package>,
    /// The programs and libraries with a list of modules.
    pub modules: Vec<FileModules>,
    /// The number of files that no package owns, without the programs of the recipe.
    pub unowned_files: usize,
}

/// The modules of one file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileModules {
    /// The file's path in the image.
    pub path: ImagePath,
    /// The modules.
    pub list: ModuleList,
}

/// Returns the `paths` of this machine that a package has installed. `None` if there is no package
/// database, or it cannot be read.
pub fn packaged_paths(paths: &BTreeSet<ImagePath>) -> Option<BTreeSet<ImagePath>> {
    let selection = FileSelection::PathsOrDirectories(paths);
    let inventory = coracle_inventory::Inventory::read(&HostFs::new("/"), selection).ok()?;
    let owned = inventory.packages.into_iter().flat_map(|package| package.files.into_keys());
    inventory.has_database.then(|| owned.collect())
}

/// Adds the inventory to planned images.
pub(crate) struct InventoryPlanner<'a> {
    pub(crate) recipe: &'a Recipe,
    pub(crate) roots: &'a RootFileSystems,
    pub(crate) base: BaseFiles<'a>,
}

impl InventoryPlanner<'_> {
    /// Returns `rootfs` with the inventory's files, and the inventory.
    ///
    /// # Errors
    /// Fails if a file cannot be read, or the recipe requires a complete inventory and it is not.
    pub(crate) fn add_inventory(&self, rootfs: Rootfs) -> Result<(Rootfs, ImageInventory, Vec<Note>), Error> {
        let (packaged, mut problems) = FileSources::new(self.roots, &rootfs)?.read_packages();
        let (modules, missing) = program_modules::read_modules(&rootfs, &packaged.owned)?;
        let inventory = ImageInventory {
            distribution: packaged.distribution.clone(),
            packages: packaged.packages.clone(),
            modules,
            unowned_files: packaged.unowned.iter().filter(|path| !rootfs.programs().contains(path)).count(),
        };
        let settings = self.recipe.contents.inventory;
        if !settings.packages && !settings.licences {
            return Ok((rootfs, inventory, Vec::new()));
        }
        let evidence =
            image_evidence::ImageEvidence { rootfs: &rootfs, base: self.base, packaged: &packaged };
        let (files, more_problems) = evidence.files(settings)?;
        problems.extend(more_problems);
        if self.recipe.checks.require_inventory && !(problems.is_empty() && missing.is_empty()) {
            return Err(Error::IncompleteInventory(problems.into_iter().chain(missing).collect()));
        }
        let notes = problems.into_iter().map(Note::Warning).chain(missing.into_iter().map(Note::Hint));
        let rootfs = crate::rootfs::add_new_files(rootfs, self.base.read_base(), files)?;
        Ok((rootfs, inventory, notes.collect()))
    }
}
