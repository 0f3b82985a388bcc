//! The symbols that the objects of a link map refer to, with the objects that use them.

use super::problem::{Problem, ProblemKind, Severity, damaged};
use super::{Found, LinkMap};
use crate::elf::{self, Reference};
use coracle_core::fs;

/// The symbols that the new objects of a link map refer to.
#[derive(Debug)]
pub struct References {
    /// The symbols, sorted, each once.
    pub wanted: Vec<Wanted>,
    /// Objects whose symbol tables are damaged.
    pub problems: Vec<Problem>,
}

/// A symbol and the objects that refer to it.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The symbol.
    pub reference: Reference,
    /// Indices of the objects.
    pub by: Vec<usize>,
}

impl References {
    /// Reads the references of all new objects except the loader, which relocates itself.
    pub(super) fn read(map: &LinkMap) -> fs::Result<Self> {
        let (mut all, mut problems) = (Vec::new(), Vec::new());
        for (by, mapped) in map.news().filter(|(_, mapped)| mapped.found != Found::Interpreter) {
            let read = elf::references(&mapped.file.content.open()?, &mapped.object);
            let read = damaged(read, ProblemKind::Symbol, Severity::Warning, &mapped.spelled, &mut problems)?;
            all.extend(read.into_iter().flatten().map(|reference| (reference, by)));
        }
        all.sort_unstable();
        let mut wanted: Vec<Wanted> = Vec::new();
        for (reference, by) in all {
            match wanted.last_mut() {
                Some(last) if last.reference == reference => last.by.push(by),
                _ => wanted.push(Wanted { reference, by: vec![by] }),
            }
        }
        Ok(Self { wanted, problems })
    }
}
