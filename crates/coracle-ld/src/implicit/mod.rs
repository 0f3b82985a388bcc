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
mod function_calls;
mod gconv_modules;
mod hints;
mod libgcc;
mod locales;
mod names_in_strings;
mod nss;
mod openssl;
mod pam;
mod plugins;
mod policy;
mod program_context;
mod requests;
mod time_zones;

use crate::closure::{DlopenFailure, DlopenRequest, ExecutedFile, ExecutedKind, Resolver};
use crate::elf::DlopenPriority;
use coracle_core::note::Note;

pub use error::{Error, UnmetRequest};
pub use hints::DependencyHint;
pub use plugins::{PLUGIN_FAMILIES, PluginFamily};
pub use policy::{ImplicitPolicy, Inclusion, TimeZones};
pub use program_context::DataSources;
pub use requests::{DataContent, DataFile};

use program_context::ProgramContext;
use requests::{OptionUses, Requests};

/// The implicit dependencies of programs, without opened libraries, which are added to the closure.
#[derive(Clone, Default, Debug)]
pub struct Requirements {
    /// Data files.
    pub data_files: Vec<DataFile>,
    /// Warnings about what may not work.
    pub notes: Vec<Note>,
    /// Dependencies that may be missing, and how to add them.
    pub hints: Vec<DependencyHint>,
    option_uses: OptionUses,
}

impl Requirements {
    /// Adds the dependencies of another program, without duplicates.
    pub fn merge(&mut self, other: Self) {
        for extra in other.data_files {
            if !self.data_files.iter().any(|known| known.spelled == extra.spelled) {
                self.data_files.push(extra);
            }
        }
        for (what, lack) in other.option_uses {
            let known = self.option_uses.entry(what).or_insert_with(|| lack.clone());
            if lack.is_none() {
                *known = None;
            }
        }
        let is_new = |note: &Note| !self.notes.contains(note);
        let notes: Vec<Note> = other.notes.into_iter().filter(is_new).collect();
        self.notes.extend(notes);
        let is_new = |hint: &DependencyHint| {
            !self.hints.iter().any(|known| (&known.subject, &known.flag) == (&hint.subject, &hint.flag))
        };
        let hints: Vec<DependencyHint> = other.hints.into_iter().filter(is_new).collect();
        self.hints.extend(hints);
    }

    /// Checks that each requested thing is used by at least one program.
    ///
    /// # Errors
    /// Fails with all unused ones.
    pub fn check_unused_options(&self) -> Result<(), Error> {
        let lacks: Vec<UnmetRequest> = self.option_uses.values().flatten().cloned().collect();
        if lacks.is_empty() { Ok(()) } else { Err(Error::Unmet(lacks)) }
    }
}

/// Opens the libraries that the ELF program `executed` is known to open, and returns its other
/// implicit dependencies. Opened libraries may open more, so the rules run until nothing new is
/// found.
///
/// # Errors
/// Fails if something that was requested is not found, or if a file can't be read.
pub fn add_implicit_dependencies(
    tracer: &Resolver<'_>,
    places: DataSources<'_>,
    policy: &ImplicitPolicy,
    executed: &mut ExecutedFile,
    is_entrypoint: bool,
) -> Result<Requirements, Error> {
    let mut known: Vec<DlopenRequest> = Vec::new();
    let mut failed: Vec<DlopenFailure> = Vec::new();
    loop {
        let ExecutedKind::Elf(elf) = &executed.kind else { return Ok(Requirements::default()) };
        let program = ProgramContext::new(places, policy, is_entrypoint, elf)?;
        let mut wants = collect_requests(&program)?;
        let mut new = Vec::new();
        for opening in std::mem::take(&mut wants.dlopens) {
            if !known.contains(&opening) {
                known.push(opening.clone());
                new.push(opening);
            }
        }
        if new.is_empty() {
            let hints = hints::collect_hints(&program, tracer, executed)?;
            report_failures(&failed, &mut wants);
            let Requests { data_files: extras, notes, unmet: lacks, option_uses: uses, .. } = wants;
            return if lacks.is_empty() {
                Ok(Requirements { data_files: extras, notes, hints, option_uses: uses })
            } else {
                Err(Error::Unmet(lacks))
            };
        }
        failed.extend(tracer.dlopen(executed, new)?);
    }
}

fn collect_requests(program: &ProgramContext<'_>) -> Result<Requests, Error> {
    let mut wants = Requests::default();
    libgcc::add_libgcc(program, &mut wants);
    dlopen::add_dlopened_libraries(program, &mut wants)?;
    nss::add_nss(program, &mut wants)?;
    openssl::add_openssl(program, &mut wants)?;
    certificates::add_certificates(program, &mut wants)?;
    time_zones::add_time_zones(program, &mut wants)?;
    locales::add_locales(program, &mut wants)?;
    charsets::add_charsets(program, &mut wants)?;
    pam::add_pam(program, &mut wants)?;
    plugins::add_plugins(program, &mut wants)?;
    Ok(wants)
}

/// Reports libraries that could not be opened: an error if it was requested, otherwise a warning.
fn report_failures(failed: &[DlopenFailure], wants: &mut Requests) {
    for failed in failed {
        let (names, why) = (failed.tried_names(), &failed.request.purpose);
        let text = format!("cannot open {names} ({why}): {}", failed.reason());
        match failed.request.priority {
            DlopenPriority::Required => {
                wants.add_unmet(
                    text,
                    "install the package that has it where the image is built, or leave it out",
                );
            }
            DlopenPriority::Recommended => wants.add_warning(text),
            DlopenPriority::Suggested => {}
        }
    }
}
