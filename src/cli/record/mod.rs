//! `coracle record`: runs a program once, and compares what it opened with the planned image.

mod compare_with_image;
mod file_kinds;
mod fold_into_directories;
mod locales;
mod opened_libraries;
mod package_files;
mod planned_image;
mod proposals;
mod recipe_edit;
mod recipe_file;
mod record_report;
mod recorded_command;
mod run_history;
mod scan_recorded_files;
mod state_dirs;
#[cfg(test)]
mod tests;

use coracle_core::note::Note;
use coracle_trace::{ProgramStatus, Trace};

use super::args::{OutputFormat, RecordArgs};
use super::console_output::{self, count_noun};
use super::error::{CliError, CliExit};
use super::recipe_tables;
use compare_with_image::propose_missing;
use file_kinds::UserDirectories;
use planned_image::PlannedImage;
use proposals::RecipeProposals;
use recipe_file::RecipeFile;
use record_report::RecordReport;
use recorded_command::RecordedCommand;
use run_history::RunHistory;

/// Plans the image, runs the command, and prints what the image lacks. The process ends with the
/// exit code of the command.
pub(super) fn run_record(args: &RecordArgs) -> Result<CliExit, CliError> {
    recipe_tables::set_tables_of_recipe_in_messages(args.file.as_deref());
    let recipe_file = RecipeFile::read_or_default(args.file.as_deref())?;
    let command = RecordedCommand::new(args, &recipe_file)?;
    // Planned first: nothing runs with an invalid recipe.
    let image = PlannedImage::plan_image(&recipe_file, &command.program, args)?;
    let mut history = RunHistory::open(args, &recipe_file, &command)?;
    let recorded = command.run()?;
    history.add_run(recorded.trace)?;
    let proposals = find_proposals(&history.trace, &image, &recipe_file, &command, args)?;
    let fragment = recipe_edit::recipe_lines(&recipe_file, &proposals)?;
    let is_written = args.write && !proposals.is_empty();
    if args.format == OutputFormat::Text {
        console_output::print_bytes(fragment.as_bytes())?;
    }
    if is_written {
        let mut document = recipe_file.document_to_edit(&command.program)?;
        recipe_edit::merge_into_document(&mut document, recipe_file.table_keys(), &proposals)?;
        recipe_file.write(&document.to_string(), args)?;
    }
    if args.format == OutputFormat::Json {
        console_output::print_json(&RecordReport::new(&history, recorded.status, &proposals, is_written))?;
    }
    console_output::print_notes(&record_report::run_notes(&history.trace, recorded.status), args.quiet);
    if !args.quiet {
        console_output::print_message(&summary_line(
            &history,
            &proposals,
            is_written.then_some(&recipe_file),
        ));
    }
    exit_as(recorded.status)
}

/// Compares the runs with the planned image. Programs and libraries bring further files with them, so
/// the image is planned again with these, before files are proposed.
fn find_proposals(
    trace: &Trace,
    image: &PlannedImage,
    recipe_file: &RecipeFile,
    command: &RecordedCommand,
    args: &RecordArgs,
) -> Result<RecipeProposals, CliError> {
    let executed = trace.programs_executed.iter().map(|program| program.path.as_path());
    let user = UserDirectories::new(&command.start_directory, executed);
    let first = propose_missing(trace, image, &user);
    let found = first.without_files();
    if found.is_empty() || recipe_file.is_cargo_toml() {
        return Ok(first);
    }
    let mut document = recipe_file.document_to_edit(&command.program)?;
    recipe_edit::merge_into_document(&mut document, recipe_file.table_keys(), &found)?;
    let recipe = recipe_file.parse(&document.to_string())?;
    // The lines are useful even if one of them needs a correction.
    match PlannedImage::plan_recipe(recipe, recipe_file.text(), args) {
        Ok(image) => Ok(found.completed_with(propose_missing(trace, &image, &user))),
        Err(failure) => {
            let warning = format!("the recipe with these lines cannot be built: {}", failure.message);
            console_output::print_notes(&[Note::Warning(warning)], args.quiet);
            Ok(first)
        }
    }
}

/// Returns the last line of messages: how much was recorded and proposed.
fn summary_line(history: &RunHistory, proposals: &RecipeProposals, written: Option<&RecipeFile>) -> String {
    let runs = count_noun(history.runs, "run");
    match written {
        _ if proposals.is_empty() => {
            format!("recorded {runs}: the planned image has all that was opened\n")
        }
        Some(recipe) => format!("recorded {runs}; `{}` has the lines above now\n", recipe.path().display()),
        None => format!("recorded {runs}; `--write` merges these lines into the recipe\n"),
    }
}

/// Ends the process as shells report the status of the program.
#[allow(clippy::exit, reason = "the exit code is that of another program, which `CliExit` has no values for")]
fn exit_as(status: ProgramStatus) -> Result<CliExit, CliError> {
    match status {
        ProgramStatus::Exited(0) => Ok(CliExit::Success),
        ProgramStatus::Exited(code) => std::process::exit(code),
        ProgramStatus::Killed(signal) => std::process::exit(128 + signal),
    }
}

/// Prints that processes outlive the program.
fn report_left_running(count: usize) {
    let processes = count_noun(count, "process");
    let hint = "Ctrl-C ends them and prints what was recorded";
    let notes = [
        Note::Warning(format!("the program has ended; still running: {processes} that it started")),
        Note::Hint(hint.into()),
    ];
    console_output::print_notes(&notes, false);
}
