//! Resolves many files in one process: files with the same file system view share what was read.

use std::collections::BTreeMap;
use std::rc::Rc;

use coracle_ld::closure::{Closure, Surroundings, Tracer};
use coracle_core::path::Spelled;
use coracle_core::file_system::Tree;
use coracle::{Error, Roots, View};

/// The file system views, each with the number of files that use it.
pub(super) struct Trees(BTreeMap<View, (Rc<dyn Tree>, usize)>);

/// The tracers of the views, made when needed.
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
    /// Resolves the file at `spelled` in `view`, which must be one of those passed to
    /// [`Trees::new`]. If only one file uses the view, nothing is cached, because there may be
    /// thousands of such views.
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
