//! Checks that each symbol that an object refers to is defined by a mapped object, as `ldd -r`
//! does.
//!
//! `DT_SYMBOLIC` is ignored: it changes which definition is found, not whether one is. Source:
//! `_dl_lookup_symbol_x`, `elf/dl-lookup.c`, and `_dl_relocate_object`, `elf/dl-reloc.c`;
//! `do_relocs`, `ldso/dynlink.c` of musl.

use std::collections::BTreeMap;

use super::symbol_versions::providers_by_name;
use crate::closure::link_map::{LinkMap, MapReason, MappedObject, ReferencedSymbol};
use crate::closure::problem::{Problem, ProblemKind, Severity, record_if_damaged};
use crate::elf::{ExportedSymbols, LookupResult, LookupRules, RelocationClass, SymbolReference};
use coracle_core::fs;
use coracle_core::path::escape_bytes;

/// Returns a problem for each undefined symbol of an object of `map`. Empty for a library or a
/// plugin, because the program that loads it may define the symbols.
///
/// # Errors
/// Fails if a file can't be read.
pub fn check_symbols(map: &LinkMap) -> fs::Result<Vec<Problem>> {
    let is_program = map.objects.first().is_some_and(|program| program.object.interpreter.is_some());
    let Some(loader) = map.loader.as_ref().filter(|_| is_program) else { return Ok(Vec::new()) };
    let rules = if loader.is_glibc() { LookupRules::Glibc } else { LookupRules::Musl };
    let references = map.symbol_references()?;
    let mut problems = references.problems.clone();
    let mut lookup = SymbolLookup {
        map,
        rules,
        providers: providers_by_name(map),
        unresolved: references.symbols.iter().collect(),
        assertion_failures: Vec::new(),
    };
    for (index, mapped) in map.objects.iter().enumerate().filter(|(index, _)| is_in_global_scope(map, *index))
    {
        lookup.search_object(index, mapped, &mut problems)?;
    }
    problems.extend(lookup.into_problems());
    Ok(problems)
}

/// Returns whether an object is in the global scope. The loader is in it only if an
/// object needs the loader.
fn is_in_global_scope(map: &LinkMap, index: usize) -> bool {
    let is_loader = map.objects.get(index).is_some_and(|mapped| mapped.reason == MapReason::Interpreter);
    !is_loader || map.edges.iter().any(|edge| edge.to == index)
}

/// A lookup of all references at once, object by object in load order, so that only one object's
/// tables are in memory.
struct SymbolLookup<'a> {
    map: &'a LinkMap,
    rules: LookupRules,
    providers: BTreeMap<&'a [u8], usize>,
    unresolved: Vec<&'a ReferencedSymbol>,
    /// References that make the loader fail an assertion, with the object that defines the symbol.
    assertion_failures: Vec<(&'a ReferencedSymbol, usize)>,
}

