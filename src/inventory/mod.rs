//! The inventory of an image: the packages that its files come from, the crates and Go modules of its
//! programs, and the files by which scanners recognize the packages.

mod file_sources;
mod image_evidence;
mod program_modules;

use std::collections::BTreeSet;

pub use coracle_inventory::{Distribution, Module, ModuleList, Package};

use crate::error::Error;
use crate::image_plan::Plan;
use crate::recipe::Recipe;
use crate::root_file_systems::RootFileSystems;
use crate::rootfs::{BaseFiles, Rootfs};
use coracle_core::note::Note;
use coracle_core::path::ImagePath;
use coracle_inventory::FileSelection;
use coracle_ld::elf::Toolchain;
use file_sources::FileSources;

/// The packages and modules of the image of one platform, without the base image's.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ImageInventory {
    /// The distribution that the packages are from.
    pub distribution: Option<Distribution>,
    /// The packages that own files of the image, with these files; paths are those in the image.
    pub packages: Vec<Package>,
    /// The packages of the base image, without files. Empty if it was not read.
    pub base_packages: Vec<Package>,
    /// The number of packages that scanners see in the image.
    pub(crate) visible_packages: usize,
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

/// The numbers of packages and modules that scanners see in the image of one platform.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct InventorySummary {
    /// The platform.
    pub platform: String,
    /// The packages of a distribution, without those of the base image.
    pub packages: usize,
    /// The crates of Rust programs; equal versions count once.
    pub crates: usize,
    /// The modules of Go programs; equal versions count once.
    pub go_modules: usize,
    /// The files that no package owns, without the programs of the recipe.
    pub unowned_files: usize,
}

impl InventorySummary {
    pub(crate) fn new(recipe: &Recipe, plan: &Plan) -> Self {
        let inventory = &plan.inventory;
        let modules = |toolchain: Toolchain| {
            let lists = inventory.modules.iter().map(|file| &file.list);
            let modules = lists.filter(|list| list.toolchain == toolchain).flat_map(|list| &list.modules);
            modules.map(|module| (&module.name, &module.version)).collect::<BTreeSet<_>>().len()
        };
        let is_visible = recipe.contents.inventory.packages;
        Self {
            platform: plan.platform.to_string(),
            packages: if is_visible { inventory.visible_packages } else { 0 },
            crates: modules(Toolchain::Rust),
            go_modules: modules(Toolchain::Go),
            unowned_files: inventory.unowned_files,
        }
    }
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
        let (packaged, mut problems) = FileSources::new(self.roots, &rootfs)?.read_packages()?;
        let (modules, missing) = program_modules::read_modules(&rootfs, &packaged.owned)?;
        let mut inventory = ImageInventory {
            distribution: packaged.distribution.clone(),
            packages: packaged.packages.clone(),
            base_packages: Vec::new(),
            visible_packages: 0,
            modules,
            unowned_files: packaged.unowned.iter().filter(|path| !rootfs.programs().contains(path)).count(),
        };
        if let Some(base) = self.base.read_base() {
            let base = coracle_inventory::Inventory::read(base, FileSelection::NoFiles)?;
            inventory.base_packages = base.packages;
            inventory.distribution = inventory.distribution.or(base.distribution);
        }
        let settings = self.recipe.contents.inventory;
        if !settings.packages && !settings.licences {
            return Ok((rootfs, inventory, Vec::new()));
        }
        let evidence =
            image_evidence::ImageEvidence { rootfs: &rootfs, base: self.base, packaged: &packaged };
        let (files, visible, more_problems) = evidence.files(settings)?;
        problems.extend(more_problems);
        inventory.visible_packages = visible;
        if self.recipe.checks.require_inventory && !(problems.is_empty() && missing.is_empty()) {
            return Err(Error::IncompleteInventory(problems.into_iter().chain(missing).collect()));
        }
        let notes = problems.into_iter().map(Note::Warning).chain(missing.into_iter().map(Note::Hint));
        let rootfs = crate::rootfs::add_new_files(rootfs, self.base.read_base(), files)?;
        Ok((rootfs, inventory, notes.collect()))
    }
}
