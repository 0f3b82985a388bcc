//! Resolves files in one file system as the kernel and the loader would start them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::dlopen_request::DlopenCaller;
use super::error::{Error, IS_DIRECTORY};
use super::executed_file::{Closure, ElfProgram, ExecutedFile, ExecutedKind};
use super::interpreter::LoaderCache;
use super::link_map::{LinkMap, MapReason, MappedObject};
use super::resolve_options::ResolveOptions;
use super::shebang;
use super::walker::{self, Walker};
use crate::elf::{self, ElfObject, ElfType, Header};
use crate::ldso::HwcapsSelection;
use coracle_core::file_system::{self, FileSystem, FsFile, PathResolution, ResolutionEnd};
use coracle_core::path::{ImagePath, RawPath};

/// The nesting of scripts at which the kernel gives up (`exec_binprm`, `fs/exec.c`).
const MAX_NESTED_SCRIPTS: usize = 5;

/// The link map on the best CPU, and the link maps on older CPUs that differ from it.
type LinkMapsByCpu = (Rc<LinkMap>, Vec<Rc<LinkMap>>);

/// Resolves files in one file system with the same options.
pub struct Resolver<'a> {
    loaders: LoaderCache<'a>,
    /// The walks of the last program's start, by CPU level. Walks for its `dlopen` calls continue
    /// from them.
    start_walks: RefCell<(RawPath, BTreeMap<HwcapsSelection, Walker>)>,
}

impl<'a> Resolver<'a> {
    /// Creates a resolver; nothing is read yet.
    pub fn new(tree: &'a dyn FileSystem, options: &'a ResolveOptions) -> Self {
        Self { loaders: LoaderCache::new(tree, options), start_walks: RefCell::default() }
    }

    /// Returns the CPU level for which libraries are selected.
    pub(super) fn selected_hwcaps(&self) -> &'a HwcapsSelection {
        &self.loaders.options.loader_environment.hwcaps
    }

    /// Resolves `program`.
    ///
    /// # Errors
    /// Fails as [`Closure::resolve`] does.
    pub fn resolve(&self, program: &RawPath) -> Result<Closure, Error> {
        self.resolve_partial(program)?.require_startable()
    }

    /// Resolves `file` as far as possible. Missing libraries are recorded in its link maps. A
    /// shared library is mapped as if it were given to its loader as the program.
    ///
    /// # Errors
    /// Fails if `file` can't be read or its loader is not found.
    pub fn resolve_partial(&self, file: &RawPath) -> Result<Closure, Error> {
        let (tree, options) = (self.loaders.tree, self.loaders.options);
        let mut executed: Vec<ExecutedFile> = Vec::new();
        let mut next = vec![file.clone()];
        while let Some(raw_path) = next.pop() {
            if executed.len() > MAX_NESTED_SCRIPTS {
                return Err(Error::ScriptsNestedTooDeep(file.clone()));
            }
            let (path, file, walk) =
                locate_executed(tree, &raw_path, options, executed.last().map(|by| &by.raw_path))?;
            let start = file.content.open()?.read_bytes_at(0, shebang::SCRIPT_HEADER_SIZE)?;
            let kind = if start.starts_with(b"#!") {
                next.extend(shebang::script_interpreters(tree, &raw_path, &start, options)?);
                ExecutedKind::Script
            } else {
                ExecutedKind::Elf(self.map_program(&read_program(&raw_path, &walk, &path, &file)?)?)
            };
            executed.push(ExecutedFile { raw_path, walk, path, file, kind });
        }
        Ok(Closure { executed })
    }

    /// Returns the link maps after the start of `program`.
    fn map_program(&self, program: &MappedObject) -> Result<ElfProgram, Error> {
        let maps = self.link_maps(program, &[])?;
        let (link_map, older_cpu_maps) = maps.ok_or(Error::Internal("a program has no link map"))?;
        let machine = program.object.header.machine;
        Ok(ElfProgram { machine, link_map, older_cpu_maps, dlopened: Vec::new() })
    }

    /// Returns the link map after the start of `program` and the `dlopen` calls in `calls`: on the
    /// best CPU, then on older CPUs as far as it differs. `None` if the caller in one of the calls
    /// is not mapped on the best CPU. Older CPUs on which a caller is not mapped are left out.
    pub(super) fn link_maps(
        &self,
        program: &MappedObject,
        calls: &[(&DlopenCaller, &[u8])],
    ) -> Result<Option<LinkMapsByCpu>, Error> {
        let map_for =
            |hwcaps: &HwcapsSelection| self.link_map(hwcaps, program, calls).map(|map| map.map(Rc::new));
        let Some(best) = map_for(self.selected_hwcaps())? else { return Ok(None) };
        let mut older: Vec<Rc<LinkMap>> = Vec::new();
        if best.is_cpu_dependent() {
            for level in best.loader.iter().flat_map(|loader| loader.lower_hwcaps()) {
                let Some(map) = map_for(&level)? else { continue };
                let is_new = !std::iter::once(&best).chain(&older).any(|other| other.has_same_paths(&map));
                older.extend(is_new.then_some(map));
            }
        }
        Ok(Some((best, older)))
    }

    /// Returns the link map after the start of `program` and the `dlopen` calls in `calls`, each
    /// call after the one before it. The map lists the objects that the last call added. `None` if
    /// the caller in one of the calls is not mapped.
    pub(super) fn link_map(
        &self,
        hwcaps: &HwcapsSelection,
        program: &MappedObject,
        calls: &[(&DlopenCaller, &[u8])],
    ) -> Result<Option<LinkMap>, Error> {
        let start = match calls.first() {
            Some((DlopenCaller::Audit, _)) => {
                walker::start_audit_walk(&self.loaders, hwcaps, program.clone())?
            }
            _ => self.start_walk(hwcaps, program)?,
        };
        let Some(mut walker) = start else {
            return Ok(Some(LinkMap::new_static(program.clone())));
        };
        for (caller, name) in calls {
            let Some(caller) = walker.caller_index(caller) else { return Ok(None) };
            walker.dlopen(&self.loaders, caller, name)?;
        }
        walker.into_link_map().map(Some)
    }

    /// Returns the walk after the start of `program`, which is cached. `None` for a static program.
    fn start_walk(&self, hwcaps: &HwcapsSelection, program: &MappedObject) -> Result<Option<Walker>, Error> {
        let mut starts = self.start_walks.borrow_mut();
        if starts.0 != program.raw_path {
            *starts = (program.raw_path.clone(), BTreeMap::new());
        }
        if let Some(walker) = starts.1.get(hwcaps) {
            return Ok(Some(walker.clone()));
        }
        let walker = walker::start_walk(&self.loaders, hwcaps, program.clone())?;
        starts.1.extend(walker.clone().map(|walker| (hwcaps.clone(), walker)));
        Ok(walker)
    }
}

