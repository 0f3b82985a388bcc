//! Implicit dependencies: what a program needs although no loader maps it. These are libraries
//! opened at run time, and data that the C library, OpenSSL and others read.
//!
//! Each rule has its own file, which cites its source. A rule reads a `Program` and adds to
//! `Wants`. This module does not depend on images.

mod c_library;
mod certificates;
mod charsets;
mod dlopen;
mod error;
mod gconv;
mod hints;
mod imports;
mod libgcc;
mod literals;
mod locales;
mod nss;
mod openssl;
mod pam;
mod plugins;
mod policy;
mod program;
mod time_zones;
mod wants;

use crate::closure::{Executed, Kind, NotOpened, Opening, Tracer};
use crate::elf::Priority;
use coracle_core::note::Note;

pub use error::{Error, Lack};
pub use hints::Hint;
pub use plugins::{FAMILIES, Family};
pub use policy::{Policy, TimeZones, When};
pub use program::Places;
pub use wants::{Extra, ExtraNode};

use program::Program;
use wants::{Uses, Wants};

/// The implicit dependencies of programs, without opened libraries, which are added to the closure.
#[derive(Clone, Default, Debug)]
pub struct Needs {
    /// Data files.
    pub extras: Vec<Extra>,
    /// Warnings about what may not work.
    pub notes: Vec<Note>,
    /// Dependencies that may be missing, and how to add them.
    pub hints: Vec<Hint>,
    uses: Uses,
}

impl Needs {
    /// Adds the dependencies of another program, without duplicates.
    pub fn add(&mut self, other: Self) {
        for extra in other.extras {
            if !self.extras.iter().any(|known| known.spelled == extra.spelled) {
                self.extras.push(extra);
            }
        }
        for (what, lack) in other.uses {
            let known = self.uses.entry(what).or_insert_with(|| lack.clone());
            if lack.is_none() {
                *known = None;
            }
        }
        let is_new = |note: &Note| !self.notes.contains(note);
        let notes: Vec<Note> = other.notes.into_iter().filter(is_new).collect();
        self.notes.extend(notes);
        let is_new = |hint: &Hint| {
            !self.hints.iter().any(|known| (&known.what, &known.flag) == (&hint.what, &hint.flag))
        };
        let hints: Vec<Hint> = other.hints.into_iter().filter(is_new).collect();
        self.hints.extend(hints);
    }

    /// Checks that each requested thing is used by at least one program.
    ///
    /// # Errors
    /// Fails with all unused ones.
    pub fn check(&self) -> Result<(), Error> {
        let lacks: Vec<Lack> = self.uses.values().flatten().cloned().collect();
        if lacks.is_empty() { Ok(()) } else { Err(Error::Lacking(lacks)) }
    }
}

/// Opens the libraries that the ELF program `executed` is known to open, and returns its other
/// implicit dependencies. Opened libraries may open more, so the rules run until nothing new is
/// found.
///
/// # Errors
/// Fails if something that was requested is not found, or if a file can't be read.
pub fn complete(
    tracer: &Tracer<'_>,
    places: Places<'_>,
    policy: &Policy,
    executed: &mut Executed,
    is_entrypoint: bool,
) -> Result<Needs, Error> {
    let mut known: Vec<Opening> = Vec::new();
    let mut failed: Vec<NotOpened> = Vec::new();
    loop {
        let Kind::Elf(elf) = &executed.kind else { return Ok(Needs::default()) };
        let program = Program::of(places, policy, is_entrypoint, elf)?;
        let mut wants = wanted(&program)?;
        let mut new = Vec::new();
        for opening in std::mem::take(&mut wants.openings) {
            if !known.contains(&opening) {
                known.push(opening.clone());
                new.push(opening);
            }
        }
        if new.is_empty() {
            let hints = hints::of(&program, tracer, executed)?;
            report(&failed, &mut wants);
            let Wants { extras, notes, lacks, uses, .. } = wants;
            return if lacks.is_empty() {
                Ok(Needs { extras, notes, hints, uses })
            } else {
                Err(Error::Lacking(lacks))
            };
        }
        failed.extend(tracer.open(executed, new)?);
    }
}

fn wanted(program: &Program<'_>) -> Result<Wants, Error> {
    let mut wants = Wants::default();
    libgcc::add(program, &mut wants);
    dlopen::add(program, &mut wants)?;
    nss::add(program, &mut wants)?;
    openssl::add(program, &mut wants)?;
    certificates::add(program, &mut wants)?;
    time_zones::add(program, &mut wants)?;
    locales::add(program, &mut wants)?;
    charsets::add(program, &mut wants)?;
    pam::add(program, &mut wants)?;
    plugins::add(program, &mut wants)?;
    Ok(wants)
}

/// Reports libraries that could not be opened: an error if it was requested, otherwise a warning.
fn report(failed: &[NotOpened], wants: &mut Wants) {
    for failed in failed {
        let (names, why) = (failed.names(), &failed.opening.why);
        let text = format!("cannot open {names} ({why}): {}", failed.reason());
        match failed.opening.priority {
            Priority::Required => {
                wants.lack(text, "install the package that has it where the image is built, or leave it out");
            }
            Priority::Recommended => wants.warn(text),
            Priority::Suggested => {}
        }
    }
}