impl SymbolLookup<'_> {
    /// Looks up the unresolved references in the object at `index`.
    fn search_object(
        &mut self,
        index: usize,
        mapped: &MappedObject,
        problems: &mut Vec<Problem>,
    ) -> fs::Result<()> {
        if self.unresolved.is_empty() {
            return Ok(());
        }
        let file = mapped.file.content.open()?;
        let exports = ExportedSymbols::new(&file, &mapped.object, self.rules);
        let mut exports = record_if_damaged(
            exports,
            ProblemKind::DamagedSymbols,
            Severity::Warning,
            &mapped.raw_path,
            problems,
        )?;
        for wanted in std::mem::take(&mut self.unresolved) {
            let reference = &wanted.reference;
            let skipped = index == 0 && reference.class == RelocationClass::Copy;
            let lookup = match exports.as_mut().filter(|_| !skipped).map(|exports| exports.look_up(reference))
            {
                None => LookupResult::Absent,
                Some(read) => {
                    let (kind, severity) = (ProblemKind::DamagedSymbols, Severity::Warning);
                    let read = record_if_damaged(read, kind, severity, &mapped.raw_path, problems)?;
                    if read.is_none() {
                        exports = None;
                    }
                    read.unwrap_or(LookupResult::Absent)
                }
            };
            match lookup {
                LookupResult::Absent => self.unresolved.push(wanted),
                LookupResult::FoundWithoutVersions if self.is_linked_against(reference, index) => {
                    self.assertion_failures.push((wanted, index));
                }
                LookupResult::Found | LookupResult::FoundWithoutVersions => {}
            }
        }
        Ok(())
    }

    /// Returns whether the reference was linked against this object.
    fn is_linked_against(&self, reference: &SymbolReference, index: usize) -> bool {
        let file = reference.version.as_ref().and_then(|version| version.file.as_deref());
        file.is_some_and(|file| self.providers.get(file) == Some(&index))
    }

    /// Returns the problems of the references that were not found.
    fn into_problems(self) -> Vec<Problem> {
        let undefined = self.unresolved.iter().filter(|wanted| !self.may_be_undefined(&wanted.reference));
        let mut problems: Vec<(usize, Problem)> = undefined
            .flat_map(|wanted| {
                self.symbol_problems(wanted, |symbol, by| {
                    format!("cannot find the symbol {symbol}, needed by `{}`", by.raw_path)
                })
            })
            .collect();
        // An error replaces a warning with the same message.
        problems.sort_by(|(by, problem), (other_by, other)| {
            (by, &problem.message, problem.severity).cmp(&(other_by, &other.message, other.severity))
        });
        problems.dedup_by(|(_, later), (_, first)| later.message == first.message);
        problems.into_iter().map(|(_, problem)| problem).chain(self.assertion_problems()).collect()
    }

    /// Returns the failures of an assertion in `check_match`: an object refers to a version of a
    /// library that has no versions. Weak references fail, too. There is one problem for each
    /// object and library.
    fn assertion_problems(&self) -> Vec<Problem> {
        let mut first: BTreeMap<(usize, usize), Problem> = BTreeMap::new();
        for (wanted, index) in &self.assertion_failures {
            let Some(library) = self.map.objects.get(*index) else { continue };
            let problems = self.symbol_problems(wanted, |symbol, by| {
                format!(
                    "`{}` has no symbol versions, so the loader fails when it binds {symbol} for `{}`",
                    library.raw_path, by.raw_path
                )
            });
            for (by, problem) in problems {
                let problem = Problem { kind: ProblemKind::LoaderAssertion, ..problem };
                let known = first.entry((by, *index)).or_insert_with(|| problem.clone());
                if (problem.severity, &problem.message) < (known.severity, &known.message) {
                    *known = problem;
                }
            }
        }
        first.into_values().collect()
    }

    /// Returns whether the loader accepts that no object defines the symbol.
    fn may_be_undefined(&self, reference: &SymbolReference) -> bool {
        reference.is_weak || self.rules == LookupRules::Musl && is_lfs64_name(&reference.name)
    }

    /// Returns a problem for each object that refers to `wanted`, with the object's index.
    fn symbol_problems(
        &self,
        wanted: &ReferencedSymbol,
        message: impl Fn(&str, &MappedObject) -> String,
    ) -> impl Iterator<Item = (usize, Problem)> {
        let name = escape_bytes(&wanted.reference.name);
        let symbol = match &wanted.reference.version {
            Some(version) => format!("`{name}` (version `{}`)", escape_bytes(&version.name)),
            None => format!("`{name}`"),
        };
        wanted.used_by.iter().filter_map(move |&by| {
            let mapped = self.map.objects.get(by)?;
            let problem = Problem {
                kind: ProblemKind::MissingSymbol,
                severity: self.reference_severity(&wanted.reference, mapped),
                object: mapped.raw_path.clone(),
                needed_name: name.clone(),
                message: message(&symbol, mapped),
            };
            Some((by, problem))
        })
    }

    /// Returns how severe it is that a symbol is undefined. Function calls are bound lazily, unless the object demands otherwise; other references are
    /// bound at the start.
    fn reference_severity(&self, reference: &SymbolReference, mapped: &MappedObject) -> Severity {
        let is_lazy = self.rules == LookupRules::Glibc
            && reference.class == RelocationClass::Plt
            && !reference.is_thread_local
            && !mapped.object.dynamic.binds_now();
        if is_lazy { Severity::Warning } else { Severity::Error }
    }
}

/// Returns whether `name` is one of the names with the suffix `64` for programs linked against
/// glibc. musl resolves them to the plain names (`get_lfs64`; before 1.2.4 they were separate
/// symbols).
fn is_lfs64_name(name: &[u8]) -> bool {
    let plain = name.strip_suffix(b"64").and_then(|name| std::str::from_utf8(name).ok());
    name == b"readdir64_r"
        || plain.is_some_and(|name| LFS64_NAMES.split_whitespace().any(|known| known == name))
}

const LFS64_NAMES: &str = "
    aio_cancel aio_error aio_fsync aio_read aio_return aio_suspend aio_write alphasort creat fallocate fgetpos fopen
    freopen fseeko fsetpos fstat fstatat fstatfs fstatvfs ftello ftruncate ftw getdents getrlimit glob globfree
    lio_listio lockf lseek lstat mkostemp mkostemps mkstemp mkstemps mmap nftw open openat posix_fadvise
    posix_fallocate pread preadv prlimit pwrite pwritev readdir scandir sendfile setrlimit stat statfs statvfs tmpfile
    truncate versionsort __fxstat __fxstatat __lxstat __xstat";