/// Resolves a path to an executed file. `script` is the script whose interpreter it is.
fn locate_executed(
    tree: &dyn FileSystem,
    raw_path: &RawPath,
    options: &ResolveOptions,
    script: Option<&RawPath>,
) -> Result<(ImagePath, FsFile, PathResolution), Error> {
    let walk = file_system::resolve_path(tree, &options.working_dir, raw_path.as_bytes())?;
    let reason = match &walk.end {
        ResolutionEnd::File(path, file) => return Ok((path.clone(), file.clone(), walk)),
        ResolutionEnd::Missing(_)
            if walk.steps.iter().any(|step| matches!(step, file_system::ResolutionStep::Link { .. })) =>
        {
            "it is a dangling link".into()
        }
        ResolutionEnd::Missing(_) => "there is no such file".into(),
        ResolutionEnd::Directory(_) => IS_DIRECTORY.into(),
        ResolutionEnd::Special(_, kind) => format!("it is a {kind}"),
        ResolutionEnd::NotDirectory(path) => format!("`{path}` is not a directory"),
        ResolutionEnd::TooManyLinks => "its symbolic links form a loop".into(),
    };
    Err(match script {
        None => Error::UnusableProgram {
            program: raw_path.clone(),
            reason,
            found_in_path: find_same_name_in_path(tree, raw_path, options)?,
        },
        Some(script) => Error::MissingScriptInterpreter {
            script: script.clone(),
            interpreter: raw_path.clone(),
            why: reason,
            is_env_lookup: false,
        },
    })
}

/// Returns the path of a program with the same name in `PATH`.
fn find_same_name_in_path(
    tree: &dyn FileSystem,
    raw_path: &RawPath,
    options: &ResolveOptions,
) -> Result<Option<RawPath>, Error> {
    let found = shebang::find_in_path_variable(tree, raw_path.file_name(), options)?;
    Ok(found.filter(|found| found != raw_path))
}

/// Reads an executed ELF program again, as the first object of a new link map.
pub(super) fn reread_program(executed: &ExecutedFile) -> Result<MappedObject, Error> {
    let ExecutedFile { raw_path, walk, path, file, .. } = executed;
    read_program(raw_path, walk, path, file)
}

/// Reads the ELF file at `path` as the first object of a link map.
fn read_program(
    raw_path: &RawPath,
    walk: &PathResolution,
    path: &ImagePath,
    file: &FsFile,
) -> Result<MappedObject, Error> {
    let invalid = |source| match source {
        elf::Error::Io(error) => Error::Io(error),
        source => Error::InvalidElf { program: raw_path.clone(), source },
    };
    let reader = file.content.open()?;
    let header = Header::read(&reader).map_err(invalid)?;
    if matches!(header.elf_type, ElfType::Other(_)) {
        return Err(Error::NotExecutable {
            program: raw_path.clone(),
            file_kind: "an object file or a core dump",
        });
    }
    Ok(MappedObject {
        object: Rc::new(ElfObject::read_with_header(&reader, header).map_err(invalid)?),
        raw_path: raw_path.clone(),
        walk: walk.clone(),
        path: path.clone(),
        file: file.clone(),
        reason: MapReason::Program,
    })
}
