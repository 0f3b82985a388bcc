//! The destinations of a recipe's image.

use std::path::{Path, PathBuf};

use super::error::Error;
use super::recipe::Recipe;
use super::rootfs::excludes;
use super::settings::Settings;
use coracle_core::fs;
use coracle_oci::copy::{ImageLocation, PushTargets, RegistryImageName};
use coracle_oci::engine;
use coracle_oci::layout::{DiskFormat, DiskLocation, Staging};
use coracle_oci::registry::{RegistryClient, Repository};

/// The destinations on disk, at registries and at engines; at least one.
pub(crate) struct Destinations {
    pub(crate) local: Vec<DiskLocation>,
    pub(crate) remote: Vec<RegistryImageName>,
    /// The destination of the full contract.
    pub(crate) contract: Option<ImageLocation>,
    pub(crate) engines: Vec<engine::EngineImageName>,
}

/// Returns the registry destinations of the image of `recipe` and of its contract.
pub fn registry_destinations(recipe: &Recipe) -> Vec<RegistryImageName> {
    let Destinations { mut remote, contract, .. } = Destinations::from_recipe(recipe);
    remote.extend(contract.and_then(|location| match location {
        ImageLocation::Registry(named) => Some(named),
        ImageLocation::OnDisk(_) | ImageLocation::Engine(_) => None,
    }));
    remote
}

impl Destinations {
    /// Returns the recipe's destinations, or `NAME.oci` in the working directory. With `push`, the
    /// registries of its names, too.
    pub(crate) fn from_recipe(recipe: &Recipe) -> Self {
        let (mut local, mut remote, mut engines) = (Vec::new(), Vec::new(), Vec::new());
        for location in &recipe.output.destinations {
            match location {
                ImageLocation::OnDisk(destination) => local.push(destination.clone()),
                ImageLocation::Registry(named) => remote.push(named.clone()),
                ImageLocation::Engine(named) => engines.push(named.clone()),
            }
        }
        if recipe.output.destinations.is_empty() {
            local.push(default_destination(recipe));
        }
        for named in recipe.image.names.iter().filter(|_| recipe.output.push).map(RegistryImageName::from) {
            let is_new =
                |there: &RegistryImageName| there.reference.full_name() != named.reference.full_name();
            if remote.iter().all(is_new) {
                remote.push(named);
            }
        }
        if let Some(kind) = &recipe.output.load_engine {
            let named = recipe
                .image
                .names
                .iter()
                .map(|name| engine::EngineImageName { engine: kind.clone(), name: name.clone() });
            engines.extend(named.filter(|named| !engines.contains(named)).collect::<Vec<_>>());
        }
        Self { local, remote, engines, contract: recipe.output.publish_contract.clone() }
    }

    /// Returns all destinations: on disk, then registries, then engines.
    pub(crate) fn locations(&self) -> impl Iterator<Item = ImageLocation> {
        let local = self.local.iter().cloned().map(ImageLocation::OnDisk);
        let engines = self.engines.iter().cloned().map(ImageLocation::Engine);
        local.chain(self.remote.iter().cloned().map(ImageLocation::Registry)).chain(engines)
    }

    /// Returns whether a destination needs the layers on this machine: on disk, or an engine.
    pub(crate) fn need_local_layers(&self) -> bool {
        !(self.local.is_empty() && self.engines.is_empty())
    }

    /// Returns the repositories at registries.
    pub(crate) fn repositories(&self) -> Vec<Repository> {
        self.remote.iter().map(|named| Repository::from(&named.reference)).collect()
    }

    /// Checks that the destinations on disk can be written.
    pub(crate) fn check_writable(&self) -> Result<(), Error> {
        Ok(self.on_disk().try_for_each(DiskLocation::check_writable)?)
    }

    /// Returns the destinations on disk, including the contract's destination.
    pub(crate) fn on_disk(&self) -> impl Iterator<Item = &DiskLocation> {
        self.local.iter().chain(self.contract.as_ref().and_then(on_disk_destination))
    }

