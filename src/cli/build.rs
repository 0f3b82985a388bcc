//! `coracle build`.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use coracle_oci::cache::Cache;
use coracle_oci::engine::Kind;
use coracle::recipe::{self, Recipe};
use coracle_oci::registry::Client;
use coracle_oci::remote_cache::Shared;
use coracle_oci::copy::{Named, Place};
use coracle::{Built, Settings};
use serde_json::{Value, json};

use super::args::{BuildArgs, Format, RegistryArgs};
use super::builds::{self, Ended, Watch};
use super::exit::Exit;
use super::failure::Failure;
use super::progress::Progress;
use super::reports::Reports;
use super::{cache, engine, interrupt, output, registry, report, table};

/// The last second of the year 9999, the latest time that RFC 3339 can represent.
const LAST_SECOND: u64 = 253_402_300_799;

/// Builds, or plans, one image per recipe, several concurrently. All failures are reported.
pub(super) fn run(args: &BuildArgs) -> Result<Exit, Failure> {
    interrupt::listen();
    images_of(args, |_| recipes(args), Failure::of_build)
}

/// Builds, or plans, the images of the recipes that `find` returns.
///
/// `find` may pass some recipes to its callback before it returns: their images are packed in the
/// meantime, but published only after it has returned all recipes. `convert_error` converts a build's error.
pub(super) fn images_of(
    args: &BuildArgs,
    find: impl FnOnce(&mut dyn FnMut(Recipe)) -> Result<Vec<Recipe>, Vec<Failure>>,
    convert_error: fn(&coracle::Error) -> Failure,
) -> Result<Exit, Failure> {
    let reports = Reports::open(&args.reports)?;
    let find = |begin: &mut dyn FnMut(Recipe)| {
        let recipes = find(begin)?;
        one_before(&recipes)?;
        reports.check_includes(&recipes)?;
        Ok(recipes)
    };
    let mut images = Vec::new();
    let mut failures = Vec::new();
    let mut take = |result: Result<Vec<Value>, Failure>| match result {
        Ok(described) => images.extend(described),
        Err(failure) => failures.push(failure),
    };
    let done = reports.check().and_then(|()| match args.dry_run {
        true => planned(args, find, |recipe, settings| take(plan(recipe, settings, args, convert_error))),
        false => builds::all(
            args,
            find,
            convert_error,
            |failures| leave(&reports, failures),
            |Ended { recipe, notes, built, .. }| {
                report::notes(&notes, args.quiet);
                take(built.and_then(|built| tell(&recipe, &built, args, &reports)));
            },
        ),
    });
    failures.extend(done.err().into_iter().flatten());
    let described = if images.is_empty() { Value::Null } else { json!({ "images": images }) };
    if args.format == Format::Json && !images.is_empty() {
        failures.extend(output::print_json(&described).err());
    }
    first(reports.write(&described, failures)).map_or(Ok(Exit::Done), Err)
}

/// Writes the reports and exits the process while builds that are no longer needed still run. The
/// next build removes what they have packed.
#[allow(clippy::exit, reason = "threads that wait for a registry can't be cancelled")]
fn leave(reports: &Reports<'_>, failures: Vec<Failure>) -> Infallible {
    let failure = first(reports.write(&Value::Null, failures));
    failure.iter().for_each(report::failure);
    std::process::exit(failure.map_or(Exit::Failed, |failure| failure.exit) as i32)
}

/// Finds the recipes and plans each with `plan`.
fn planned(
    args: &BuildArgs,
    find: impl FnOnce(&mut dyn FnMut(Recipe)) -> Result<Vec<Recipe>, Vec<Failure>>,
    mut plan: impl FnMut(&Recipe, &Settings),
) -> Result<(), Vec<Failure>> {
    let recipes = find(&mut drop)?;
    // A plan caches only what it fetched from the base image.
    let has_base = recipes.iter().any(|recipe| recipe.base.is_some());
    let cache = if has_base { cache::for_layers(&args.cache, args.quiet)? } else { None };
    let settings = settings(args.epoch.as_deref(), cache, bases(&recipes, &args.registry)?)?;
    recipes.iter().for_each(|recipe| plan(recipe, &settings));
    cache::close(&settings);
    Ok(())
}

