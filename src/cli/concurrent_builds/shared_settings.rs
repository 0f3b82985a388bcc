//! The settings that concurrent builds share: the cache, the registry client, the engine.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use coracle::Settings;
use coracle::recipe::Recipe;
use coracle_oci::copy::ImageLocation;
use coracle_oci::engine::EngineKind;
use coracle_oci::registry::{RegistryClient, Repository};

use crate::cli::args::BuildArgs;
use crate::cli::error::CliError;
use crate::cli::{build_inputs, cache};

/// The settings that builds share, made when first needed.
pub(super) struct SharedSettings<'a> {
    args: &'a BuildArgs,
    settings: Option<Result<Settings, CliError>>,
    engine: Option<Result<EngineKind, CliError>>,
    /// The registries that the client pushes to, and the client.
    client: Option<(BTreeSet<String>, Option<RegistryClient>)>,
    /// Parent directories that builds create. A failed build removes them only if they are empty,
    /// which another build may prevent, so empty ones are removed at the end.
    created_directories: BTreeSet<PathBuf>,
}

impl<'a> SharedSettings<'a> {
    /// Creates the shared settings; each setting is made when it is first needed.
    pub(super) fn new(args: &'a BuildArgs) -> Self {
        Self { args, settings: None, engine: None, client: None, created_directories: BTreeSet::new() }
    }

    /// Cleans up after all builds have ended.
    pub(super) fn clean_up(self) {
        self.created_directories.iter().rev().for_each(|directory| drop(std::fs::remove_dir(directory)));
        if let Some(Ok(settings)) = &self.settings {
            cache::prune_and_report(settings);
        }
    }

    /// Returns the recipe and settings of a build that starts before all recipes are known. `None`
    /// if the settings cannot be made, in which case [`SharedSettings::for_all_builds`] reports the
    /// error, or if they depend on the other recipes.
    pub(super) fn for_early_build(&mut self, mut recipe: Recipe) -> Option<(Recipe, Settings)> {
        if self.args.load {
            let engine = self.engine.get_or_insert_with(build_inputs::detect_local_engine).as_ref().ok()?;
            recipe.output.load_engine = Some(engine.clone()).filter(|_| !recipe.image.names.is_empty());
            recipe.output.load_engine.as_ref()?;
        }
        let settings = self.settings().as_ref().ok()?.clone();
        let client = self.client_for(&recipe, &settings)?;
        self.created_directories.extend(missing_parents(&recipe));
        Some((recipe, Settings { registry_client: client, ..settings }))
    }

    /// Returns the recipes and settings of the builds of all `recipes`.
    pub(super) fn for_all_builds(
        &mut self,
        mut recipes: Vec<Recipe>,
    ) -> Result<(Vec<Recipe>, Settings), CliError> {
        if self.args.load {
            build_inputs::check_names_for_engine(&recipes)?;
            let engine = self.engine.take().unwrap_or_else(build_inputs::detect_local_engine)?;
            recipes.iter_mut().for_each(|recipe| recipe.output.load_engine = Some(engine.clone()));
        }
        let settings = match self.settings() {
            Ok(settings) => settings.clone(),
            Err(_) => {
                self.settings.take().unwrap_or_else(|| build_inputs::settings_of_all_builds(self.args))?
            }
        };
        let client = build_inputs::client_for_publishing(&recipes, &settings.remote_cache, self.args)?;
        self.created_directories.extend(recipes.iter().flat_map(missing_parents));
        Ok((recipes, Settings { registry_client: client, ..settings }))
    }

    fn settings(&mut self) -> &Result<Settings, CliError> {
        self.settings.get_or_insert_with(|| build_inputs::settings_of_all_builds(self.args))
    }

    /// Returns the client for the registries of `recipe`. `None` if it pushes to other registries
    /// than the first recipe: credentials from the environment apply only if all images go to one
    /// registry.
    fn client_for(&mut self, recipe: &Recipe, settings: &Settings) -> Option<Option<RegistryClient>> {
        let destinations = coracle::destinations::registry_destinations(recipe);
        if destinations.is_empty()
            && !build_inputs::reads_registry(recipe)
            && settings.remote_cache == Default::default()
        {
            return Some(None);
        }
        let registry = |reference| Repository::from(reference).registry().to_owned();
        let registries = destinations.iter().map(|image| registry(&image.reference)).collect();
        if self.client.is_none() {
            let recipes = std::slice::from_ref(recipe);
            let client = build_inputs::client_for_publishing(recipes, &settings.remote_cache, self.args);
            // The error is reported when all recipes are known.
            let client = client.ok()?;
            self.client = Some((registries, client.clone()));
            return Some(client);
        }
        let (known, client) = self.client.as_ref()?;
        (*known == registries).then(|| client.clone())
    }
}

/// Returns the missing parent directories of the destinations of `recipe`.
fn missing_parents(recipe: &Recipe) -> Vec<PathBuf> {
    let local = recipe.output.destinations.iter().filter_map(|destination| match destination {
        ImageLocation::OnDisk(destination) => Some(destination.path.as_path()),
        ImageLocation::Registry(_) | ImageLocation::Engine(_) => None,
    });
    let above = local.flat_map(|path| path.ancestors().skip(1).take_while(|above| !above.exists()));
    above.map(Path::to_owned).filter(|above| !above.as_os_str().is_empty()).collect()
}
