//! The report for `--format json`, and notes about the run.

use coracle_core::note::Note;
use coracle_trace::{ProgramStatus, Trace, TraceGap};
use serde::Serialize;

use super::proposals::RecipeProposals;
use super::run_history::RunHistory;

/// The report of a recorded run.
#[derive(Serialize)]
pub(super) struct RecordReport<'a> {
    /// The number of runs that were added up.
    runs: usize,
    /// The exit code of the program. `None` if a signal killed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    /// The signal that killed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
    proposals: &'a RecipeProposals,
    /// `true` if they were merged into the recipe.
    is_written: bool,
    warnings: Vec<String>,
    trace: &'a Trace,
}

impl<'a> RecordReport<'a> {
    pub(super) fn new(
        history: &'a RunHistory,
        status: ProgramStatus,
        proposals: &'a RecipeProposals,
        is_written: bool,
    ) -> Self {
        let (exit_code, signal) = match status {
            ProgramStatus::Exited(code) => (Some(code), None),
            ProgramStatus::Killed(signal) => (None, Some(signal)),
        };
        let warnings = run_notes(&history.trace, status);
        Self {
            runs: history.runs,
            exit_code,
            signal,
            proposals,
            is_written,
            warnings: warnings
                .iter()
                .filter(|note| matches!(note, Note::Warning(_)))
                .map(ToString::to_string)
                .collect(),
            trace: &history.trace,
        }
    }
}

/// Returns warnings about what was not recorded, and hints.
pub(super) fn run_notes(trace: &Trace, status: ProgramStatus) -> Vec<Note> {
    let mut notes = Vec::new();
    match status {
        ProgramStatus::Exited(0) => {}
        ProgramStatus::Exited(code) => {
            notes.push(Note::Warning(format!("the program ended with exit code {code}")));
        }
        ProgramStatus::Killed(signal) => {
            notes.push(Note::Warning(format!("signal {signal} ended the program")));
        }
    }
    for gap in &trace.gaps {
        let (text, hint) = describe_gap(gap);
        notes.push(Note::Warning(text));
        notes.push(Note::Hint(hint.to_owned()));
    }
    notes
}

/// Returns what is missing, and how to record it.
fn describe_gap(gap: &TraceGap) -> (String, &'static str) {
    match gap {
        TraceGap::NotDumpable(program) => (
            format!(
                "`{}` refuses to be traced (PR_SET_DUMPABLE): what it opens is not recorded",
                program.display()
            ),
            "run the command as root, who may read its memory",
        ),
        TraceGap::SetId(program) => (
            format!(
                "`{}` is set-user-ID or set-group-ID, and ran without that, because it was traced",
                program.display()
            ),
            "run the command as the user that the program runs as",
        ),
        TraceGap::ForeignArchitecture(program) => (
            format!("`{}` is for another architecture: what it opens is not recorded", program.display()),
            "record it on such a machine",
        ),
        TraceGap::IoUring(program) => (
            format!(
                "`{}` uses io_uring: files that it opens through that are not recorded",
                program.display()
            ),
            "turn io_uring off in the program for this run",
        ),
        TraceGap::ChangedRoot(program) => (
            format!("`{}` changes its root directory or mounts: its paths may be others", program.display()),
            "record the program inside, without the one that prepares it",
        ),
        TraceGap::UsesPtrace(program) => (
            format!("`{}` uses ptrace, which fails while it is recorded itself", program.display()),
            "run the program without its debugger or sandbox",
        ),
        TraceGap::NotUtf8(program) => (
            format!("`{}` opens paths that are not UTF-8, which a recipe cannot contain", program.display()),
            "include their directory by hand",
        ),
        TraceGap::TooManyPaths => (
            format!("more than {} paths were opened; the others are not recorded", coracle_trace::MAX_PATHS),
            "record a shorter run, or include directories by hand",
        ),
    }
}
