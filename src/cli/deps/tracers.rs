//! Resolves many files in one process: files with the same file system view share what was read.

use std::collections::BTreeMap;
use std::rc::Rc;

use coracle::Error;
use coracle::roots::{RootFileSystems, RootId};
use coracle_core::file_system::FileSystem;
use coracle_core::path::RawPath;
use coracle_ld::closure::{Closure, ResolveOptions, Resolver};

/// The file system views, each with the number of files that use it.
pub(super) struct FileSystems(BTreeMap<RootId, (Rc<dyn FileSystem>, usize)>);

/// The tracers of the views, made when needed.
pub(super) struct Tracers<'a> {
    file_systems: &'a FileSystems,
    options: &'a ResolveOptions,
    by_view: BTreeMap<&'a RootId, Resolver<'a>>,
}

impl FileSystems {
    pub(super) fn new<'a>(roots: &RootFileSystems, views: impl Iterator<Item = &'a RootId>) -> Self {
        let mut trees = BTreeMap::new();
        for view in views {
            trees.entry(view.clone()).or_insert_with(|| (roots.file_system(view), 0)).1 += 1;
        }
        Self(trees)
    }

    pub(super) fn tracers<'a>(&'a self, around: &'a ResolveOptions) -> Tracers<'a> {
        Tracers { file_systems: self, options: around, by_view: BTreeMap::new() }
    }
}

impl Tracers<'_> {
    /// Resolves the file at `spelled` in `view`, which must be one of those passed to
    /// [`Trees::new`]. If only one file uses the view, nothing is cached, because there may be
    /// thousands of such views.
    pub(super) fn trace(&mut self, view: &RootId, spelled: &RawPath) -> Result<Closure, Error> {
        let Some((view, (tree, files))) = self.file_systems.0.get_key_value(view) else {
            return Err(Error::RootNotDirectory("/".into()));
        };
        let tracer = || Resolver::new(&**tree, self.options);
        Ok(match files {
            1 => tracer().resolve_partial(spelled)?,
            _ => self.by_view.entry(view).or_insert_with(tracer).resolve_partial(spelled)?,
        })
    }
}
