//! `coracle build`.

use std::convert::Infallible;
use std::io::IsTerminal as _;

use coracle::recipe::Recipe;
use coracle::{Built, Settings};
use coracle_core::note::Note;
use coracle_oci::copy::ImageLocation;

use super::args::{BuildArgs, OutputFormat};
use super::concurrent_builds::{self, BuildMonitor, FinishedBuild};
use super::console_output::DIM;
use super::debug_symbols::keep_symbols;
use super::error::{CliError, CliExit};
use super::image_report::ImageReport;
use super::interrupt::SignalCancellation;
use super::missing_dependencies::shell_words;
use super::plan_report::{PATH_COLUMN, PlanReport};
use super::progress::ProgressDisplay;
use super::report_files::{BuildReport, ImagesReport, ReportFiles};
use super::{build_inputs, cache, console_output, interrupt, recipe_tables};

/// Builds, or plans, one image per recipe, several concurrently. All failures are reported.
pub(super) fn run_build(args: &BuildArgs) -> Result<CliExit, CliError> {
    interrupt::handle_signals();
    if let [recipe] = args.files.as_slice() {
        recipe_tables::set_tables_of_recipe_in_messages(Some(recipe));
    }
    build_images(args, |_| build_inputs::read_recipes(args), CliError::from_build_error, "coracle run")
}

/// Builds, or plans, the images of the recipes that `find_recipes` returns.
///
/// `find_recipes` may pass some recipes to its callback before it returns: their images are packed in
/// the meantime, but published only after it has returned all recipes. `convert_error` converts a
/// build's error. `run_command` is the command that runs an image.
pub(super) fn build_images(
    args: &BuildArgs,
    find_recipes: impl FnOnce(&mut dyn FnMut(Recipe)) -> Result<Vec<Recipe>, Vec<CliError>>,
    convert_error: fn(&coracle::Error) -> CliError,
    run_command: &str,
) -> Result<CliExit, CliError> {
    let report_files = ReportFiles::with_summary_checked(&args.reports)?;
    let find_recipes = |start_early: &mut dyn FnMut(Recipe)| {
        let recipes = find_recipes(start_early)?;
        build_inputs::check_previous_flag(&recipes)?;
        ReportFiles::check_sbom_files(&recipes)?;
        report_files.check_includes(&recipes)?;
        Ok(recipes)
    };
    let mut report = ImagesReport { images: Vec::new() };
    let mut failures = Vec::new();
    let result = report_files.check_writable().and_then(|()| match args.dry_run {
        true => plan_images(args, find_recipes, |recipe, settings| {
            match print_plans(recipe, settings, args, convert_error) {
                Ok(plans) => {
                    report.images.extend(plans.into_iter().map(|plan| BuildReport::Plan(Box::new(plan))));
                }
                Err(failure) => failures.push(failure),
            }
        }),
        false => concurrent_builds::build_all(
            args,
            find_recipes,
            convert_error,
            |failures| exit_early(&report_files, failures),
            |FinishedBuild { recipe, notes, result, .. }| {
                console_output::print_notes(&notes, args.quiet);
                match result {
                    Ok(built) => {
                        let next_step = next_step(&built, args, run_command);
                        let (image, printed) = print_built(&recipe, &notes, built, args);
                        report.images.push(BuildReport::Image(Box::new(image)));
                        failures.extend(printed.err());
                        let kept = args.keep_symbols.as_ref();
                        let kept = kept.map(|directory| keep_symbols(&recipe, directory, args.quiet));
                        failures.extend(kept.and_then(Result::err));
                        if std::io::stderr().is_terminal() && !args.quiet {
                            next_step.iter().for_each(|line| console_output::print_message(line));
                        }
                    }
                    Err(failure) => failures.push(failure),
                }
            },
        ),
    });
    failures.extend(result.err().into_iter().flatten());
    if args.format == OutputFormat::Json && !report.images.is_empty() {
        failures.extend(console_output::print_json(&report).err());
    }
    let failures = report_files.write(&report, failures);
    console_output::print_all_but_last(failures).map_or(Ok(CliExit::Success), Err)
}

