//! The hint about optional dependencies: a line for each, with the flag that adds it.

use coracle_core::note::Note;
use coracle_ld::implicit::DependencyHint;

/// The maximum number of lines.
const MAX_LISTED: usize = 16;

/// Returns one note with all of `hints`. `None` if there are none.
pub(super) fn optional_dependencies_hint(hints: &[DependencyHint]) -> Option<Note> {
    let width = |of: fn(&DependencyHint) -> &str| {
        hints.iter().take(MAX_LISTED).map(|hint| of(hint).chars().count()).max()
    };
    let (what, flag) = (width(|hint| &hint.subject)?, width(|hint| &hint.action)?);
    let mut lines: Vec<String> = hints
        .iter()
        .take(MAX_LISTED)
        .map(|hint| format!("  {:what$}  {:flag$}  {}", hint.subject, hint.action, hint.reason))
        .collect();
    if hints.len() > MAX_LISTED {
        lines.push(format!("  and {} more", hints.len() - MAX_LISTED));
    }
    Some(Note::Hint(format!("not in the image; add what the program uses:\n{}", lines.join("\n"))))
}
