//! What programs may miss, in one piece: a line for each thing, with the flag that adds it.

use crate::note::Note;
use crate::runtime::Hint;

/// Things that are listed.
const LISTED: usize = 16;

/// One hint with all of `hints`; nothing without any.
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
    Some(Note::Hint(format!(
        "not in the image; add what the program uses:\n{}",
        lines.join("\n")
    )))
}
