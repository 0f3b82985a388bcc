//! Implicit dependencies: what a program needs although no loader maps it. These are libraries
//! opened at run time, and data that the C library, OpenSSL and others read.
//!
//! Each rule has its own file, which cites its source. A rule reads a `ProgramContext` and adds
//! to `RequestedDependencies`. This module does not depend on images.

mod certificates;
mod charsets;
mod collect_hints;
mod command_names;
mod dependency_hint;
mod directories_named_after_program;
mod dlopened_libraries;
mod error;
mod files_at_path;
mod function_calls;
mod gconv_modules;
mod ignored_paths;
mod implicit_policy;
mod included_trust_stores;
mod java_keystore;
mod language_runtimes;
mod local_certificates;
mod names_in_strings;
mod nss;
mod openssl;
mod openssl_conf;
mod pam;
mod paths_in_text;
mod pem;
mod plugins;
mod program_context;
mod requested_dependencies;
mod scripts;
mod shell_script;
mod started_programs;
mod time_zones_and_locales;

use std::rc::Rc;

use crate::closure::{DlopenFailure, DlopenRequest, ExecutedFile, ExecutedKind, Resolver};
use crate::elf::DlopenPriority;
use coracle_core::note::Note;

pub use dependency_hint::{DependencyHint, HintKind, HintedPath, Likelihood, Remedy};
pub use error::{Error, UnmetRequest};
pub use implicit_policy::{ImplicitPolicy, Inclusion, TimeZones};
pub use included_trust_stores::check_included_trust_stores;
pub use plugins::{PLUGIN_FAMILIES, PluginFamily};
pub use program_context::{DataSources, ProgramRole};
pub use requested_dependencies::{DataContent, DataFile};

use program_context::ProgramContext;
use requested_dependencies::{OptionUses, RequestedDependencies};

/// The implicit dependencies of programs. Libraries opened at run time are not among them: they are added to
/// the closure.
#[derive(Clone, Default, Debug)]
pub struct ImplicitDependencies {
    /// Data files.
    pub data_files: Vec<DataFile>,
    /// Warnings about what may not work.
    pub notes: Vec<Note>,
    /// Dependencies that may be missing, and how to add them.
    pub hints: Vec<DependencyHint>,
    option_uses: OptionUses,
}

impl ImplicitDependencies {
    /// Adds the dependencies of another program, without duplicates.
    pub fn merge(&mut self, other: Self) {
        for file in other.data_files {
            if !self.data_files.iter().any(|known| known.raw_path == file.raw_path) {
                self.data_files.push(file);
            }
        }
        for (option, unmet) in other.option_uses {
            let known = self.option_uses.entry(option).or_insert_with(|| unmet.clone());
            if unmet.is_none() {
                *known = None;
            }
        }
        let is_new = |note: &Note| !self.notes.contains(note);
        let notes: Vec<Note> = other.notes.into_iter().filter(is_new).collect();
        self.notes.extend(notes);
        let is_new = |hint: &DependencyHint| {
            !self.hints.iter().any(|known| (&known.subject, &known.remedy) == (&hint.subject, &hint.remedy))
        };
        let hints: Vec<DependencyHint> = other.hints.into_iter().filter(is_new).collect();
        self.hints.extend(hints);
    }

    /// Records that something uses the requested `option`.
    fn mark_used(&mut self, option: &str) {
        self.option_uses.insert(option.to_owned(), None);
    }

    /// Returns the requested options that no program uses.
    pub fn unused_options(&self) -> Vec<UnmetRequest> {
        self.option_uses.values().flatten().cloned().collect()
    }
}

/// Opens the libraries that the program `executed` is known to open, and returns its other implicit
/// dependencies. A script has only hints. Opened libraries may open more, so the rules run until nothing new is
/// found.
///
/// # Errors
/// Fails if something that was requested is not found, or if a file can't be read.
pub fn add_implicit_dependencies(
    resolver: &Resolver<'_>,
    sources: DataSources<'_>,
    policy: &ImplicitPolicy,
    executed: &mut ExecutedFile,
    role: ProgramRole,
) -> Result<ImplicitDependencies, Error> {
    let own_data = match &executed.kind {
        ExecutedKind::Elf(elf) => program_context::search_own_data(elf)?,
        ExecutedKind::Script => Rc::default(),
    };
    let mut known: Vec<DlopenRequest> = Vec::new();
    let mut failed: Vec<DlopenFailure> = Vec::new();
    loop {
        let ExecutedKind::Elf(elf) = &executed.kind else {
            let hints = scripts::script_hints(sources, executed, role)?;
            return Ok(ImplicitDependencies { hints, ..ImplicitDependencies::default() });
        };
        let program = ProgramContext::new(sources, policy, role, elf, own_data.clone())?;
        let mut requests = collect_requests(&program)?;
        let mut new = Vec::new();
        for request in std::mem::take(&mut requests.dlopens) {
            if !known.contains(&request) {
                known.push(request.clone());
                new.push(request);
            }
        }
        if new.is_empty() {
            // They open no library, so they are read once.
            certificates::add_certificates(&program, &mut requests)?;
            let hints = collect_hints::collect_hints(&program, resolver, executed)?;
            report_failed_dlopens(&failed, &mut requests);
            let RequestedDependencies { data_files, notes, unmet, option_uses, .. } = requests;
            return if unmet.is_empty() {
                Ok(ImplicitDependencies { data_files, notes, hints, option_uses })
            } else {
                Err(Error::Unmet(unmet))
            };
        }
        failed.extend(resolver.dlopen(executed, new)?);
    }
}

/// Runs the rules for one program by which libraries are opened, and those that cost little.
fn collect_requests(program: &ProgramContext<'_>) -> Result<RequestedDependencies, Error> {
    let mut requests = RequestedDependencies::default();
    dlopened_libraries::add_libgcc(program, &mut requests);
    dlopened_libraries::add_audit_modules(program, &mut requests);
    dlopened_libraries::add_dlopened_libraries(program, &mut requests)?;
    nss::add_nss(program, &mut requests)?;
    openssl::add_openssl(program, &mut requests)?;
    time_zones_and_locales::add_time_zones(program, &mut requests)?;
    time_zones_and_locales::add_requested_locales(program, &mut requests)?;
    charsets::add_charsets(program, &mut requests)?;
    pam::add_pam(program, &mut requests)?;
    plugins::add_plugins(program, &mut requests)?;
    Ok(requests)
}

/// Reports libraries that could not be opened: an error for a requested library, otherwise a warning.
fn report_failed_dlopens(failed: &[DlopenFailure], requests: &mut RequestedDependencies) {
    for failed in failed {
        let (names, why) = (failed.tried_names(), &failed.request.purpose);
        let text = format!("cannot open {names} ({why}): {}", failed.reason());
        match failed.request.priority {
            DlopenPriority::Required => {
                requests.add_unmet(
                    text,
                    "install the package that has it where the image is built, or leave it out",
                );
            }
            DlopenPriority::Recommended => requests.add_warning(text),
            DlopenPriority::Suggested => {}
        }
    }
}
