//! Libraries listed in the objects' `.note.dlopen` sections, and those requested by the user.

use super::Error;
use super::program::Program;
use super::wants::Wants;
use crate::closure::{Mapped, Opener, Opening};
use crate::elf::{self, DlopenNote, Priority};
use coracle_core::fs;
use coracle_core::path::printable;

pub(super) fn add(program: &Program<'_>, wants: &mut Wants) -> Result<(), Error> {
    if program.is_entrypoint {
        wants.openings.extend(program.policy.dlopen.iter().map(|name| Opening {
            by: Opener::Program,
            names: vec![name.clone().into_bytes()],
            why: "requested".into(),
            priority: Priority::Required,
        }));
    }
    let Some(lowest) = program.policy.dlopen_notes else { return Ok(()) };
    for mapped in program.objects() {
        let notes = match notes(mapped)? {
            Ok(notes) => notes,
            Err(error) => {
                wants.warn(format!("cannot read the dlopen notes of `{}`: {error}", mapped.spelled));
                continue;
            }
        };
        let wanted = notes.into_iter().filter(|note| note.priority <= lowest);
        wants.openings.extend(wanted.map(|note| Opening {
            by: opener(program, mapped),
            why: said(&note),
            names: note.sonames,
            priority: note.priority,
        }));
    }
    Ok(())
}

/// Returns the dlopen notes of an object, or the error if they are damaged.
pub(super) fn notes(mapped: &Mapped) -> fs::Result<elf::Result<Vec<DlopenNote>>> {
    match elf::dlopen_notes(&mapped.file.content.open()?, &mapped.object) {
        Err(elf::Error::Io(error)) => Err(error),
        notes => Ok(notes),
    }
}

pub(super) fn opener(program: &Program<'_>, mapped: &Mapped) -> Opener {
    let is_program = program.itself().is_some_and(|itself| itself.spelled == mapped.spelled);
    match &mapped.object.dynamic.soname {
        _ if is_program => Opener::Program,
        Some(soname) => Opener::Library(soname.clone()),
        None => Opener::Library(mapped.spelled.as_bytes().to_vec()),
    }
}

/// Maximum length of a note's text in messages.
const MAX_TEXT: usize = 120;

/// Returns a note's description as one line.
pub(super) fn said(note: &DlopenNote) -> String {
    let about = if note.description.is_empty() { &note.feature } else { &note.description };
    let start: String = about.chars().take(MAX_TEXT).collect();
    let end = if start.len() < about.len() { "…" } else { "" };
    match printable(start.as_bytes()).as_str() {
        "" => "listed in its dlopen note".into(),
        about => format!("its dlopen note says: {about}{end}"),
    }
}
