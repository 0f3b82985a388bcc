//! The hint about optional dependencies: a line for each, with the flag that adds it.

use coracle_core::note::Note;
use coracle_ld::implicit::Hint;

/// The maximum number of lines.
const LISTED: usize = 16;

/// Returns one note with all of `hints`. `None` if there are none.
pub(super) fn note(hints: &[Hint]) -> Option<Note> {
    let width = |of: fn(&Hint) -> &str| hints.iter().take(LISTED).map(|hint| of(hint).chars().count()).max();
    let (what, flag) = (width(|hint| &hint.what)?, width(|hint| &hint.flag)?);
    let mut lines: Vec<String> = hints
        .iter()
        .take(LISTED)
        .map(|hint| format!("  {:what$}  {:flag$}  {}", hint.what, hint.flag, hint.because))
        .collect();
    if hints.len() > LISTED {
        lines.push(format!("  and {} more", hints.len() - LISTED));
    }
    Some(Note::Hint(format!("not in the image; add what the program uses:\n{}", lines.join("\n"))))
}