/// Writes the reports and exits the process while builds that are no longer needed still run. The
/// next build removes what they have packed.
#[allow(clippy::exit, reason = "threads that wait for a registry can't be cancelled")]
fn exit_early(report_files: &ReportFiles<'_>, failures: Vec<CliError>) -> Infallible {
    let failures = report_files.write(&ImagesReport { images: Vec::new() }, failures);
    let failure = console_output::print_all_but_last(failures);
    failure.iter().for_each(console_output::print_error);
    std::process::exit(failure.map_or(CliExit::Failed, |failure| failure.exit) as i32)
}

/// Finds the recipes and plans each with `plan`.
fn plan_images(
    args: &BuildArgs,
    find_recipes: impl FnOnce(&mut dyn FnMut(Recipe)) -> Result<Vec<Recipe>, Vec<CliError>>,
    mut plan: impl FnMut(&Recipe, &Settings),
) -> Result<(), Vec<CliError>> {
    let recipes = find_recipes(&mut drop)?;
    // A plan caches only what it fetched from the base image.
    let has_base = recipes.iter().any(|recipe| recipe.image.base.is_some());
    let cache = if has_base { cache::open_cache_without_records(&args.cache, args.quiet)? } else { None };
    let client = build_inputs::client_for_reading(&recipes, &args.registry)?;
    let settings = build_inputs::library_settings(args.epoch.as_deref(), cache, client)?;
    recipes.iter().for_each(|recipe| plan(recipe, &settings));
    cache::prune_and_report(&settings);
    Ok(())
}

/// Prints what would be packed. Returns one report per platform.
fn print_plans(
    recipe: &Recipe,
    settings: &Settings,
    args: &BuildArgs,
    convert_error: fn(&coracle::Error) -> CliError,
) -> Result<Vec<PlanReport>, CliError> {
    coracle::contract::contract_of(recipe)?;
    let plans =
        coracle::plan(recipe, settings, &SignalCancellation).map_err(|error| convert_error(&error))?;
    plans.iter().for_each(|plan| console_output::print_all_notes(&plan.notes, args.quiet));
    let scanned = coracle::secret_scan::scan_plan(recipe, &plans);
    if let Ok(notes) = &scanned {
        console_output::print_notes(notes, args.quiet);
    }
    let reports: Vec<PlanReport> = plans.iter().map(|plan| PlanReport::new(recipe, plan)).collect();
    if args.format == OutputFormat::Text {
        reports.iter().try_for_each(|report| console_output::print_table(&report.to_text(), PATH_COLUMN))?;
    }
    scanned?;
    Ok(reports)
}

/// Prints what was built and where it was published. `plan_notes` are those of the plans, which were printed
/// before. Returns the image's report, and whether stdout
/// could be written.
fn print_built(
    recipe: &Recipe,
    plan_notes: &[Note],
    built: Built,
    args: &BuildArgs,
) -> (ImageReport, Result<(), CliError>) {
    console_output::print_notes(&built.notes, args.quiet);
    let notes = plan_notes.iter().chain(&built.notes);
    let hints = notes.filter_map(Note::dependency).cloned().collect();
    let image = ImageReport::new(&image_title(recipe, &built), built).with_hints(hints);
    if !args.quiet {
        console_output::print_message(&image.to_text());
    }
    let printed = match args.format {
        OutputFormat::Text => console_output::print_data(&format!("{}\n", image.reference)),
        OutputFormat::Json => Ok(()),
    };
    (image, printed)
}

/// Returns the line with the command that runs a built image, if it is on disk or in a registry.
fn next_step(built: &Built, args: &BuildArgs, run_command: &str) -> Option<String> {
    let location =
        built.destinations.iter().find(|location| !matches!(location, ImageLocation::Engine(_)))?;
    let mut words: Vec<String> = run_command.split(' ').map(str::to_owned).collect();
    if let [recipe] = args.files.as_slice() {
        words.extend(["-f".to_owned(), recipe.display().to_string()]);
    }
    words.push(location.to_string());
    Some(format!("{DIM}run it: {}{DIM:#}\n", shell_words(&words)))
}

/// Builds one image, with a progress bar, and prints its notes.
pub(super) fn build_with_progress(
    recipe: &Recipe,
    settings: &Settings,
    quiet: bool,
) -> Result<Built, CliError> {
    let progress = ProgressDisplay::new(quiet, "packing");
    let monitor = BuildMonitor::single(&progress);
    let built = coracle::build(recipe, settings, &monitor);
    progress.finish();
    console_output::print_notes(&monitor.into_notes(), quiet);
    let built = built?;
    console_output::print_notes(&built.notes, quiet);
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
