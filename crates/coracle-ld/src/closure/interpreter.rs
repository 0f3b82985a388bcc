//! Finds and reads a program's dynamic loader.

use std::rc::Rc;

use super::error::Error;
use super::link_map::{MapReason, MappedObject};
use super::loader_cache::LoaderCache;
use super::resolve_options::ResolveOptions;
use crate::elf;
use crate::ldso::{HwcapsSelection, Loader, default_interpreters};
use coracle_core::file_system::{self, FileSystem, ResolutionEnd};
use coracle_core::path::RawPath;

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
    let unreadable =
        |source| Error::InvalidLoader { program: program.clone(), interpreter: raw_path.clone(), source };
    let reader = file.content.open()?;
    let object = Rc::new(elf::ElfObject::read(&reader).map_err(|e| unreadable(e.into()))?);
    let found = object.header.machine;
    if !found.has_same_architecture(wanted) {
        return Err(Error::InterpreterMachineMismatch { program, interpreter: raw_path, found, wanted });
    }
    let loader = loaders.cached_loader(&raw_path, &file, &object, hwcaps).map_err(unreadable)?;
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
