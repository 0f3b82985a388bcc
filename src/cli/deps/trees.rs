//! Thousands of files in one process: files that see the same tree share what was read of it.

use std::collections::BTreeMap;
use std::rc::Rc;

use coracle_ld::closure::{Closure, Surroundings, Tracer};
use coracle_core::path::Spelled;
use coracle_core::file_system::Tree;
use coracle::{Error, Roots, View};

/// What files see, each with how many of them see it.
pub(super) struct Trees(BTreeMap<View, (Rc<dyn Tree>, usize)>);

/// Who traces them.
pub(super) struct Tracers<'a> {
    trees: &'a Trees,
    around: &'a Surroundings,
    known: BTreeMap<&'a View, Tracer<'a>>,
}

impl Trees {
    pub(super) fn new<'a>(roots: &Roots, views: impl Iterator<Item = &'a View>) -> Self {
        let mut trees = BTreeMap::new();
        for view in views {
            trees.entry(view.clone()).or_insert_with(|| (roots.tree(view), 0)).1 += 1;
        }
        Self(trees)
    }

    pub(super) fn tracers<'a>(&'a self, around: &'a Surroundings) -> Tracers<'a> {
        Tracers { trees: self, around, known: BTreeMap::new() }
    }
}

impl Tracers<'_> {
    /// Follows the file at `spelled` of a view that was there before. What was read is forgotten when one file alone sees
    /// the tree: there may be thousands of those.
    pub(super) fn trace(&mut self, view: &View, spelled: &Spelled) -> Result<Closure, Error> {
        let Some((view, (tree, files))) = self.trees.0.get_key_value(view) else {
            return Err(Error::NoRoot("/".into()));
        };
        let tracer = || Tracer::new(&**tree, self.around);
        Ok(match files {
            1 => tracer().trace(spelled)?,
            _ => self.known.entry(view).or_insert_with(tracer).trace(spelled)?,
        })
    }
}
