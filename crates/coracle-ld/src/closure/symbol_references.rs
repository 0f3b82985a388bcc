//! The symbols that the objects of a link map refer to, with the objects that use them.

use super::problem::{Problem, ProblemKind, Severity, problem_if_damaged};
use super::{LinkMap, MapReason};
use crate::elf::{self, SymbolReference};
use coracle_core::fs;

/// The symbols that the new objects of a link map refer to.
#[derive(Debug)]
pub struct SymbolReferences {
    /// The symbols, sorted, each once.
    pub symbols: Vec<ReferencedSymbol>,
    /// Objects whose symbol tables are damaged.
    pub problems: Vec<Problem>,
}

/// A symbol and the objects that refer to it.
#[derive(Clone, Debug)]
pub struct ReferencedSymbol {
    /// The symbol.
    pub reference: SymbolReference,
    /// Indices of the objects.
    pub used_by: Vec<usize>,
}

impl SymbolReferences {
    /// Reads the references of all new objects except the loader, which relocates itself.
    pub(super) fn read(map: &LinkMap) -> fs::Result<Self> {
        let (mut all, mut problems) = (Vec::new(), Vec::new());
        for (by, mapped) in map.new_objects().filter(|(_, mapped)| mapped.reason != MapReason::Interpreter) {
            let read = elf::symbol_references(&mapped.file.content.open()?, &mapped.object);
            let read = problem_if_damaged(
                read,
                ProblemKind::Symbol,
                Severity::Warning,
                &mapped.raw_path,
                &mut problems,
            )?;
            all.extend(read.into_iter().flatten().map(|reference| (reference, by)));
        }
        all.sort_unstable();
        let mut wanted: Vec<ReferencedSymbol> = Vec::new();
        for (reference, by) in all {
            match wanted.last_mut() {
                Some(last) if last.reference == reference => last.used_by.push(by),
                _ => wanted.push(ReferencedSymbol { reference, used_by: vec![by] }),
            }
        }
        Ok(Self { symbols: wanted, problems })
    }
}
