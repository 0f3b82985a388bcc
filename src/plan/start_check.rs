//! Checks that programs will start with the libraries that were found for them.
//!
//! Versions are checked first, as a loader does. A library without a version lacks its symbols,
//! too; one message is enough.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::image_plan::Plan;
use crate::rootfs::PlannedProgram;
use coracle_core::fs;
use coracle_core::note::{DependencyNote, Note};
use coracle_core::path::RawPath;
use coracle_ld::closure::{
    ElfProgram, LinkMap, Problem, ProblemKind, Severity, check_c_libraries, check_environment_dependence,
    check_isa_level, check_symbol_versions, check_symbols,
};
use coracle_ld::implicit::Likelihood;

/// The maximum number of symbols listed in one warning.
const MAX_LISTED: usize = 8;

/// Returns warnings about problems that do not keep programs from starting.
///
/// # Errors
/// Fails with all problems of one check at which a loader would stop.
pub(super) fn check_programs_start(programs: &[PlannedProgram]) -> Result<Vec<Note>, Error> {
    let mixed = collect_problems(programs, check_c_libraries)?;
    let mut notes = notes_or_error(mixed.clone(), &[])?;
    let checks: [LinkMapCheck; 4] =
        [check_symbol_versions, check_symbols, check_isa_level, |map| Ok(check_environment_dependence(map))];
    for check in checks {
        notes.extend(notes_or_error(collect_problems(programs, check)?, &mixed)?);
    }
    Ok(notes)
}

/// Checks that the image has the files without which a program certainly does not start, such as
/// Python's standard library.
///
/// # Errors
/// Fails with everything that is missing, and the arguments that add it.
pub fn check_required_files(plan: &Plan) -> Result<(), Error> {
    let required = plan.hints.iter().zip(plan.dependency_notes());
    let required = required.filter(|(hint, _)| hint.likelihood == Likelihood::Certain);
    let missing: Vec<DependencyNote> = required.map(|(_, note)| note.clone()).collect();
    if missing.is_empty() { Ok(()) } else { Err(Error::MissingFiles(missing)) }
}

type LinkMapCheck = fn(&LinkMap) -> fs::Result<Vec<Problem>>;

fn collect_problems(programs: &[PlannedProgram], check: LinkMapCheck) -> Result<Vec<Problem>, Error> {
    let mut problems = Vec::new();
    let elves = programs.iter().flat_map(|program| program.closure.elf_programs());
    // Libraries that older CPUs lack are reported elsewhere, so their symbols are not checked.
    for map in elves.flat_map(ElfProgram::all_link_maps).filter(|map| !map.lacks_required_library()) {
        let found = check(map)?.into_iter();
        // A library that cannot be opened by `dlopen` does not keep the program from starting.
        let is_opened = map.opened_objects.is_some();
        problems.extend(found.map(|problem| match is_opened {
            true => Problem { severity: Severity::Warning, ..problem },
            false => problem,
        }));
    }
    // Programs that share libraries have the same problems.
    let mut known = std::collections::BTreeSet::new();
    problems.retain(|problem| known.insert(problem.clone()));
    Ok(problems)
}

/// Returns warnings as notes. Fails if there are errors; `cause` is prepended, since it may explain
/// them.
fn notes_or_error(problems: Vec<Problem>, cause: &[Problem]) -> Result<Vec<Note>, Error> {
    let (errors, warnings): (Vec<Problem>, Vec<Problem>) =
        problems.into_iter().partition(|problem| problem.severity == Severity::Error);
    if errors.is_empty() {
        Ok(warning_notes(warnings))
    } else {
        Err(Error::WouldNotStart([cause, &errors].concat()))
    }
}

/// Returns a warning for each problem, but a single one for all symbols of an object.
fn warning_notes(problems: Vec<Problem>) -> Vec<Note> {
    let mut symbols: BTreeMap<RawPath, Vec<Problem>> = BTreeMap::new();
    let mut notes = Vec::new();
    for problem in problems {
        if problem.kind == ProblemKind::MissingSymbol && !problem.needed_name.is_empty() {
            symbols.entry(problem.object.clone()).or_default().push(problem);
        } else {
            notes.push(Note::Warning(problem.message));
        }
    }
    notes
        .extend(symbols.iter().map(|(object, missing)| Note::Warning(missing_symbols_text(object, missing))));
    notes
}

fn missing_symbols_text(object: &RawPath, missing: &[Problem]) -> String {
    if let [only] = missing {
        return format!("{}; a call to it ends the program", only.message);
    }
    let named: Vec<String> =
        missing.iter().take(MAX_LISTED).map(|problem| format!("`{}`", problem.needed_name)).collect();
    let more = match missing.len().saturating_sub(MAX_LISTED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "cannot find {} functions that `{object}` calls; a call to one ends the program: {}{more}",
        missing.len(),
        named.join(", ")
    )
}
