//! Libraries that objects say they open, in notes; and those that somebody asks for.

use super::Error;
use super::program::Program;
use super::wants::Wants;
use crate::closure::{Mapped, Opener, Opening};
use crate::elf::{self, Priority};

pub(super) fn add(program: &Program<'_>, wants: &mut Wants) -> Result<(), Error> {
    if program.is_entrypoint {
        wants.openings.extend(program.policy.dlopen.iter().map(|name| Opening {
            by: Opener::Program,
            names: vec![name.clone().into_bytes()],
            why: "asked for".into(),
            priority: Priority::Required,
        }));
    }
    let Some(lowest) = program.policy.dlopen_notes else { return Ok(()) };
    for mapped in program.objects() {
        let notes = match elf::dlopen_notes(&mapped.file.content.open()?, &mapped.object) {
            Ok(notes) => notes,
            Err(elf::Error::Io(error)) => return Err(error.into()),
            Err(error) => {
                wants.warn(format!("cannot tell what `{}` opens while it runs: {error}", mapped.spelled));
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

fn opener(program: &Program<'_>, mapped: &Mapped) -> Opener {
    let is_program = program.itself().is_some_and(|itself| itself.spelled == mapped.spelled);
    match &mapped.object.dynamic.soname {
        _ if is_program => Opener::Program,
        Some(soname) => Opener::Library(soname.clone()),
        None => Opener::Library(mapped.spelled.as_bytes().to_vec()),
    }
}

/// What a note says a library is for.
pub(super) fn said(note: &elf::DlopenNote) -> String {
    let about = if note.description.is_empty() { &note.feature } else { &note.description };
    if about.is_empty() { "its note says so".into() } else { format!("its note says: {about}") }
}
