//! What a program may open that nobody can be sure of: said, with the flag that adds it, and not added.

use super::Error;
use super::imports::{Import, Need};
use super::literals;
use super::policy::When;
use super::program::Program;
use super::{dlopen, plugins};
use crate::closure::{Executed, Tracer};
use crate::elf;
use crate::path::Spelled;

/// Something that a program may miss.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Hint {
    /// What it is.
    pub what: String,
    /// Why it may be missed.
    pub because: String,
    /// What to say to have it.
    pub flag: String,
}

/// What `program` may miss.
pub(super) fn of(
    program: &Program<'_>,
    tracer: &Tracer<'_>,
    executed: &Executed,
) -> Result<Vec<Hint>, Error> {
    let mut hints = Vec::new();
    let mut add = |what: &str, because: String, flag: &str| {
        hints.push(Hint { what: what.to_owned(), because, flag: flag.to_owned() });
    };
    let policy = program.policy;
    let calls = |import: &Import| format!("`{}`, which {} calls", import.function, import.by);
    for (need, unsaid, what, flag) in [
        (Need::LocalTime, policy.time_zones.is_none(), "time zones other than UTC", "--time-zones"),
        (Need::Locale, policy.locales.is_none(), "locales other than C", "--locale C.UTF-8"),
        (
            Need::Charset,
            policy.charsets.is_none() && program.glibc().is_some(),
            "character sets",
            "--charset NAME",
        ),
        (Need::Provider, policy.openssl == When::Auto, "OpenSSL's providers", "--openssl true"),
    ] {
        if let Some(import) = program.imports.of(need).filter(|_| unsaid) {
            add(what, calls(import), flag);
        }
    }
    if let Some(libpam) = program.library("libpam.so").filter(|_| policy.pam.is_none()) {
        add("services of PAM", format!("{} is mapped", libpam.spelled), "--pam SERVICE");
    }
    if policy.plugins.is_none() {
        for family in plugins::present(program)? {
            add(
                &format!("plugins of {family}"),
                "its library is mapped".into(),
                &format!("--plugins {family}"),
            );
        }
    }
    for (note, by) in suggested(program)? {
        let name = Spelled::new(note.sonames.first().cloned().unwrap_or_default());
        add(&name.to_string(), format!("{by}: {}", dlopen::said(&note)), &format!("--dlopen {name}"));
    }
    for literal in literals::libraries(program, tracer, executed)? {
        add(&literal.name, format!("named in {}", literal.by), &format!("--dlopen {}", literal.name));
    }
    let itself = literals::of_program(program)?;
    if let Some(path) = itself.certificates.filter(|_| policy.certificates == When::Auto) {
        add("CA certificates", format!("`{path}` is named in the program"), "--certificates true");
    }
    if itself.opens_nss {
        add("NSS modules", "the program is static and opens them all the same".into(), "a dynamic program");
    }
    for path in itself.programs {
        add(&path, "named in the program".into(), &format!("{path} as one more PROGRAM"));
    }
    Ok(hints)
}

/// Notes below the priority that goes in, of libraries that are there, with who has them.
fn suggested<'a>(program: &Program<'a>) -> Result<Vec<(elf::DlopenNote, &'a Spelled)>, Error> {
    let lowest = program.policy.dlopen_notes;
    let mut suggested = Vec::new();
    for mapped in program.objects() {
        // Notes that can't be read were warned of before.
        let notes = elf::dlopen_notes(&mapped.file.content.open()?, &mapped.object).unwrap_or_default();
        let below = notes.into_iter().filter(|note| lowest.is_some_and(|lowest| note.priority > lowest));
        suggested.extend(below.map(|note| (note, &mapped.spelled)));
    }
    Ok(suggested)
}
