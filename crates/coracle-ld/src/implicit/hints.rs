//! Hints about dependencies that a program may have, with the flags that add them. Hints add
//! nothing by themselves.

use super::Error;
use super::imports::{Import, Need};
use super::literals;
use super::policy::When;
use super::program::Program;
use super::{dlopen, plugins};
use crate::closure::{Executed, Opener, Tracer};
use coracle_core::path::printable;

/// A dependency that a program may have and the image lacks.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Hint {
    /// The possibly missing dependency.
    pub what: String,
    /// Why it may be needed.
    pub because: String,
    /// The flag that adds it, or what else to do.
    pub flag: String,
}

/// Returns the hints for `program`.
pub(super) fn of(
    program: &Program<'_>,
    tracer: &Tracer<'_>,
    executed: &Executed,
) -> Result<Vec<Hint>, Error> {
    let mut hints = of_calls(program);
    hints.extend(of_libraries(program)?);
    hints.extend(of_notes(program, tracer, executed)?);
    hints.extend(of_texts(program, tracer, executed)?);
    Ok(hints)
}

fn hint(what: impl Into<String>, because: String, flag: impl Into<String>) -> Hint {
    Hint { what: what.into(), because, flag: flag.into() }
}

/// Returns hints for called functions that read data files.
fn of_calls(program: &Program<'_>) -> Vec<Hint> {
    let policy = program.policy;
    let needs = [
        (Need::LocalTime, policy.time_zones.is_none(), "time zones other than UTC", "--time-zones"),
        (Need::Locale, policy.locales.is_none(), "locales other than C", "--locale C.UTF-8"),
        (
            Need::Charset,
            policy.charsets.is_none() && program.glibc().is_some(),
            "character sets",
            "--charset NAME",
        ),
        (Need::Provider, policy.openssl == When::Auto, "OpenSSL's providers", "--openssl true"),
    ];
    let calls = |import: &Import| format!("`{}`, which {} calls", import.function, import.by);
    let unsaid = needs.into_iter().filter(|(_, unsaid, ..)| *unsaid);
    unsaid
        .filter_map(|(need, _, what, flag)| Some(hint(what, calls(program.imports.of(need)?), flag)))
        .collect()
}

/// Returns hints for mapped libraries that read configuration files or plugins.
fn of_libraries(program: &Program<'_>) -> Result<Vec<Hint>, Error> {
    let mut hints = Vec::new();
    if let Some(libpam) = program.library("libpam.so").filter(|_| program.policy.pam.is_none()) {
        hints.push(hint("PAM services", format!("{} is mapped", libpam.spelled), "--pam SERVICE"));
    }
    if program.policy.plugins.is_none() {
        for (family, library) in plugins::present(program)? {
            let because = format!("{} is mapped", library.spelled);
            hints.push(hint(format!("plugins of {family}"), because, format!("--plugins {family}")));
        }
    }
    Ok(hints)
}

/// Returns hints for dlopen notes of a lower priority than the policy adds, if the library exists
/// and is not mapped anyway.
fn of_notes(program: &Program<'_>, tracer: &Tracer<'_>, executed: &Executed) -> Result<Vec<Hint>, Error> {
    let Some(lowest) = program.policy.dlopen_notes else { return Ok(Vec::new()) };
    let mut hints = Vec::new();
    for mapped in program.objects() {
        // Damaged notes were reported earlier.
        let notes = dlopen::notes(mapped)?.unwrap_or_default();
        for note in notes.iter().filter(|note| note.priority > lowest) {
            let by = dlopen::opener(program, mapped);
            if let Some(name) = first_there(&note.sonames, tracer, executed, &by)? {
                let because = format!("{}: {}", mapped.spelled, dlopen::said(note));
                hints.push(hint(name.clone(), because, format!("--dlopen {name}")));
            }
        }
    }
    Ok(hints)
}

fn first_there(
    names: &[Vec<u8>],
    tracer: &Tracer<'_>,
    executed: &Executed,
    by: &Opener,
) -> Result<Option<String>, Error> {
    for name in names {
        if tracer.brings(executed, by, name)? {
            return Ok(Some(printable(name)));
        }
    }
    Ok(None)
}

/// Returns hints for file names in the strings of mapped objects.
fn of_texts(program: &Program<'_>, tracer: &Tracer<'_>, executed: &Executed) -> Result<Vec<Hint>, Error> {
    let named = literals::named(program, tracer, executed)?;
    let itself = &executed.spelled;
    let mut hints: Vec<Hint> = Vec::new();
    for library in named.libraries {
        let flag = format!("--dlopen {}", library.name);
        hints.push(hint(library.name, format!("named in {}", library.by), flag));
    }
    if named.certificates && program.policy.certificates == When::Auto {
        hints.push(hint(
            "CA certificates",
            format!("`ssl/certs` is named in {itself}"),
            "--certificates true",
        ));
    }
    if named.opens_nss {
        let because = format!("{itself} is static, but its C library opens them at run time");
        hints.push(hint("NSS modules", because, "link the program dynamically"));
    }
    for path in named.programs {
        let flag = format!("add {path} as a PROGRAM");
        hints.push(hint(path, format!("named in {itself}"), flag));
    }
    Ok(hints)
}
