//! Finds objects of one program that were linked against different C libraries.
//!
//! Two C libraries in one process share neither memory nor locks. glibc's loader maps musl's
//! library like any other. musl's loader uses itself in place of glibc, and fails on symbols that
//! it lacks.

use crate::closure::link_map::{LinkMap, MapReason, MappedObject};
use crate::closure::problem::{Problem, ProblemKind, Severity, record_if_damaged};
use crate::elf::SymbolVersions;
use coracle_core::fs;
use coracle_core::path::escape_bytes;

/// Returns a problem for each object of `map` that was linked against another C library than the
/// loader's.
///
/// # Errors
/// Fails if a file can't be read.
pub fn check_c_libraries(map: &LinkMap) -> fs::Result<Vec<Problem>> {
    let Some(loader) = &map.loader else { return Ok(Vec::new()) };
    let objects = map.objects.iter().filter(|mapped| mapped.reason != MapReason::Interpreter);
    if loader.is_glibc() {
        return Ok(objects.filter_map(problem_with_glibc).collect());
    }
    let mut problems = Vec::new();
    for mapped in objects {
        let read = SymbolVersions::read(&mapped.file.content.open()?, &mapped.object);
        let read = record_if_damaged(
            read,
            ProblemKind::DamagedVersions,
            Severity::Warning,
            &mapped.raw_path,
            &mut problems,
        )?;
        problems.extend(read.and_then(|versions| problem_with_musl(mapped, &versions)));
    }
    Ok(problems)
}

/// Returns whether `name` belongs to another C library than the loader of `map`.
pub(in crate::closure) fn belongs_to_other_libc(map: &LinkMap, name: &[u8]) -> bool {
    match &map.loader {
        Some(loader) if loader.is_glibc() => is_non_glibc_libc(name),
        Some(_) => [&b"ld-linux"[..], b"ld64.so.", b"ld.so.1"].iter().any(|start| name.starts_with(start)),
        None => false,
    }
}

/// Returns whether `name` is a C library other than glibc, whose library is `libc.so.6`. glibc's
/// `libc.so` is a linker script.
fn is_non_glibc_libc(name: &[u8]) -> bool {
    name == b"libc.so" || name.starts_with(b"libc.musl-")
}

/// Returns a problem if an object under glibc's loader was linked against musl.
fn problem_with_glibc(mapped: &MappedObject) -> Option<Problem> {
    let libc = mapped.object.dynamic.needed().find(|name| is_non_glibc_libc(name))?;
    let (object, name) = (&mapped.raw_path, escape_bytes(libc));
    let message = format!(
        "`{object}` was linked against musl (it needs `{name}`), but the program's loader is glibc's"
    );
    let object = object.clone();
    Some(Problem {
        kind: ProblemKind::MixedCLibraries,
        severity: Severity::Error,
        object,
        needed_name: name,
        message,
    })
}

/// Returns a problem if an object under musl's loader was linked against glibc. A warning only,
/// because musl defines many of glibc's symbols.
fn problem_with_musl(mapped: &MappedObject, versions: &SymbolVersions) -> Option<Problem> {
    let wanted = versions.needed.iter().find(|wanted| wanted.name.starts_with(b"GLIBC_"))?;
    let (object, name) = (&mapped.raw_path, escape_bytes(&wanted.name));
    let message = format!(
        "`{object}` was linked against glibc (it needs the version `{name}`), but the program's loader is musl's"
    );
    let object = object.clone();
    Some(Problem {
        kind: ProblemKind::MixedCLibraries,
        severity: Severity::Warning,
        object,
        needed_name: name,
        message,
    })
}
