//! Checks that each library has the symbol versions that other objects were linked against, as the
//! loader does before it starts a program.
//!
//! musl checks no versions. Source: `_dl_check_map_versions` and `match_symbol`,
//! `elf/dl-version.c`.

use std::collections::{BTreeMap, BTreeSet};

use crate::closure::link_map::{LinkMap, MappedObject};
use crate::closure::problem::{Problem, ProblemKind, Severity, record_if_damaged};
use crate::elf::{DefinedVersion, NeededVersion, SymbolVersion, SymbolVersions};
use coracle_core::fs;
use coracle_core::path::escape_bytes;

/// The version that linkers add to objects with `DT_RELR`, so that older loaders reject them.
const RELR_MARKER: &[u8] = b"GLIBC_ABI_DT_RELR";

/// Maximum number of symbols in a message about a missing version.
const MAX_NAMED_SYMBOLS: usize = 3;

/// Returns a problem for each version that an object of `map` needs and its library lacks.
///
/// # Errors
/// Fails if a file can't be read.
pub fn check_symbol_versions(map: &LinkMap) -> fs::Result<Vec<Problem>> {
    let mut problems = Vec::new();
    if !map.loader.as_ref().is_some_and(|loader| loader.is_glibc()) {
        return Ok(problems);
    }
    let providers = providers_by_name(map);
    let mut versions = Vec::new();
    for mapped in &map.objects {
        let read = SymbolVersions::read(&mapped.file.content.open()?, &mapped.object);
        let read = record_if_damaged(
            read,
            ProblemKind::DamagedVersions,
            Severity::Error,
            &mapped.raw_path,
            &mut problems,
        )?;
        versions.push(read);
    }
    for (index, mapped) in map.new_objects() {
        let Some(Some(own)) = versions.get(index) else { continue };
        problems.extend(missing_relr_marker(mapped, own));
        let mut reported = BTreeSet::new();
        for wanted in &own.needed {
            let Some(&provider) = providers.get(wanted.file.as_slice()) else {
                problems.extend(reported.insert(&wanted.file).then(|| not_loaded_problem(mapped, wanted)));
                continue;
            };
            let (Some(library), Some(Some(has))) = (map.objects.get(provider), versions.get(provider)) else {
                continue;
            };
            if has.has_definitions {
                let users = || symbols_with_version(map, index, wanted);
                problems.extend(missing_version(mapped, wanted, library, has, users)?);
            } else {
                problems.extend(
                    reported.insert(&wanted.file).then(|| unversioned_problem(mapped, wanted, library)),
                );
            }
        }
    }
    Ok(problems)
}

/// Returns the object for each name: the first one with that requested name, path or soname
/// (`_dl_name_match_p`, `elf/dl-misc.c`).
pub(super) fn providers_by_name(map: &LinkMap) -> BTreeMap<&[u8], usize> {
    let mut providers = BTreeMap::new();
    let mut add = |name, index: usize| {
        let first = providers.entry(name).or_insert(index);
        *first = index.min(*first);
    };
    for edge in &map.edges {
        add(edge.name.as_slice(), edge.to);
    }
    for (index, mapped) in map.objects.iter().enumerate() {
        add(mapped.raw_path.as_bytes(), index);
        mapped.object.dynamic.soname.iter().for_each(|soname| add(soname.as_slice(), index));
    }
    providers
}

/// Returns a problem if `library` lacks the version. `users` is called only if it is an error.
fn missing_version(
    mapped: &MappedObject,
    wanted: &NeededVersion,
    library: &MappedObject,
    has: &SymbolVersions,
    users: impl FnOnce() -> fs::Result<Vec<String>>,
) -> fs::Result<Option<Problem>> {
    if has.defined.iter().any(|defined| defined.hash == wanted.hash && defined.name == wanted.name) {
        return Ok(None);
    }
    let (version, object, library) = (escape_bytes(&wanted.name), &mapped.raw_path, &library.raw_path);
    if wanted.is_weak {
        let message =
            format!("`{library}` lacks the version `{version}`, which `{object}` uses if available");
        return Ok(Some(version_problem(
            mapped,
            wanted,
            ProblemKind::MissingVersion,
            Severity::Warning,
            message,
        )));
    }
    let users = users()?;
    let users = if users.is_empty() { String::new() } else { format!(" for {}", format_symbols(&users)) };
    let newest = newest_of_series(&wanted.name, &has.defined)
        .map_or_else(String::new, |newest| format!("; the newest available is `{}`", escape_bytes(newest)));
    let message =
        format!("cannot find the version `{version}` in `{library}`, needed by `{object}`{users}{newest}");
    Ok(Some(version_problem(mapped, wanted, ProblemKind::MissingVersion, Severity::Error, message)))
}

