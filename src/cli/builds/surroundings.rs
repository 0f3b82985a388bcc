//! What builds need in addition to their recipes: the cache, the registry client, the engine.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use coracle::Settings;
use coracle_oci::engine::Kind;
use coracle::recipe::Recipe;
use coracle_oci::registry::{Client, Repository};
use coracle_oci::copy::Place;

use crate::cli::args::BuildArgs;
use crate::cli::failure::Failure;
use crate::cli::{build, cache};

/// The settings that builds share, made when first needed.
pub(super) struct Surroundings<'a> {
    args: &'a BuildArgs,
    settings: Option<Result<Settings, Failure>>,
    engine: Option<Result<Kind, Failure>>,
    /// The registries that the client pushes to, and the client.
    client: Option<(BTreeSet<String>, Option<Client>)>,
    /// Parent directories that builds create. A failed build removes them only if they are empty,
    /// which another build may prevent, so empty ones are removed at the end.
    made: BTreeSet<PathBuf>,
}

impl<'a> Surroundings<'a> {
    /// Creates it without making any setting yet.
    pub(super) fn of(args: &'a BuildArgs) -> Self {
        Self { args, settings: None, engine: None, client: None, made: BTreeSet::new() }
    }

    /// Cleans up after all builds have ended.
    pub(super) fn close(self) {
        self.made.iter().rev().for_each(|directory| drop(std::fs::remove_dir(directory)));
        if let Some(Ok(settings)) = &self.settings {
            cache::close(settings);
        }
    }

    /// Returns what the build of `recipe` needs. `None` if that fails, in which case
    /// [`Surroundings::of_all`] reports the error, or if it depends on the other recipes.
    pub(super) fn of_one(&mut self, mut recipe: Recipe) -> Option<(Recipe, Settings)> {
        if self.args.load {
            let engine = self.engine.get_or_insert_with(build::engine_there).as_ref().ok()?;
            recipe.load = Some(engine.clone()).filter(|_| !recipe.names.is_empty());
            recipe.load.as_ref()?;
        }
        let settings = self.settings().as_ref().ok()?.clone();
        let client = self.client(&recipe, &settings)?;
        self.made.extend(missing(&recipe));
        Some((recipe, Settings { client, ..settings }))
    }

    /// Returns what the builds of `recipes`, all of them, need.
    pub(super) fn of_all(&mut self, mut recipes: Vec<Recipe>) -> Result<(Vec<Recipe>, Settings), Failure> {
        if self.args.load {
            build::named_for_engine(&recipes)?;
            let engine = self.engine.take().unwrap_or_else(build::engine_there)?;
            recipes.iter_mut().for_each(|recipe| recipe.load = Some(engine.clone()));
        }
        let settings = match self.settings() {
            Ok(settings) => settings.clone(),
            Err(_) => self.settings.take().unwrap_or_else(|| build::surroundings(self.args))?,
        };
        let client = build::client(&recipes, &settings.shared, self.args)?;
        self.made.extend(recipes.iter().flat_map(missing));
        Ok((recipes, Settings { client, ..settings }))
    }

    fn settings(&mut self) -> &Result<Settings, Failure> {
        self.settings.get_or_insert_with(|| build::surroundings(self.args))
    }

    /// Returns the client for the registries of `recipe`. `None` if it pushes to other registries
    /// than the first recipe: credentials from the environment apply only if all images go to one
    /// registry.
    fn client(&mut self, recipe: &Recipe, settings: &Settings) -> Option<Option<Client>> {
        let named = coracle::registries(recipe);
        if named.is_empty() && !build::reads_registry(recipe) && settings.shared == Default::default() {
            return Some(None);
        }
        let registry = |reference| Repository::from(reference).registry().to_owned();
        let registries = named.iter().map(|named| registry(&named.reference)).collect();
        if self.client.is_none() {
            let client = build::client(std::slice::from_ref(recipe), &settings.shared, self.args).ok()?;
            self.client = Some((registries, client.clone()));
            return Some(client);
        }
        let (known, client) = self.client.as_ref()?;
        (*known == registries).then(|| client.clone())
    }
}

/// Returns the missing parent directories of the destinations of `recipe`.
fn missing(recipe: &Recipe) -> Vec<PathBuf> {
    let local = recipe.destinations.iter().filter_map(|place| match place {
        Place::Local(destination) => Some(destination.path.as_path()),
        Place::Remote(_) | Place::Engine(_) => None,
    });
    let above = local.flat_map(|path| path.ancestors().skip(1).take_while(|above| !above.exists()));
    above.map(Path::to_owned).filter(|above| !above.as_os_str().is_empty()).collect()
}
