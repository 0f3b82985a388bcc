//! The inputs of builds, from flags and environment: the recipes, the library's settings, the registry
//! client and the engine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use coracle::Settings;
use coracle::attestations::AttestationSettings;
use coracle::recipe::{self, Recipe, RecipeOverrides};
use coracle_core::fs::Durability;
use coracle_oci::cache::BuildCache;
use coracle_oci::copy::{self, ImageLocation, RegistryImageName};
use coracle_oci::engine::EngineKind;
use coracle_oci::registry::RegistryClient;
use coracle_oci::remote_cache::RemoteCacheConfig;

use super::args::{BuildArgs, RegistryArgs};
use super::environment::{engine_settings, env_path, env_var, new_registry_client};
use super::error::CliError;
use super::report_files::ReportFiles;
use super::{cache, interrupt, signing};

/// Returns the recipes that the arguments name. Fails if any of them is invalid, before any is
/// built.
pub(super) fn read_recipes(args: &BuildArgs) -> Result<Vec<Recipe>, Vec<CliError>> {
    let flags = args.overrides();
    if args.files.is_empty() {
        let mut recipe = if flags.programs.is_empty() {
            recipe::read_recipe(Path::new(recipe::DEFAULT_FILE_NAME), &flags)
                .map_err(explain_missing_recipe)?
        } else {
            Recipe::from_flags(&flags).map_err(CliError::from)?
        };
        recipe.apply_default_name();
        return Ok(vec![recipe]);
    }
    let is_for_one_image =
        !flags.programs.is_empty() || !flags.names.is_empty() || has_single_image_destination(&flags);
    if args.files.len() > 1 && is_for_one_image {
        return Err(CliError::usage(
            "PROGRAM, `--tag`, an archive and a name in a registry can't be used with several recipes: each is one image",
            "set programs and names in the recipes, or build one recipe at a time",
        )
        .into());
    }
    let (mut recipes, mut failures) = (Vec::new(), Vec::new());
    for path in &args.files {
        match recipe::read_recipe(path, &flags) {
            Ok(mut recipe) => {
                recipe.apply_default_name();
                recipes.push(recipe);
            }
            Err(error) => failures.push(CliError::from(error)),
        }
    }
    if failures.is_empty() { Ok(recipes) } else { Err(failures) }
}

/// Explains that a program or a recipe is needed, if the default recipe is missing.
fn explain_missing_recipe(error: recipe::RecipeError) -> CliError {
    match error {
        recipe::RecipeError::Read(error) if error.kind() == std::io::ErrorKind::NotFound => CliError::usage(
            format!(
                "nothing to build: no PROGRAM is given and `{}` does not exist in this directory",
                recipe::DEFAULT_FILE_NAME
            ),
            format!(
                "name a program, as in `coracle build ./app`, or write a `{}`",
                recipe::DEFAULT_FILE_NAME
            ),
        ),
        error => error.into(),
    }
}

/// Returns whether a flag names a destination that holds only one image: an archive, or a name in a registry
/// or an engine.
pub(super) fn has_single_image_destination(flags: &RecipeOverrides) -> bool {
    flags.destinations.iter().any(|destination| {
        destination.contains("-archive:")
            || destination.starts_with("docker://")
            || coracle_oci::engine::has_engine_transport(destination)
    })
}

/// Fails if one previous image is given for several images.
pub(super) fn check_previous_flag(recipes: &[Recipe]) -> Result<(), CliError> {
    if recipes.len() < 2 || recipes.iter().all(|recipe| recipe.checks.budget.previous.is_none()) {
        return Ok(());
    }
    Err(CliError::usage(
        "`--previous` can't be used when several images are built: each has its own previous image",
        "leave it out to compare each image with the one that it replaces, or build one image at a time",
    ))
}

/// Fails if an image for an engine has no name, by which engines store images.
pub(super) fn check_names_for_engine(recipes: &[Recipe]) -> Result<(), CliError> {
    if recipes.iter().any(|recipe| recipe.image.names.is_empty()) {
        return Err(CliError::usage(
            "`--load` needs an image with a name, by which the engine can run it",
            "name it with `--tag NAME:TAG`, or with `name` in the recipe's `[image]`",
        ));
    }
    Ok(())
}

/// The last second of the year 9999, the latest time that RFC 3339 can represent.
const MAX_EPOCH: u64 = 253_402_300_799;

