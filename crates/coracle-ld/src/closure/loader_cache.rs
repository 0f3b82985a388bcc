//! The loaders and the `ld.so.conf` of one file system, each read once.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::resolve_options::ResolveOptions;
use crate::elf::ElfObject;
use crate::ldso::ld_so_conf::{self, ConfDirectory};
use crate::ldso::{Dependent, HwcapsSelection, Loader, LoaderEnvironment};
use coracle_core::file_system::{FileSystem, FsFile};
use coracle_core::path::RawPath;

/// A file system with the loaders that were read from it.
pub(super) struct LoaderCache<'a> {
    pub(super) tree: &'a dyn FileSystem,
    pub(super) options: &'a ResolveOptions,
    /// Loaders by path and CPU level.
    loaders: RefCell<BTreeMap<(RawPath, HwcapsSelection), Rc<Loader>>>,
    /// The directories of `ld.so.conf`, read when a library is first missing.
    ld_so_conf: OnceCell<Vec<ConfDirectory>>,
}

impl<'a> LoaderCache<'a> {
    pub(super) fn new(tree: &'a dyn FileSystem, options: &'a ResolveOptions) -> Self {
        Self { tree, options, loaders: RefCell::default(), ld_so_conf: OnceCell::new() }
    }

    /// Reads the loader at `interpreter`, or returns it from the cache.
    pub(super) fn cached_loader(
        &self,
        interpreter: &RawPath,
        file: &FsFile,
        object: &ElfObject,
        hwcaps: &HwcapsSelection,
    ) -> Result<Rc<Loader>, crate::ldso::Error> {
        let key = (interpreter.clone(), hwcaps.clone());
        if let Some(loader) = self.loaders.borrow().get(&key) {
            return Ok(loader.clone());
        }
        let environment =
            LoaderEnvironment { hwcaps: hwcaps.clone(), ..self.options.loader_environment.clone() };
        let loader =
            Rc::new(Loader::read(self.tree, interpreter, &file.content.open()?, object, &environment)?);
        self.loaders.borrow_mut().insert(key, loader.clone());
        Ok(loader)
    }

    /// Returns the first directory of `ld.so.conf` with a file called `name` that the loader would
    /// accept.
    pub(super) fn find_in_ld_so_conf(
        &self,
        loader: &Loader,
        name: &[u8],
        dependent: &Dependent,
    ) -> Option<ConfDirectory> {
        if !loader.is_glibc() || name.contains(&b'/') {
            return None;
        }
        let has_library = |listed: &&ConfDirectory| {
            let path = RawPath::join_bytes(listed.directory.as_bytes(), name);
            let found = loader.find_library(self.tree, &self.options.working_dir, path.as_bytes(), dependent);
            // The result is only used for a hint, so errors are ignored.
            found.is_ok_and(|found| found.is_ok())
        };
        self.ld_so_conf
            .get_or_init(|| ld_so_conf::read_directories(self.tree))
            .iter()
            .find(has_library)
            .cloned()
    }
}