    /// Returns the registry destination of the contract and the client for it. `None` if the
    /// contract has no such destination.
    ///
    /// # Errors
    /// Fails if no registry client is configured.
    pub(crate) fn contract_at_registry<'a>(
        &'a self,
        settings: &'a Settings,
    ) -> Result<Option<(&'a RegistryImageName, &'a RegistryClient)>, Error> {
        match (&self.contract, &settings.registry_client) {
            (Some(ImageLocation::Registry(named)), Some(client)) => Ok(Some((named, client))),
            (Some(location @ ImageLocation::Registry(_)), None) => {
                Err(Error::NoRegistryClient(location.clone()))
            }
            (Some(ImageLocation::OnDisk(_) | ImageLocation::Engine(_)) | None, _) => Ok(None),
        }
    }

    /// Returns the uploads to registries. No request is sent yet.
    ///
    /// # Errors
    /// Fails if no registry client is configured.
    pub(crate) fn push_targets(&self, recipe: &Recipe, settings: &Settings) -> Result<PushTargets, Error> {
        match (self.remote.first(), &settings.registry_client) {
            (None, _) => Ok(PushTargets::default()),
            (Some(_), Some(client)) => {
                let base = match &recipe.image.base {
                    Some(ImageLocation::Registry(base)) => Some(&base.reference),
                    _ => None,
                };
                let others = base.into_iter().chain(&settings.remote_cache.sources).map(Repository::from);
                Ok(PushTargets::new(client, &self.remote, &others.collect::<Vec<_>>()))
            }
            (Some(named), None) => Err(Error::NoRegistryClient(ImageLocation::Registry(named.clone()))),
        }
    }

    /// Creates the staging directory: on the file system of the first destination on disk, or in
    /// the scratch directory.
    pub(crate) fn create_staging(&self, settings: &Settings) -> Result<Staging, Error> {
        Ok(match self.local.first() {
            Some(destination) => Staging::new(destination, settings.durability)?,
            None => Staging::new_in(settings.scratch_dir.as_deref().unwrap_or(Path::new(".")))?,
        })
    }

    /// Fails if a destination is inside an included directory: the image would contain its previous
    /// version, and grow with every build.
    pub(crate) fn check_not_included(&self, recipe: &Recipe) -> Result<(), Error> {
        for destination in &self.local {
            let is_directory = destination.format == DiskFormat::Layout;
            if let Some(include) = enclosing_include(recipe, &destination.resolved_path()?, is_directory) {
                return Err(Error::DestinationInInclude { destination: destination.clone(), include });
            }
        }
        Ok(())
    }
}

/// Returns the include of `recipe` that contains `location`, a path without links, and does not exclude it.
pub fn enclosing_include(recipe: &Recipe, location: &Path, is_directory: bool) -> Option<PathBuf> {
    let found = recipe.contents.includes.iter().find_map(|include| {
        let from = recipe.resolve_path(&include.from);
        let included = std::fs::canonicalize(&from).ok()?;
        let below = location.strip_prefix(&included).ok()?;
        let exclude = [&*include.exclude, &recipe.contents.exclude].concat();
        (!excludes(&exclude, below, is_directory)).then_some(from)
    })?;
    Some(fs::absolute_path(&found).unwrap_or(found))
}

fn on_disk_destination(location: &ImageLocation) -> Option<&DiskLocation> {
    match location {
        ImageLocation::OnDisk(destination) => Some(destination),
        ImageLocation::Registry(_) | ImageLocation::Engine(_) => None,
    }
}

/// Returns the default destination `oci:NAME.oci`. NAME is the last part of the image's name, else
/// the program's file name.
fn default_destination(recipe: &Recipe) -> DiskLocation {
    let program = recipe.contents.programs.first().and_then(|program| program.from.file_name());
    let name = match recipe.image.names.first() {
        Some(reference) => reference.last_component().into(),
        None => program.unwrap_or_default().to_os_string(),
    };
    let mut file = name;
    file.push(".oci");
    DiskLocation::layout(file)
}