/// Returns the settings of all builds, from flags and environment. The registry client is left out,
/// because it depends on the recipes.
pub(super) fn settings_of_all_builds(args: &BuildArgs) -> Result<Settings, CliError> {
    let cache = cache::open_cache(&args.cache, args.quiet)?;
    Ok(Settings {
        remote_cache: cache::remote_cache_config(&args.remote_cache)?,
        durability: args.disk.durability(),
        locked: args.locked,
        lock_file: args.lock_file.clone(),
        attestations: signing::attestation_settings(&args.signing, args.quiet)?,
        compare_with_previous: ReportFiles::needs_comparison(&args.reports),
        ..library_settings(args.epoch.as_deref(), cache, None)?
    })
}

/// Returns the library's settings. They depend on the environment, which the library never reads.
pub(super) fn library_settings(
    epoch_flag: Option<&str>,
    cache: Option<BuildCache>,
    registry_client: Option<RegistryClient>,
) -> Result<Settings, CliError> {
    let variable = env_var("SOURCE_DATE_EPOCH").map(|value| value.to_string_lossy().into_owned());
    let epoch = match (epoch_flag, &variable) {
        (Some(text), _) => parse_epoch("--epoch", text)?,
        (None, Some(text)) => parse_epoch("SOURCE_DATE_EPOCH", text)?,
        (None, None) => 0,
    };
    // The root directory, or a relative path, is not private to a user.
    let is_private = |directory: &PathBuf| directory.is_absolute() && directory.parent().is_some();
    let private_dirs = env_path("HOME").into_iter().chain([std::env::temp_dir()]).filter(is_private);
    // Images may not fit into /tmp, which may be a tmpfs.
    let scratch_dir = env_path("TMPDIR").unwrap_or_else(|| "/var/tmp".into());
    let scratch_dir = Some(scratch_dir).filter(|directory| directory.is_dir());
    Ok(Settings {
        epoch,
        private_dirs: private_dirs.collect(),
        cache: cache.map(Arc::new),
        registry_client,
        scratch_dir: Some(scratch_dir.unwrap_or_else(std::env::temp_dir)),
        remote_cache: RemoteCacheConfig::default(),
        engines: engine_settings(),
        durability: Durability::default(),
        locked: false,
        lock_file: None,
        attestations: AttestationSettings::default(),
        compare_with_previous: false,
    })
}

/// Returns the first engine that is available.
pub(super) fn detect_local_engine() -> Result<EngineKind, CliError> {
    let engine = coracle_oci::engine::detect_engine(&engine_settings(), &interrupt::SignalCancellation);
    engine.map_err(|error| copy::CopyError::from(error).into())
}

/// Returns whether the base image or the previous image is read from a registry.
pub(super) fn reads_registry(recipe: &Recipe) -> bool {
    [&recipe.image.base, &recipe.checks.budget.previous]
        .into_iter()
        .any(|location| matches!(location, Some(ImageLocation::Registry(_))))
}

/// Returns a client for the registries that are read; `None` if there are none.
pub(super) fn client_for_reading(
    recipes: &[Recipe],
    args: &RegistryArgs,
) -> Result<Option<RegistryClient>, CliError> {
    recipes.iter().any(reads_registry).then(|| new_registry_client(args, &[])).transpose()
}

/// Returns a client for the registries that are pushed to and read; `None` if there are none.
pub(super) fn client_for_publishing(
    recipes: &[Recipe],
    remote_cache: &RemoteCacheConfig,
    args: &BuildArgs,
) -> Result<Option<RegistryClient>, CliError> {
    let cache_target = remote_cache.target.iter().map(RegistryImageName::from);
    let destinations: Vec<RegistryImageName> =
        recipes.iter().flat_map(coracle::destinations::registry_destinations).chain(cache_target).collect();
    if destinations.is_empty() && *remote_cache == RemoteCacheConfig::default() {
        return client_for_reading(recipes, &args.registry);
    }
    new_registry_client(&args.registry, &destinations.iter().collect::<Vec<_>>()).map(Some)
}

fn parse_epoch(source: &str, text: &str) -> Result<u64, CliError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&seconds| digits && seconds <= MAX_EPOCH).ok_or_else(|| {
        CliError::usage(
            format!("`{source}`: `{text}` is not a number of seconds since 1970"),
            "write a whole number, such as the commit's: `git log -1 --format=%ct`",
        )
    })
}
