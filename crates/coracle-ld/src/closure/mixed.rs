//! Finds objects of one program that were linked against different C libraries.
//!
//! Two C libraries in one process share neither memory nor locks. glibc's loader maps musl's
//! library like any other. musl's loader uses itself in place of glibc, and fails on symbols that
//! it lacks.

use super::problem::{Problem, ProblemKind, Severity, damaged};
use super::{Found, LinkMap, Mapped};
use crate::elf::Versions;
use coracle_core::fs;
use coracle_core::path::printable;

/// Returns a problem for each object of `map` that was linked against another C library than the
/// loader's.
///
/// # Errors
/// Fails if a file can't be read.
pub fn check(map: &LinkMap) -> fs::Result<Vec<Problem>> {
    let Some(loader) = &map.loader else { return Ok(Vec::new()) };
    let objects = map.objects.iter().filter(|mapped| mapped.found != Found::Interpreter);
    if loader.is_glibc() {
        return Ok(objects.filter_map(other_than_glibc).collect());
    }
    let mut problems = Vec::new();
    for mapped in objects {
        let read = Versions::read(&mapped.file.content.open()?, &mapped.object);
        let read = damaged(read, ProblemKind::Version, Severity::Warning, &mapped.spelled, &mut problems)?;
        problems.extend(read.and_then(|versions| for_glibc(mapped, &versions)));
    }
    Ok(problems)
}

/// Returns whether `name` belongs to another C library than the loader of `map`.
pub(super) fn is_of_another_libc(map: &LinkMap, name: &[u8]) -> bool {
    match &map.loader {
        Some(loader) if loader.is_glibc() => is_other_libc(name),
        Some(_) => [&b"ld-linux"[..], b"ld64.so.", b"ld.so.1"].iter().any(|start| name.starts_with(start)),
        None => false,
    }
}

/// Returns whether `name` is a C library other than glibc, whose library is `libc.so.6`. glibc's
/// `libc.so` is a linker script.
fn is_other_libc(name: &[u8]) -> bool {
    name == b"libc.so" || name.starts_with(b"libc.musl-")
}

fn other_than_glibc(mapped: &Mapped) -> Option<Problem> {
    let libc = mapped.object.dynamic.needed().find(|name| is_other_libc(name))?;
    let (object, name) = (&mapped.spelled, printable(libc));
    let message = format!(
        "`{object}` was linked against musl (it needs `{name}`), but the program's loader is glibc's"
    );
    let object = object.clone();
    Some(Problem { kind: ProblemKind::CLibrary, severity: Severity::Error, object, name, message })
}

/// A warning only, because musl defines many of glibc's symbols.
fn for_glibc(mapped: &Mapped, versions: &Versions) -> Option<Problem> {
    let wanted = versions.needed.iter().find(|wanted| wanted.name.starts_with(b"GLIBC_"))?;
    let (object, name) = (&mapped.spelled, printable(&wanted.name));
    let message = format!(
        "`{object}` was linked against glibc (it needs the version `{name}`), but the program's loader is musl's"
    );
    let object = object.clone();
    Some(Problem { kind: ProblemKind::CLibrary, severity: Severity::Warning, object, name, message })
}