/// Returns the symbols that the object at `index` refers to with the version `wanted`.
fn symbols_with_version(map: &LinkMap, index: usize, wanted: &NeededVersion) -> fs::Result<Vec<String>> {
    let is_wanted = |version: &SymbolVersion| {
        (version.hash, &version.name, &version.file)
            == (wanted.hash, &wanted.name, &Some(wanted.file.clone()))
    };
    let users = map.symbol_references()?.symbols.iter().filter(|wanted| wanted.used_by.contains(&index));
    let users = users.filter(|wanted| wanted.reference.version.as_deref().is_some_and(is_wanted));
    let names: BTreeSet<String> = users.map(|wanted| escape_bytes(&wanted.reference.name)).collect();
    Ok(names.into_iter().collect())
}

fn format_symbols(symbols: &[String]) -> String {
    let named: Vec<String> =
        symbols.iter().take(MAX_NAMED_SYMBOLS).map(|symbol| format!("`{symbol}`")).collect();
    match symbols.len().saturating_sub(MAX_NAMED_SYMBOLS) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// Returns the newest version of the same series as `wanted`: the same prefix, followed by numbers,
/// as in `GLIBC_2.38`.
fn newest_of_series<'a>(wanted: &[u8], defined: &'a [DefinedVersion]) -> Option<&'a [u8]> {
    let (word, _) = parse_version(wanted)?;
    let of_series = defined.iter().filter_map(|defined| {
        parse_version(&defined.name)
            .filter(|(other, _)| *other == word)
            .map(|(_, numbers)| (numbers, &defined.name))
    });
    of_series.max().map(|(_, name)| name.as_slice())
}

/// Parses a version such as `GLIBC_2.38` into its prefix and its numbers.
fn parse_version(version: &[u8]) -> Option<(&str, Vec<u32>)> {
    let (word, numbers) = std::str::from_utf8(version).ok()?.rsplit_once('_')?;
    let numbers: Result<Vec<u32>, _> = numbers.split('.').map(str::parse).collect();
    Some((word, numbers.ok()?))
}

/// Returns a warning that the library was built without symbol versions. Such a library often works.
fn unversioned_problem(mapped: &MappedObject, wanted: &NeededVersion, library: &MappedObject) -> Problem {
    let (object, library, version) = (&mapped.raw_path, &library.raw_path, escape_bytes(&wanted.name));
    let message = format!(
        "`{library}` has no symbol versions, but `{object}` was linked against one that has `{version}`"
    );
    version_problem(mapped, wanted, ProblemKind::UnversionedLibrary, Severity::Warning, message)
}

/// Returns the problem that no mapped object has the library's name, at which the loader fails an assertion.
fn not_loaded_problem(mapped: &MappedObject, wanted: &NeededVersion) -> Problem {
    let (object, version, file) = (&mapped.raw_path, escape_bytes(&wanted.name), escape_bytes(&wanted.file));
    let message = format!(
        "cannot find the version `{version}`, needed by `{object}`: no loaded object is called `{file}`"
    );
    version_problem(mapped, wanted, ProblemKind::MissingVersion, Severity::Error, message)
}

/// Returns a problem if the object has `DT_RELR` and needs glibc, but not its marker version.
/// Loaders without support for `DT_RELR` would start it without relocating it.
fn missing_relr_marker(mapped: &MappedObject, own: &SymbolVersions) -> Option<Problem> {
    let dynamic = &mapped.object.dynamic;
    let marked = own.needed.is_empty() || own.needed.iter().any(|wanted| wanted.name == RELR_MARKER);
    let needs_libc = dynamic.needed().any(|name| name.starts_with(b"libc.so."));
    (dynamic.has_relr() && needs_libc && !marked).then(|| Problem {
        kind: ProblemKind::MissingRelrMarker,
        severity: Severity::Error,
        object: mapped.raw_path.clone(),
        needed_name: escape_bytes(RELR_MARKER),
        message: format!(
            "`{}` has DT_RELR relocations but does not require the version `{}`, so the loader rejects it",
            mapped.raw_path,
            escape_bytes(RELR_MARKER),
        ),
    })
}

fn version_problem(
    mapped: &MappedObject,
    wanted: &NeededVersion,
    kind: ProblemKind,
    severity: Severity,
    message: String,
) -> Problem {
    let (object, name) = (mapped.raw_path.clone(), escape_bytes(&wanted.name));
    Problem { kind, severity, object, needed_name: name, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_the_newest_version_of_a_series() {
        let defined = |name: &str| DefinedVersion { hash: 0, name: name.into(), is_base: false };
        let names = ["libc.so.6", "GLIBC_2.4", "GLIBC_2.36", "GLIBC_2.3.4", "GLIBC_PRIVATE", "OTHER_9"];
        let has = names.map(defined);
        for (wanted, expected) in [
            ("GLIBC_2.38", Some("GLIBC_2.36")),
            ("OTHER_10", Some("OTHER_9")),
            ("V2", None),
            ("GLIBCXX_3.4", None),
        ] {
            assert_eq!(newest_of_series(wanted.as_bytes(), &has), expected.map(str::as_bytes), "{wanted}");
        }
    }
}
