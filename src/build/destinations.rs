//! The destinations of a recipe's image.

use std::path::{Path, PathBuf};

use super::{Error, Settings};
use coracle_oci::engine;
use coracle_core::fs;
use crate::recipe::Recipe;
use coracle_oci::registry::{Client, Repository};
use coracle_oci::layout::{Destination, Staging};
use coracle_oci::copy::{Named, Place, Routes};

/// The destinations on disk, at registries and at engines; at least one.
pub(super) struct Destinations {
    pub(super) local: Vec<Destination>,
    pub(super) remote: Vec<Named>,
    /// The destination of the full contract.
    pub(super) contract: Option<Place>,
    pub(super) engines: Vec<engine::Named>,
}

/// Returns the registry destinations of the image of `recipe` and of its contract.
pub fn registries(recipe: &Recipe) -> Vec<Named> {
    let Destinations { mut remote, contract, .. } = Destinations::of(recipe);
    remote.extend(contract.and_then(|place| match place {
        Place::Remote(named) => Some(named),
        Place::Local(_) | Place::Engine(_) => None,
    }));
    remote
}

impl Destinations {
    /// Returns the recipe's destinations, or `NAME.oci` in the working directory. With `push`, the
    /// registries of its names, too.
    pub(super) fn of(recipe: &Recipe) -> Self {
        let (mut local, mut remote, mut engines) = (Vec::new(), Vec::new(), Vec::new());
        for place in &recipe.destinations {
            match place {
                Place::Local(destination) => local.push(destination.clone()),
                Place::Remote(named) => remote.push(named.clone()),
                Place::Engine(named) => engines.push(named.clone()),
            }
        }
        if recipe.destinations.is_empty() {
            local.push(default(recipe));
        }
        for named in recipe.names.iter().filter(|_| recipe.push).map(Named::from) {
            let is_new = |there: &Named| there.reference.full_name() != named.reference.full_name();
            if remote.iter().all(is_new) {
                remote.push(named);
            }
        }
        if let Some(kind) = &recipe.load {
            let named =
                recipe.names.iter().map(|name| engine::Named { kind: kind.clone(), name: name.clone() });
            engines.extend(named.filter(|named| !engines.contains(named)).collect::<Vec<_>>());
        }
        Self { local, remote, engines, contract: recipe.publish_contract.clone() }
    }

    /// Returns all destinations: on disk, then registries, then engines.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        let local = self.local.iter().cloned().map(Place::Local);
        let engines = self.engines.iter().cloned().map(Place::Engine);
        local.chain(self.remote.iter().cloned().map(Place::Remote)).chain(engines)
    }

    /// Returns the repositories at registries.
    pub(super) fn repositories(&self) -> Vec<Repository> {
        self.remote.iter().map(|named| Repository::from(&named.reference)).collect()
    }

    /// Checks that the destinations on disk can be written.
    pub(super) fn check(&self) -> Result<(), Error> {
        Ok(self.on_disk().try_for_each(Destination::check)?)
    }

    /// Returns the destinations on disk, including that of the contract.
    pub(super) fn on_disk(&self) -> impl Iterator<Item = &Destination> {
        self.local.iter().chain(self.contract.as_ref().and_then(local))
    }

    /// Returns the registry destination of the contract and the client for it. `None` if it has
    /// none.
    ///
    /// # Errors
    /// Fails if no registry client is configured.
    pub(super) fn contract_at_registry<'a>(
        &'a self,
        settings: &'a Settings,
    ) -> Result<Option<(&'a Named, &'a Client)>, Error> {
        match (&self.contract, &settings.client) {
            (Some(Place::Remote(named)), Some(client)) => Ok(Some((named, client))),
            (Some(place @ Place::Remote(_)), None) => Err(Error::NoClient(place.clone())),
            (Some(Place::Local(_) | Place::Engine(_)) | None, _) => Ok(None),
        }
    }

    /// Returns the uploads to registries. No request is sent yet.
    ///
    /// # Errors
    /// Fails if no registry client is configured.
    pub(super) fn routes(&self, recipe: &Recipe, settings: &Settings) -> Result<Routes, Error> {
        match (self.remote.first(), &settings.client) {
            (None, _) => Ok(Routes::default()),
            (Some(_), Some(client)) => {
                let base = match &recipe.base {
                    Some(Place::Remote(base)) => Some(&base.reference),
                    _ => None,
                };
                let others = base.into_iter().chain(&settings.shared.from).map(Repository::from);
                Ok(Routes::new(client, &self.remote, &others.collect::<Vec<_>>()))
            }
            (Some(named), None) => Err(Error::NoClient(Place::Remote(named.clone()))),
        }
    }

    /// Creates the staging directory: on the file system of the first destination on disk, or in
    /// the scratch directory.
    pub(super) fn staging(&self, settings: &Settings) -> Result<Staging, Error> {
        Ok(match self.local.first() {
            Some(destination) => Staging::new(destination)?,
            None => Staging::within(settings.scratch.as_deref().unwrap_or(Path::new(".")))?,
        })
    }

    /// Fails if a destination is inside an included directory: the image would contain its previous
    /// version, and grow with every build.
    pub(super) fn check_includes(&self, recipe: &Recipe) -> Result<(), Error> {
        for destination in &self.local {
            if let Some(include) = including(recipe, &destination.place()?) {
                return Err(Error::Itself { destination: destination.clone(), include });
            }
        }
        Ok(())
    }
}

/// Returns the include of `recipe` that contains `place`, a path without links.
pub fn including(recipe: &Recipe, place: &Path) -> Option<PathBuf> {
    let mut includes = recipe.includes.iter().map(|include| recipe.locate(&include.from));
    let include = includes
        .find(|from| std::fs::canonicalize(from).is_ok_and(|included| place.starts_with(included)))?;
    Some(fs::absolute(&include).unwrap_or(include))
}

fn local(place: &Place) -> Option<&Destination> {
    match place {
        Place::Local(destination) => Some(destination),
        Place::Remote(_) | Place::Engine(_) => None,
    }
}

/// Returns the default destination `oci:NAME.oci`. NAME is the last part of the image's name, else
/// the program's file name.
fn default(recipe: &Recipe) -> Destination {
    let program = recipe.programs.first().and_then(|program| program.from.file_name());
    let name = match recipe.names.first() {
        Some(reference) => reference.base_name().into(),
        None => program.unwrap_or_default().to_os_string(),
    };
    let mut file = name;
    file.push(".oci");
    Destination::layout(file)
}
