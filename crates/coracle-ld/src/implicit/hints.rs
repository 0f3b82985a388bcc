//! Hints about dependencies that a program may have, with the flags that add them. Hints do
//! not change the image.

use super::dlopened_libraries;
use super::error::Error;
use super::function_calls::{FunctionCall, FunctionNeed};
use super::implicit_policy::Inclusion;
use super::names_in_strings;
use super::plugins;
use super::program_context::ProgramContext;
use crate::closure::{DlopenCaller, ExecutedFile, Resolver};
use coracle_core::path::escape_bytes;

/// A dependency that a program may have and that the image lacks.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DependencyHint {
    /// The possibly missing dependency.
    pub subject: String,
    /// Why it may be needed.
    pub reason: String,
    /// The flag that adds it, or what else to do.
    pub action: String,
}

/// Returns the hints for `program`.
pub(super) fn collect_hints(
    program: &ProgramContext<'_>,
    resolver: &Resolver<'_>,
    executed: &ExecutedFile,
) -> Result<Vec<DependencyHint>, Error> {
    let mut hints = hints_from_calls(program);
    hints.extend(hints_from_libraries(program)?);
    hints.extend(hints_from_notes(program, resolver, executed)?);
    hints.extend(hints_from_strings(program, resolver, executed)?);
    Ok(hints)
}

fn dependency_hint(subject: impl Into<String>, reason: String, action: impl Into<String>) -> DependencyHint {
    DependencyHint { subject: subject.into(), reason, action: action.into() }
}

/// Returns hints for called functions that read data files.
fn hints_from_calls(program: &ProgramContext<'_>) -> Vec<DependencyHint> {
    let policy = program.policy;
    let needs = [
        (FunctionNeed::LocalTime, policy.time_zones.is_none(), "time zones other than UTC", "--time-zones"),
        (FunctionNeed::Locale, policy.locales.is_none(), "locales other than C", "--locale C.UTF-8"),
        (
            FunctionNeed::Charset,
            policy.charsets.is_none() && program.glibc().is_some(),
            "character sets",
            "--charset NAME",
        ),
        (FunctionNeed::Provider, policy.openssl == Inclusion::Auto, "OpenSSL's providers", "--openssl true"),
    ];
    let reason = |call: &FunctionCall| format!("`{}`, which {} calls", call.function, call.caller);
    let unspecified = needs.into_iter().filter(|(_, is_unspecified, ..)| *is_unspecified);
    unspecified
        .filter_map(|(need, _, what, flag)| {
            Some(dependency_hint(what, reason(program.calls.first_call(need)?), flag))
        })
        .collect()
}

/// Returns hints for mapped libraries that read configuration files or plugins.
fn hints_from_libraries(program: &ProgramContext<'_>) -> Result<Vec<DependencyHint>, Error> {
    let mut hints = Vec::new();
    if let Some(libpam) = program.library("libpam.so").filter(|_| program.policy.pam.is_none()) {
        hints.push(dependency_hint(
            "PAM services",
            format!("{} is mapped", libpam.raw_path),
            "--pam SERVICE",
        ));
    }
    if program.policy.plugins.is_none() {
        for (family, library) in plugins::available_families(program)? {
            let because = format!("{} is mapped", library.raw_path);
            hints.push(dependency_hint(
                format!("plugins of {family}"),
                because,
                format!("--plugins {family}"),
            ));
        }
    }
    Ok(hints)
}

/// Returns hints for dlopen notes of a lower priority than the policy adds, if the library exists
/// and is not mapped anyway.
fn hints_from_notes(
    program: &ProgramContext<'_>,
    resolver: &Resolver<'_>,
    executed: &ExecutedFile,
) -> Result<Vec<DependencyHint>, Error> {
    let Some(lowest) = program.policy.dlopen_notes else { return Ok(Vec::new()) };
    let mut hints = Vec::new();
    for mapped in program.objects() {
        // Damaged notes were reported earlier.
        let notes = dlopened_libraries::read_dlopen_notes(mapped)?.unwrap_or_default();
        for note in notes.iter().filter(|note| note.priority > lowest) {
            let caller = program.dlopen_caller(mapped);
            if let Some(name) = first_available(&note.sonames, resolver, executed, &caller)? {
                let because = format!("{}: {}", mapped.raw_path, dlopened_libraries::describe_note(note));
                hints.push(dependency_hint(name.clone(), because, format!("--dlopen {name}")));
            }
        }
    }
    Ok(hints)
}

/// Returns the first name whose opening would map a new file.
fn first_available(
    names: &[Vec<u8>],
    resolver: &Resolver<'_>,
    executed: &ExecutedFile,
    caller: &DlopenCaller,
) -> Result<Option<String>, Error> {
    for name in names {
        if resolver.would_map_new_file(executed, caller, name)? {
            return Ok(Some(escape_bytes(name)));
        }
    }
    Ok(None)
}

/// Returns hints for file names in the strings of mapped objects.
fn hints_from_strings(
    program: &ProgramContext<'_>,
    resolver: &Resolver<'_>,
    executed: &ExecutedFile,
) -> Result<Vec<DependencyHint>, Error> {
    let named = names_in_strings::find_names_in_strings(program, resolver, executed)?;
    let program_path = &executed.raw_path;
    let mut hints: Vec<DependencyHint> = Vec::new();
    for library in named.libraries {
        let flag = format!("--dlopen {}", library.name);
        hints.push(dependency_hint(library.name, format!("named in {}", library.named_in), flag));
    }
    if named.names_certificates && program.policy.certificates == Inclusion::Auto {
        hints.push(dependency_hint(
            "CA certificates",
            format!("`ssl/certs` is named in {program_path}"),
            "--certificates true",
        ));
    }
    if named.opens_nss {
        let because = format!("{program_path} is static, but its C library opens them at run time");
        hints.push(dependency_hint("NSS modules", because, "link the program dynamically"));
    }
    for path in named.programs {
        let flag = format!("add {path} as a PROGRAM");
        hints.push(dependency_hint(path, format!("named in {program_path}"), flag));
    }
    Ok(hints)
}
