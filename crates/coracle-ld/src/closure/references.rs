//! What the objects of a link map want of each other: every symbol once, with those that want it.

use super::problem::{Problem, ProblemKind, Severity, damaged};
use super::{Found, LinkMap};
use crate::elf::{self, Reference};
use coracle_core::fs;

/// What new objects of a link map want.
#[derive(Debug)]
pub struct References {
    /// Sorted by reference.
    pub wanted: Vec<Wanted>,
    /// Objects whose tables could not be followed.
    pub problems: Vec<Problem>,
}

/// A reference and the objects (by index) that have it.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What is wanted.
    pub reference: Reference,
    /// By whom.
    pub by: Vec<usize>,
}

impl References {
    /// Those of every new object but the loader, which binds itself.
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