/// Fails if one previous image is given for several images.
fn one_before(recipes: &[Recipe]) -> Result<(), Failure> {
    if recipes.len() < 2 || recipes.iter().all(|recipe| recipe.budget.previous.is_none()) {
        return Ok(());
    }
    Err(Failure::usage(
        "`--previous` can't be used when several images are built: each has its own previous image",
        "leave it out to compare each image with the one that it replaces, or build one image at a time",
    ))
}

/// Returns the settings of all builds, from flags and environment. The registry client is left out,
/// because it depends on the recipes.
pub(super) fn surroundings(args: &BuildArgs) -> Result<Settings, Failure> {
    let cache = cache::open(&args.cache, args.quiet)?;
    let (shared, compares) = (cache::shared(&args.shared)?, Reports::compare(&args.reports));
    Ok(Settings { shared, compares, ..settings(args.epoch.as_deref(), cache, None)? })
}

/// Fails if an image for an engine has no name, by which engines store images.
pub(super) fn named_for_engine(recipes: &[Recipe]) -> Result<(), Failure> {
    if recipes.iter().any(|recipe| recipe.names.is_empty()) {
        return Err(Failure::usage(
            "`--load` needs an image with a name, by which the engine can run it",
            "name it with `--tag NAME:TAG`, or with `name` in the recipe's `[image]`",
        ));
    }
    Ok(())
}

/// Returns the first engine that is available.
pub(super) fn engine_there() -> Result<Kind, Failure> {
    let there = coracle_oci::engine::present(&engine::settings(), &|_| interrupt::go_on());
    there.map_err(|error| registry::failure(&error.into()))
}

/// Prints what would be packed. Returns one JSON description per platform.
fn plan(
    recipe: &Recipe,
    settings: &Settings,
    args: &BuildArgs,
    convert_error: fn(&coracle::Error) -> Failure,
) -> Result<Vec<Value>, Failure> {
    coracle::contract_of(recipe)?;
    let plans = coracle::plan(recipe, settings).map_err(|error| convert_error(&error))?;
    plans.iter().for_each(|plan| report::notes(&plan.notes, args.quiet));
    let foreseen = coracle::foresee(recipe, &plans);
    if let Ok(notes) = &foreseen {
        report::notes(notes, args.quiet);
    }
    if args.format == Format::Text {
        plans.iter().try_for_each(|plan| output::print(&table::plan(plan)))?;
    }
    foreseen?;
    Ok(plans.iter().map(|plan| table::plan_json(recipe, plan)).collect())
}

/// Whether the base image or the previous image is read from a registry.
pub(super) fn reads_registry(recipe: &Recipe) -> bool {
    [&recipe.base, &recipe.budget.previous].into_iter().any(|place| matches!(place, Some(Place::Remote(_))))
}

/// Returns a client for the registries that are read; `None` if there are none.
pub(super) fn bases(recipes: &[Recipe], args: &RegistryArgs) -> Result<Option<Client>, Failure> {
    recipes.iter().any(reads_registry).then(|| registry::client(args, &[])).transpose()
}

/// Returns a client for the registries that are pushed to, or else those that are read; `None` if
/// there are none.
pub(super) fn client(
    recipes: &[Recipe],
    shared: &Shared,
    args: &BuildArgs,
) -> Result<Option<Client>, Failure> {
    let kept = shared.to.iter().map(Named::from);
    let named: Vec<Named> = recipes.iter().flat_map(coracle::registries).chain(kept).collect();
    if named.is_empty() && *shared != Shared::default() {
        let from: Vec<Named> = shared.from.iter().map(Named::from).collect();
        return registry::client(&args.registry, &from.iter().collect::<Vec<_>>()).map(Some);
    }
    if named.is_empty() {
        return bases(recipes, &args.registry);
    }
    registry::client(&args.registry, &named.iter().collect::<Vec<_>>()).map(Some)
}

/// Prints what was built and where it was published. Returns its JSON description.
fn tell(
    recipe: &Recipe,
    built: &Built,
    args: &BuildArgs,
    reports: &Reports<'_>,
) -> Result<Vec<Value>, Failure> {
    report::notes(&built.notes, args.quiet);
    let title = title(recipe, built);
    if !args.quiet {
        report::talk(&table::built(&title, built));
    }
    reports.built(&title, built);
    if args.format == Format::Text {
        output::print(&(table::reference(built) + "\n"))?;
    }
    Ok(vec![table::built_json(built)])
}

