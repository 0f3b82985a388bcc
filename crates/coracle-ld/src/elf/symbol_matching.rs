//! Whether a definition satisfies a symbol reference, by the rules of glibc and of musl.
//!
//! Source: `do_lookup_x` and `check_match`, `elf/dl-lookup.c`; `find_sym`, `ldso/dynlink.c` of musl.

use super::relocations::RelocationClass;
use super::symbol_versions::{SymbolVersions, VERSYM_HIDDEN};
use super::symbols::{STB_GLOBAL, STB_GNU_UNIQUE, STB_WEAK, STT_GNU_IFUNC, STT_TLS, Symbol, SymbolReference};

/// The C library whose rules select a definition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LookupRules {
    /// Symbol versions must match.
    Glibc,
    /// Symbol versions are ignored, but only default versions match.
    Musl,
}

/// The result of a symbol lookup in one object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LookupResult {
    /// The object defines the symbol.
    Found,
    /// The object defines the symbol and has no versions at all, although a version was requested.
    FoundWithoutVersions,
    /// The object does not define the symbol.
    Absent,
}

/// Checks the version of a definition as glibc does. `entry` is the definition's `DT_VERSYM` entry
/// in an object with `versions`. Returns `None` if the lookup goes on with the next definition.
/// Source: `check_match`, `elf/dl-lookup.c`.
pub(super) fn match_glibc_version(
    versions: &SymbolVersions,
    wanted: &SymbolReference,
    entry: Option<u16>,
    symbol: Symbol,
    candidates: &mut VersionedCandidates,
) -> Option<LookupResult> {
    // glibc continues with the next object if the symbol is not visible.
    let found = if is_visible(symbol) { LookupResult::Found } else { LookupResult::Absent };
    match (&wanted.version, entry) {
        (None, None) => Some(found),
        (Some(_), None) if found == LookupResult::Found => Some(LookupResult::FoundWithoutVersions),
        (Some(_), None) => Some(found),
        (Some(version), Some(entry)) => {
            let defined = versions.version_of_entry(entry);
            let same =
                defined.is_some_and(|defined| defined.hash == version.hash && defined.name == version.name);
            let base = !version.is_hidden && defined.is_none() && entry & VERSYM_HIDDEN == 0;
            (same || base).then_some(found)
        }
        // Indices 0 to 2 are local, global and the first version. A reference without a version
        // means these.
        (None, Some(entry)) if entry & !VERSYM_HIDDEN < 3 => Some(found),
        (None, Some(entry)) => {
            if entry & VERSYM_HIDDEN == 0 {
                candidates.count += 1;
                candidates.first = candidates.first.or(Some(found));
            }
            None
        }
    }
}

/// Versioned definitions found for a reference without a version. A single definition matches;
/// several are ambiguous.
#[derive(Default)]
pub(super) struct VersionedCandidates {
    count: usize,
    first: Option<LookupResult>,
}

impl VersionedCandidates {
    /// Returns the result for the only definition; `Absent` if there are none or several.
    pub(super) fn unique_or_absent(&self) -> LookupResult {
        if self.count == 1 { self.first.unwrap_or(LookupResult::Absent) } else { LookupResult::Absent }
    }
}

/// Returns whether a relocation of `class` can refer to `symbol`.
pub(super) fn can_bind(symbol: Symbol, class: RelocationClass, rules: LookupRules) -> bool {
    // `STT_NOTYPE`, `STT_OBJECT`, `STT_FUNC`, `STT_COMMON`, `STT_TLS`, and with glibc
    // `STT_GNU_IFUNC`.
    let is_bindable_kind = matches!(symbol.kind(), 0 | 1 | 2 | 5 | STT_TLS)
        || rules == LookupRules::Glibc && symbol.kind() == STT_GNU_IFUNC;
    // A program's PLT stub has an address but is undefined: data can refer to it, calls cannot.
    let is_defined = symbol.is_defined() || class != RelocationClass::Plt && symbol.kind() != STT_TLS;
    let is_visible = rules == LookupRules::Glibc || is_global(symbol);
    is_bindable_kind && is_defined && is_visible && symbol.has_value()
}

fn is_visible(symbol: Symbol) -> bool {
    !symbol.is_hidden() && is_global(symbol)
}

fn is_global(symbol: Symbol) -> bool {
    [STB_GLOBAL, STB_WEAK, STB_GNU_UNIQUE].contains(&symbol.binding())
}
