//! Where an image goes, seen from its recipe.

use std::path::Path;

use super::{Error, Settings};
use crate::engine;
use crate::fs;
use crate::recipe::Recipe;
use crate::store::{Destination, Staging};
use crate::transfer::{Named, Place, Routes};

/// At least one destination: on disk, at a registry, or at an engine.
pub(super) struct Destinations {
    pub(super) local: Vec<Destination>,
    pub(super) remote: Vec<Named>,
    pub(super) engines: Vec<engine::Named>,
}

/// The names at registries that the image of `recipe` goes to.
pub fn registries(recipe: &Recipe) -> Vec<Named> {
    Destinations::of(recipe).remote
}

impl Destinations {
    /// Those that the recipe names, or `NAME.oci` in the working directory; and the registries of its names, where they
    /// are asked for.
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
        Self { local, remote, engines }
    }

    /// All of them, those on disk first.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        let local = self.local.iter().cloned().map(Place::Local);
        let engines = self.engines.iter().cloned().map(Place::Engine);
        local.chain(self.remote.iter().cloned().map(Place::Remote)).chain(engines)
    }

    /// Whether they can take an image, as far as can be told before there is one.
    pub(super) fn check(&self) -> Result<(), Error> {
        Ok(self.local.iter().try_for_each(Destination::check)?)
    }

    /// The ways to the registries, which nobody has gone yet.
    pub(super) fn routes(&self, settings: &Settings) -> Result<Routes, Error> {
        match (self.remote.first(), &settings.client) {
            (None, _) => Ok(Routes::default()),
            (Some(_), Some(client)) => Ok(Routes::new(client, &self.remote)),
            (Some(named), None) => Err(Error::NoClient(Place::Remote(named.clone()))),
        }
    }

    /// Where the image is packed: on the file system of the first destination. What goes to registries alone leaves
    /// nothing there.
    pub(super) fn staging(&self, settings: &Settings) -> Result<Staging, Error> {
        Ok(match self.local.first() {
            Some(destination) => Staging::new(destination)?,
            None => Staging::within(settings.scratch.as_deref().unwrap_or(Path::new(".")))?,
        })
    }

    /// An image in a directory that it includes would hold itself as it was before, and grow with every build.
    pub(super) fn check_includes(&self, recipe: &Recipe) -> Result<(), Error> {
        for include in &recipe.includes {
            let Ok(folder) = std::fs::canonicalize(recipe.locate(&include.from)) else { continue };
            for destination in &self.local {
                if destination.place()?.starts_with(&folder) {
                    let include = fs::absolute(&recipe.locate(&include.from))?;
                    return Err(Error::Itself { destination: destination.clone(), include });
                }
            }
        }
        Ok(())
    }
}

/// `oci:NAME.oci`, where NAME is the last part of the image's name, else the program's file name.
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