/// Builds one image, with a progress bar, and prints its notes.
pub(super) fn watched(recipe: &Recipe, settings: &Settings, quiet: bool) -> Result<Built, Failure> {
    let progress = Progress::new(quiet, "packing");
    let watch = Watch::alone(&progress);
    let built = coracle::build(recipe, settings, &watch);
    progress.finish();
    report::notes(&watch.notes(), quiet);
    let built = built?;
    report::notes(&built.notes, quiet);
    Ok(built)
}

/// Returns the image's title in messages: its name, or its program's.
fn title(recipe: &Recipe, built: &Built) -> String {
    let program = || recipe.programs.first().and_then(|program| program.from.file_name());
    match built.references.first() {
        Some(reference) => reference.to_string(),
        None => program().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
    }
}

/// Returns the recipes that the arguments name. Fails if any of them is invalid, before any is
/// built.
fn recipes(args: &BuildArgs) -> Result<Vec<Recipe>, Vec<Failure>> {
    let flags = args.overrides();
    if args.files.is_empty() {
        let recipe = if flags.programs.is_empty() {
            recipe::file(Path::new(recipe::FILE_NAME), &flags).map_err(nothing_named)?
        } else {
            Recipe::from_flags(&flags).map_err(Failure::from)?
        };
        return Ok(vec![recipe]);
    }
    let one_image = |dest: &String| {
        dest.contains("-archive:") || dest.starts_with("docker://") || coracle_oci::engine::is_place(dest)
    };
    let of_one =
        !flags.programs.is_empty() || !flags.names.is_empty() || flags.destinations.iter().any(one_image);
    if args.files.len() > 1 && of_one {
        return Err(Failure::usage(
            "PROGRAM, `--tag`, an archive and a name in a registry can't be used with several recipes: each is one image",
            "set programs and names in the recipes, or build one recipe at a time",
        )
        .into());
    }
    let (mut recipes, mut failures) = (Vec::new(), Vec::new());
    for path in &args.files {
        match recipe::file(path, &flags) {
            Ok(recipe) => recipes.push(recipe),
            Err(error) => failures.push(Failure::from(error)),
        }
    }
    if failures.is_empty() { Ok(recipes) } else { Err(failures) }
}

/// Explains that a program or a recipe is needed, if the default recipe is missing.
fn nothing_named(error: recipe::Error) -> Failure {
    match error {
        recipe::Error::Read(error) if error.kind() == std::io::ErrorKind::NotFound => Failure::usage(
            format!(
                "nothing to build: no PROGRAM is given and `{}` does not exist in this directory",
                recipe::FILE_NAME
            ),
            format!("name a program, as in `coracle build ./app`, or write a `{}`", recipe::FILE_NAME),
        ),
        error => error.into(),
    }
}

/// Reports all failures except the last, which is returned with the exit code of the first.
/// Repeated interruptions count once.
pub(super) fn first(mut failures: Vec<Failure>) -> Option<Failure> {
    let exit = failures.first()?.exit;
    failures.dedup_by(|later, earlier| later.exit == Exit::Interrupted && later.message == earlier.message);
    let mut failures = failures.into_iter().rev();
    let last = failures.next().map(|failure| Failure { exit, ..failure });
    for failure in failures.rev() {
        report::failure(&failure);
        report::talk("\n");
    }
    last
}

/// Returns the library's settings. They depend on the environment, which the library never reads.
#[allow(clippy::disallowed_methods, reason = "the only function that reads the environment for `Settings`")]
pub(super) fn settings(
    epoch_flag: Option<&str>,
    cache: Option<Cache>,
    client: Option<Client>,
) -> Result<Settings, Failure> {
    let variable = std::env::var_os("SOURCE_DATE_EPOCH").map(|value| value.to_string_lossy().into_owned());
    let epoch = match (epoch_flag, &variable) {
        (Some(text), _) => epoch("--epoch", text)?,
        (None, Some(text)) => epoch("SOURCE_DATE_EPOCH", text)?,
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
    let (engines, shared) = (engine::settings(), Shared::default());
    Ok(Settings { epoch, private_dirs, cache, client, scratch, shared, engines, compares: false })
}

fn epoch(source: &str, text: &str) -> Result<u64, Failure> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&seconds| digits && seconds <= LAST_SECOND).ok_or_else(|| {
        Failure::usage(
            format!("`{source}`: `{text}` is not a number of seconds since 1970"),
            "write a whole number, such as the commit's: `git log -1 --format=%ct`",
        )
    })
}
