//! Finds and reads the dynamic loaders of programs. Each loader and `ld.so.conf` are read once per file
//! system.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::error::Error;
use super::link_map::{MapReason, MappedObject};
use super::resolve_options::ResolveOptions;
use crate::elf::ElfObject;
use crate::ldso::ld_so_conf::{self, ConfDirectory};
use crate::ldso::{
    self, Dependent, FoundLibrary, HwcapsSelection, Loader, LoaderEnvironment, SearchRule,
    default_interpreters,
};
use coracle_core::file_system::{self, FileSystem, FsFile, ResolutionEnd};
use coracle_core::fs;
use coracle_core::path::{ImagePath, RawPath};

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
    pub(super) fn read_or_reuse_loader(
        &self,
        interpreter: &RawPath,
        file: &FsFile,
        object: &ElfObject,
        hwcaps: &HwcapsSelection,
    ) -> Result<Rc<Loader>, ldso::Error> {
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

    /// Returns the library called `name` in a directory of `ld.so.conf`, if the image adds the
    /// library or the configuration file. The library counts as found in the cache, because the
    /// image gets a cache with an entry for it.
    pub(super) fn find_library_for_new_cache(
        &self,
        loader: &Loader,
        listed: Option<&ConfDirectory>,
        name: &[u8],
        dependent: &Dependent,
    ) -> fs::Result<Option<FoundLibrary>> {
        let Some(listed) = listed.filter(|_| !self.options.added_files.is_empty()) else {
            return Ok(None);
        };
        let path = RawPath::join_bytes(listed.directory.as_bytes(), name);
        let found = loader.find_library(self.tree, &self.options.working_dir, path.as_bytes(), dependent)?;
        let is_new = |path: &ImagePath| self.options.added_files.contains(path);
        let is_listed_by_new = ImagePath::parse(listed.listed_in.as_bytes()).is_ok_and(|path| is_new(&path));
        let found = found.ok().filter(|found| is_listed_by_new || is_new(&found.candidate.path));
        Ok(found.map(|found| FoundLibrary { rule: SearchRule::Cache, ..found }))
    }
}

/// Returns the loader as an object of the link map, and as a parsed loader.
///
/// The path is `PT_INTERP`, unchanged; for a library without one, the usual loader of its machine.
/// `None` for a static program.
pub(super) fn read_interpreter(
    loaders: &LoaderCache<'_>,
    hwcaps: &HwcapsSelection,
    program: &MappedObject,
) -> Result<Option<(MappedObject, Rc<Loader>)>, Error> {
    let (tree, options) = (loaders.tree, loaders.options);
    let object = &program.object;
    let raw_path = match &object.interpreter {
        Some(interpreter) => interpreter.clone(),
        None if object.dynamic.dependencies.is_empty() => return Ok(None),
        None => find_default_interpreter(tree, options, program)?,
    };
    let (wanted, program) = (object.header.machine, program.raw_path.clone());
    let walk = file_system::resolve_path(tree, &options.working_dir, raw_path.as_bytes())?;
    let ResolutionEnd::File(path, file) = walk.end.clone() else {
        let why = match wanted.platform() {
            Some(platform) => format!("there is no such file; the program is for {platform}"),
            None => "there is no such file".into(),
        };
        return Err(Error::MissingInterpreter { program, interpreter: raw_path, why, wanted });
    };
    let unreadable = |source| match source {
        ldso::Error::Io(error) => Error::Io(error),
        source => Error::InvalidLoader { program: program.clone(), interpreter: raw_path.clone(), source },
    };
    let reader = file.content.open()?;
    let object = Rc::new(ElfObject::read(&reader).map_err(|e| unreadable(e.into()))?);
    let found = object.header.machine;
    if !found.has_same_architecture(wanted) {
        return Err(Error::InterpreterMachineMismatch { program, interpreter: raw_path, found, wanted });
    }
    let loader = loaders.read_or_reuse_loader(&raw_path, &file, &object, hwcaps).map_err(unreadable)?;
    Ok(Some((MappedObject { raw_path, walk, path, file, object, reason: MapReason::Interpreter }, loader)))
}

/// Returns the first default loader of the library's machine that exists.
fn find_default_interpreter(
    tree: &dyn FileSystem,
    options: &ResolveOptions,
    library: &MappedObject,
) -> Result<RawPath, Error> {
    let default_paths = default_interpreters(&library.object);
    for path in &default_paths {
        if matches!(
            file_system::resolve_path(tree, &options.working_dir, path.as_bytes())?.end,
            ResolutionEnd::File(..)
        ) {
            return Ok(path.clone());
        }
    }
    let (program, wanted) = (library.raw_path.clone(), library.object.header.machine);
    let Some(interpreter) = default_paths.into_iter().next() else {
        return Err(Error::UnknownLoader { library: program, machine: wanted });
    };
    let why = format!("there is no loader for {wanted}");
    Err(Error::MissingInterpreter { program, interpreter, why, wanted })
}
