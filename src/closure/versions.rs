//! Whether every library has the versions that others were linked against, as the loader asks before it starts a
//! program.
//!
//! Source: `_dl_check_map_versions` and `match_symbol`, `elf/dl-version.c`. musl checks no versions.

use std::collections::{BTreeMap, BTreeSet};

use super::problem::{Problem, ProblemKind, Severity, damaged};
use super::{LinkMap, Mapped};
use crate::elf::{NeededVersion, Versions};
use crate::fs;
use crate::path::printable;

/// The version that a linker adds for whoever has `DT_RELR`, so that a loader which does not know it refuses.
const RELR_MARKER: &[u8] = b"GLIBC_ABI_DT_RELR";

/// Versions that objects of `map` want and libraries lack.
///
/// # Errors
/// When a file can't be read.
pub fn check(map: &LinkMap) -> fs::Result<Vec<Problem>> {
    let mut problems = Vec::new();
    if !map.loader.as_ref().is_some_and(|loader| loader.is_glibc()) {
        return Ok(problems);
    }
    let answering = answering(map);
    let mut versions = Vec::new();
    for mapped in &map.objects {
        let read = Versions::read(&mapped.file.content.open()?, &mapped.object);
        let read = damaged(read, ProblemKind::Version, Severity::Error, &mapped.spelled, &mut problems)?;
        versions.push(read);
    }
    for (index, mapped) in map.news() {
        let Some(Some(own)) = versions.get(index) else { continue };
        problems.extend(relr(mapped, own));
        let mut told = BTreeSet::new();
        for wanted in &own.needed {
            let Some(&index) = answering.get(wanted.file.as_slice()) else {
                problems.extend(told.insert(&wanted.file).then(|| not_loaded(mapped, wanted)));
                continue;
            };
            let (Some(library), Some(Some(has))) = (map.objects.get(index), versions.get(index)) else {
                continue;
            };
            if has.has_definitions {
                problems.extend(lacking(mapped, wanted, library, has));
            } else {
                problems.extend(told.insert(&wanted.file).then(|| unversioned(mapped, wanted, library)));
            }
        }
    }
    Ok(problems)
}

/// Which object answers to a name: the first that was asked for by it, that is spelled so, or that calls itself so
/// (`_dl_name_match_p`, `elf/dl-misc.c`).
pub(super) fn answering(map: &LinkMap) -> BTreeMap<&[u8], usize> {
    let mut answering = BTreeMap::new();
    let mut add = |name, index: usize| {
        let first = answering.entry(name).or_insert(index);
        *first = index.min(*first);
    };
    for edge in &map.edges {
        add(edge.name.as_slice(), edge.to);
    }
    for (index, mapped) in map.objects.iter().enumerate() {
        add(mapped.spelled.as_bytes(), index);
        mapped.object.dynamic.soname.iter().for_each(|soname| add(soname.as_slice(), index));
    }
    answering
}

fn lacking(mapped: &Mapped, wanted: &NeededVersion, library: &Mapped, has: &Versions) -> Option<Problem> {
    if has.defined.iter().any(|defined| defined.hash == wanted.hash && defined.name == wanted.name) {
        return None;
    }
    let (version, object, library) = (printable(&wanted.name), &mapped.spelled, &library.spelled);
    Some(if wanted.is_weak {
        let message =
            format!("`{library}` has no version `{version}`, which `{object}` would use if it were there");
        problem(mapped, wanted, Severity::Warning, message)
    } else {
        let message = format!("cannot find the version `{version}` in `{library}`, needed by `{object}`");
        problem(mapped, wanted, Severity::Error, message)
    })
}

/// The library was built otherwise than the one that was linked against; often it serves all the same.
fn unversioned(mapped: &Mapped, wanted: &NeededVersion, library: &Mapped) -> Problem {
    let (object, library, version) = (&mapped.spelled, &library.spelled, printable(&wanted.name));
    let message =
        format!("`{library}` has no versions, but `{object}` was linked against one that has `{version}`");
    problem(mapped, wanted, Severity::Warning, message)
}

/// The loader ends with a failed assertion.
fn not_loaded(mapped: &Mapped, wanted: &NeededVersion) -> Problem {
    let (object, version, file) = (&mapped.spelled, printable(&wanted.name), printable(&wanted.file));
    let message = format!(
        "cannot find the version `{version}`, needed by `{object}`: nothing that is loaded is called `{file}`"
    );
    problem(mapped, wanted, Severity::Error, message)
}

/// `DT_RELR` in an object that needs glibc without saying that it must know it. Loaders older than `DT_RELR` don't
/// complain, but leave the object unrelocated.
fn relr(mapped: &Mapped, own: &Versions) -> Option<Problem> {
    let dynamic = &mapped.object.dynamic;
    let marked = own.needed.is_empty() || own.needed.iter().any(|wanted| wanted.name == RELR_MARKER);
    let needs_libc = dynamic.needed().any(|name| name.starts_with(b"libc.so."));
    (dynamic.has_relr() && needs_libc && !marked).then(|| Problem {
        kind: ProblemKind::Version,
        severity: Severity::Error,
        object: mapped.spelled.clone(),
        name: printable(RELR_MARKER),
        message: format!(
            "`{}` has relocations of the kind DT_RELR but does not ask for the version `{}`, so the loader refuses it",
            mapped.spelled,
            printable(RELR_MARKER),
        ),
    })
}

fn problem(mapped: &Mapped, wanted: &NeededVersion, severity: Severity, message: String) -> Problem {
    let (object, name) = (mapped.spelled.clone(), printable(&wanted.name));
    Problem { kind: ProblemKind::Version, severity, object, name, message }
}
