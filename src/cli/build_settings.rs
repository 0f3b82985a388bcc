//! What builds need in addition to their recipes, from flags and environment: the library's settings,
//! the registry client and the engine.

use std::path::PathBuf;
use std::sync::Arc;

use coracle::Settings;
use coracle::recipe::Recipe;
use coracle_oci::cache::BuildCache;
use coracle_oci::copy::{self, ImageLocation, RegistryImageName};
use coracle_oci::engine::EngineKind;
use coracle_oci::registry::RegistryClient;
use coracle_oci::remote_cache::RemoteCacheConfig;

use super::args::{BuildArgs, RegistryArgs};
use super::engine_settings::engine_settings;
use super::environment::{env_path, env_var};
use super::error::CliError;
use super::registry_client::new_registry_client;
use super::report_files::ReportFiles;
use super::{cache, interrupt};

/// The last second of the year 9999, the latest time that RFC 3339 can represent.
const MAX_EPOCH: u64 = 253_402_300_799;

/// Returns the settings of all builds, from flags and environment. The registry client is left out,
/// because it depends on the recipes.
pub(super) fn settings_of_all_builds(args: &BuildArgs) -> Result<Settings, CliError> {
    let cache = cache::open_cache(&args.cache, args.quiet)?;
    Ok(Settings {
        remote_cache: cache::remote_cache_config(&args.remote_cache)?,
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
        compare_with_previous: false,
    })
}

/// Returns the first engine that is available.
pub(super) fn find_engine() -> Result<EngineKind, CliError> {
    let engine = coracle_oci::engine::detect_engine(&engine_settings(), &interrupt::SignalCancellation);
    engine.map_err(|error| copy::CopyError::from(error).into())
}

/// Whether the base image or the previous image is read from a registry.
pub(super) fn reads_registry(recipe: &Recipe) -> bool {
    [&recipe.image.base, &recipe.policy.budget.previous]
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

/// Returns a client for the registries that are pushed to, or else those that are read; `None` if
/// there are none.
pub(super) fn client_for_publishing(
    recipes: &[Recipe],
    remote_cache: &RemoteCacheConfig,
    args: &BuildArgs,
) -> Result<Option<RegistryClient>, CliError> {
    let cache_target = remote_cache.target.iter().map(RegistryImageName::from);
    let destinations: Vec<RegistryImageName> =
        recipes.iter().flat_map(coracle::destinations::registry_destinations).chain(cache_target).collect();
    if !destinations.is_empty() {
        return new_registry_client(&args.registry, &destinations.iter().collect::<Vec<_>>()).map(Some);
    }
    if *remote_cache == RemoteCacheConfig::default() {
        return client_for_reading(recipes, &args.registry);
    }
    let sources: Vec<RegistryImageName> = remote_cache.sources.iter().map(RegistryImageName::from).collect();
    new_registry_client(&args.registry, &sources.iter().collect::<Vec<_>>()).map(Some)
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
