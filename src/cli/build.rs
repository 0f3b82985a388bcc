//! `coracle build`.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use coracle::recipe::{self, Recipe};
use coracle::{Built, Settings};
use coracle_oci::cache::BuildCache;
use coracle_oci::copy::{ImageLocation, RegistryImageName};
use coracle_oci::engine::EngineKind;
use coracle_oci::registry::RegistryClient;
use coracle_oci::remote_cache::RemoteCacheConfig;
use serde_json::{Value, json};

use super::args::{BuildArgs, OutputFormat, RegistryArgs};
use super::concurrent_builds::{self, BuildMonitor, FinishedBuild};
use super::error::CliError;
use super::exit::CliExit;
use super::progress::Progress;
use super::reports::ReportFiles;
use super::{cache, engine_settings, image_report, interrupt, registry_client, stderr, stdout};

/// The last second of the year 9999, the latest time that RFC 3339 can represent.
const MAX_EPOCH: u64 = 253_402_300_799;

/// Builds, or plans, one image per recipe, several concurrently. All failures are reported.
pub(super) fn run_build(args: &BuildArgs) -> Result<CliExit, CliError> {
    interrupt::handle_signals();
    build_images(args, |_| read_recipes(args), CliError::from_build_error)
}

/// Builds, or plans, the images of the recipes that `find` returns.
///
/// `find` may pass some recipes to its callback before it returns: their images are packed in the
/// meantime, but published only after it has returned all recipes. `convert_error` converts a build's error.
pub(super) fn build_images(
    args: &BuildArgs,
    find: impl FnOnce(&mut dyn FnMut(Recipe)) -> Result<Vec<Recipe>, Vec<CliError>>,
    convert_error: fn(&coracle::Error) -> CliError,
) -> Result<CliExit, CliError> {
    let reports = ReportFiles::new(&args.reports)?;
    let find = |begin: &mut dyn FnMut(Recipe)| {
        let recipes = find(begin)?;
        check_previous(&recipes)?;
        reports.check_includes(&recipes)?;
        Ok(recipes)
    };
    let mut images = Vec::new();
    let mut failures = Vec::new();
    let mut take = |result: Result<Vec<Value>, CliError>| match result {
        Ok(described) => images.extend(described),
        Err(failure) => failures.push(failure),
    };
    let done = reports.check_writable().and_then(|()| match args.dry_run {
        true => plan_images(args, find, |recipe, settings| {
            take(print_plan(recipe, settings, args, convert_error))
        }),
        false => concurrent_builds::build_all(
            args,
            find,
            convert_error,
            |failures| exit_early(&reports, failures),
            |FinishedBuild { recipe, notes, result: built, .. }| {
                stderr::print_notes(&notes, args.quiet);
                take(built.and_then(|built| report_built(&recipe, &built, args, &reports)));
            },
        ),
    });
    failures.extend(done.err().into_iter().flatten());
    let described = if images.is_empty() { Value::Null } else { json!({ "images": images }) };
    if args.format == OutputFormat::Json && !images.is_empty() {
        failures.extend(stdout::print_json(&described).err());
    }
    report_all_but_last(reports.write(&described, failures)).map_or(Ok(CliExit::Success), Err)
}

/// Writes the reports and exits the process while builds that are no longer needed still run. The
/// next build removes what they have packed.
#[allow(clippy::exit, reason = "threads that wait for a registry can't be cancelled")]
fn exit_early(reports: &ReportFiles<'_>, failures: Vec<CliError>) -> Infallible {
    let failure = report_all_but_last(reports.write(&Value::Null, failures));
    failure.iter().for_each(stderr::print_error);
    std::process::exit(failure.map_or(CliExit::Failed, |failure| failure.exit) as i32)
}

/// Finds the recipes and plans each with `plan`.
fn plan_images(
    args: &BuildArgs,
    find: impl FnOnce(&mut dyn FnMut(Recipe)) -> Result<Vec<Recipe>, Vec<CliError>>,
    mut plan: impl FnMut(&Recipe, &Settings),
) -> Result<(), Vec<CliError>> {
    let recipes = find(&mut drop)?;
    // A plan caches only what it fetched from the base image.
    let has_base = recipes.iter().any(|recipe| recipe.image.base.is_some());
    let cache = if has_base { cache::open_without_records(&args.cache, args.quiet)? } else { None };
    let settings =
        library_settings(args.epoch.as_deref(), cache, client_for_reading(&recipes, &args.registry)?)?;
    recipes.iter().for_each(|recipe| plan(recipe, &settings));
    cache::prune_and_report(&settings);
    Ok(())
}

/// Fails if one previous image is given for several images.
fn check_previous(recipes: &[Recipe]) -> Result<(), CliError> {
    if recipes.len() < 2 || recipes.iter().all(|recipe| recipe.policy.budget.previous.is_none()) {
        return Ok(());
    }
    Err(CliError::usage(
        "`--previous` can't be used when several images are built: each has its own previous image",
        "leave it out to compare each image with the one that it replaces, or build one image at a time",
    ))
}

/// Returns the settings of all builds, from flags and environment. The registry client is left out,
/// because it depends on the recipes.
pub(super) fn settings_of_all_builds(args: &BuildArgs) -> Result<Settings, CliError> {
    let cache = cache::open_cache(&args.cache, args.quiet)?;
    let (shared, compares) =
        (cache::remote_cache(&args.remote_cache)?, ReportFiles::needs_comparison(&args.reports));
    Ok(Settings {
        remote_cache: shared,
        compare_with_previous: compares,
        ..library_settings(args.epoch.as_deref(), cache, None)?
    })
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

/// Returns the first engine that is available.
pub(super) fn find_engine() -> Result<EngineKind, CliError> {
    let there = coracle_oci::engine::detect_engine(
        &engine_settings::engine_settings(),
        &interrupt::SignalCancellation,
    );
    there.map_err(|error| registry_client::from_transfer_error(&error.into()))
}

/// Prints what would be packed. Returns one JSON description per platform.
fn print_plan(
    recipe: &Recipe,
    settings: &Settings,
    args: &BuildArgs,
    convert_error: fn(&coracle::Error) -> CliError,
) -> Result<Vec<Value>, CliError> {
    coracle::contract::contract_of(recipe)?;
    let plans = coracle::plan(recipe, settings).map_err(|error| convert_error(&error))?;
    plans.iter().for_each(|plan| stderr::print_notes(&plan.notes, args.quiet));
    let foreseen = coracle::secret_scan::scan_plan(recipe, &plans);
    if let Ok(notes) = &foreseen {
        stderr::print_notes(notes, args.quiet);
    }
    if args.format == OutputFormat::Text {
        plans.iter().try_for_each(|plan| stdout::print(&image_report::plan_text(plan)))?;
    }
    foreseen?;
    Ok(plans.iter().map(|plan| image_report::plan_json(recipe, plan)).collect())
}

/// Whether the base image or the previous image is read from a registry.
pub(super) fn reads_registry(recipe: &Recipe) -> bool {
    [&recipe.image.base, &recipe.policy.budget.previous]
        .into_iter()
        .any(|place| matches!(place, Some(ImageLocation::Registry(_))))
}

/// Returns a client for the registries that are read; `None` if there are none.
pub(super) fn client_for_reading(
    recipes: &[Recipe],
    args: &RegistryArgs,
) -> Result<Option<RegistryClient>, CliError> {
    recipes.iter().any(reads_registry).then(|| registry_client::registry_client(args, &[])).transpose()
}

/// Returns a client for the registries that are pushed to, or else those that are read; `None` if
/// there are none.
pub(super) fn registry_client(
    recipes: &[Recipe],
    shared: &RemoteCacheConfig,
    args: &BuildArgs,
) -> Result<Option<RegistryClient>, CliError> {
    let kept = shared.target.iter().map(RegistryImageName::from);
    let named: Vec<RegistryImageName> =
        recipes.iter().flat_map(coracle::destinations::registry_destinations).chain(kept).collect();
    if named.is_empty() && *shared != RemoteCacheConfig::default() {
        let from: Vec<RegistryImageName> = shared.sources.iter().map(RegistryImageName::from).collect();
        return registry_client::registry_client(&args.registry, &from.iter().collect::<Vec<_>>()).map(Some);
    }
    if named.is_empty() {
        return client_for_reading(recipes, &args.registry);
    }
    registry_client::registry_client(&args.registry, &named.iter().collect::<Vec<_>>()).map(Some)
}

/// Prints what was built and where it was published. Returns its JSON description.
fn report_built(
    recipe: &Recipe,
    built: &Built,
    args: &BuildArgs,
    reports: &ReportFiles<'_>,
) -> Result<Vec<Value>, CliError> {
    stderr::print_notes(&built.notes, args.quiet);
    let title = image_title(recipe, built);
    if !args.quiet {
        stderr::print(&image_report::built_text(&title, built));
    }
    reports.add_built(&title, built);
    if args.format == OutputFormat::Text {
        stdout::print(&(image_report::digest_reference(built) + "\n"))?;
    }
    Ok(vec![image_report::built_json(built)])
}

/// Builds one image, with a progress bar, and prints its notes.
pub(super) fn build_with_progress(
    recipe: &Recipe,
    settings: &Settings,
    quiet: bool,
) -> Result<Built, CliError> {
    let progress = Progress::new(quiet, "packing");
    let watch = BuildMonitor::single(&progress);
    let built = coracle::build(recipe, settings, &watch);
    progress.finish();
    stderr::print_notes(&watch.notes(), quiet);
    let built = built?;
    stderr::print_notes(&built.notes, quiet);
    Ok(built)
}

/// Returns the image's title in messages: its name, or its program's.
fn image_title(recipe: &Recipe, built: &Built) -> String {
    let program = || recipe.contents.programs.first().and_then(|program| program.from.file_name());
    match built.references.first() {
        Some(reference) => reference.to_string(),
        None => program().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
    }
}

/// Returns the recipes that the arguments name. Fails if any of them is invalid, before any is
/// built.
fn read_recipes(args: &BuildArgs) -> Result<Vec<Recipe>, Vec<CliError>> {
    let flags = args.overrides();
    if args.files.is_empty() {
        let recipe = if flags.programs.is_empty() {
            recipe::read_recipe(Path::new(recipe::DEFAULT_FILE_NAME), &flags)
                .map_err(explain_missing_recipe)?
        } else {
            Recipe::from_flags(&flags).map_err(CliError::from)?
        };
        return Ok(vec![recipe]);
    }
    let one_image = |dest: &String| {
        dest.contains("-archive:")
            || dest.starts_with("docker://")
            || coracle_oci::engine::has_engine_transport(dest)
    };
    let of_one =
        !flags.programs.is_empty() || !flags.names.is_empty() || flags.destinations.iter().any(one_image);
    if args.files.len() > 1 && of_one {
        return Err(CliError::usage(
            "PROGRAM, `--tag`, an archive and a name in a registry can't be used with several recipes: each is one image",
            "set programs and names in the recipes, or build one recipe at a time",
        )
        .into());
    }
    let (mut recipes, mut failures) = (Vec::new(), Vec::new());
    for path in &args.files {
        match recipe::read_recipe(path, &flags) {
            Ok(recipe) => recipes.push(recipe),
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

/// Reports all failures except the last, which is returned with the exit code of the first.
/// Repeated interruptions count once.
pub(super) fn report_all_but_last(mut failures: Vec<CliError>) -> Option<CliError> {
    let exit = failures.first()?.exit;
    failures
        .dedup_by(|later, earlier| later.exit == CliExit::Interrupted && later.message == earlier.message);
    let mut failures = failures.into_iter().rev();
    let last = failures.next().map(|failure| CliError { exit, ..failure });
    for failure in failures.rev() {
        stderr::print_error(&failure);
        stderr::print("\n");
    }
    last
}

/// Returns the library's settings. They depend on the environment, which the library never reads.
#[allow(clippy::disallowed_methods, reason = "the only function that reads the environment for `Settings`")]
pub(super) fn library_settings(
    epoch_flag: Option<&str>,
    cache: Option<BuildCache>,
    client: Option<RegistryClient>,
) -> Result<Settings, CliError> {
    let variable = std::env::var_os("SOURCE_DATE_EPOCH").map(|value| value.to_string_lossy().into_owned());
    let epoch = match (epoch_flag, &variable) {
        (Some(text), _) => parse_epoch("--epoch", text)?,
        (None, Some(text)) => parse_epoch("SOURCE_DATE_EPOCH", text)?,
        (None, None) => 0,
    };
    // The root directory, or a relative path, is not private to a user.
    let private = |directory: &PathBuf| directory.is_absolute() && directory.parent().is_some();
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let private_dirs = home.into_iter().chain([std::env::temp_dir()]).filter(private).collect();
    // Images may not fit into /tmp, which may be a tmpfs.
    let scratch = std::env::var_os("TMPDIR").map_or_else(|| "/var/tmp".into(), PathBuf::from);
    let scratch = Some(scratch).filter(|directory| directory.is_dir()).unwrap_or_else(std::env::temp_dir);
    let (cache, scratch) = (cache.map(Arc::new), Some(scratch));
    let (engines, shared) = (engine_settings::engine_settings(), RemoteCacheConfig::default());
    Ok(Settings {
        epoch,
        private_dirs,
        cache,
        registry_client: client,
        scratch_dir: scratch,
        remote_cache: shared,
        engines,
        compare_with_previous: false,
    })
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
