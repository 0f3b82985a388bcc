//! Resolves files in one file system, and caches loaders and libraries between them.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::{
    Closure, DlopenCaller, ElfProgram, Error, ExecutedFile, ExecutedKind, LinkMap, MapReason, MappedObject,
    ResolveOptions, script,
    walker::{self, Walker},
};
use crate::elf::{ElfObject, ElfType, Header};
use crate::ldso::ld_so_conf::{self, ConfDirectory};
use crate::ldso::{Dependent, HwcapsSelection, Loader, LoaderEnvironment};
use coracle_core::file_system::{self, FileSystem, FsFile, PathResolution, ResolutionEnd};
use coracle_core::path::{ImagePath, RawPath};

/// The nesting of scripts at which the kernel gives up (`exec_binprm`, `fs/exec.c`).
const MAX_NESTED_SCRIPTS: usize = 5;

/// Resolves files in one file system with the same options.
pub struct Resolver<'a> {
    pub(super) tree: &'a dyn FileSystem,
    pub(super) options: &'a ResolveOptions,
    loaders: RefCell<BTreeMap<(RawPath, HwcapsSelection), Rc<Loader>>>,
    /// The walks of the last program's start by CPU level: the base of its `dlopen` calls.
    start_walks: RefCell<(RawPath, BTreeMap<HwcapsSelection, Walker>)>,
    /// The directories of `ld.so.conf`, read when a library is first missing.
    ld_so_conf: OnceCell<Vec<ConfDirectory>>,
}

impl<'a> Resolver<'a> {
    /// Creates a tracer; nothing is read yet.
    pub fn new(tree: &'a dyn FileSystem, options: &'a ResolveOptions) -> Self {
        Self {
            tree,
            options,
            loaders: RefCell::default(),
            start_walks: RefCell::default(),
            ld_so_conf: OnceCell::new(),
        }
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
        let (tree, options) = (self.tree, self.options);
        let mut executed: Vec<ExecutedFile> = Vec::new();
        let mut next = vec![file.clone()];
        while let Some(spelled) = next.pop() {
            if executed.len() > MAX_NESTED_SCRIPTS {
                return Err(Error::ScriptsNestedTooDeep(file.clone()));
            }
            let (path, file, walk) =
                locate_executed(tree, &spelled, options, executed.last().map(|by| &by.raw_path))?;
            let start = file.content.open()?.read_bytes_at(0, script::SCRIPT_HEADER_SIZE)?;
            let kind = if start.starts_with(b"#!") {
                next.extend(script::script_interpreters(tree, &spelled, &start, options)?);
                ExecutedKind::Script
            } else {
                ExecutedKind::Elf(self.map_program(&read_program(&spelled, &walk, &path, &file)?)?)
            };
            executed.push(ExecutedFile { raw_path: spelled, walk, path, file, kind });
        }
        Ok(Closure { executed })
    }

    fn map_program(&self, program: &MappedObject) -> Result<ElfProgram, Error> {
        let (objects, lesser) = self.link_maps(program, &[])?;
        Ok(ElfProgram {
            machine: program.object.header.machine,
            link_map: objects,
            older_cpu_maps: lesser,
            dlopened: Vec::new(),
        })
    }

    /// Returns the link map after the start of `program` and the `dlopen` calls in `opened`: on the
    /// best CPU, then on older CPUs as far as it differs.
    pub(super) fn link_maps(
        &self,
        program: &MappedObject,
        opened: &[(&DlopenCaller, &[u8])],
    ) -> Result<(Rc<LinkMap>, Vec<Rc<LinkMap>>), Error> {
        let with = |hwcaps: &HwcapsSelection| self.link_map(hwcaps, program, opened).map(Rc::new);
        let best = with(&self.options.loader_environment.hwcaps)?;
        let mut lesser: Vec<Rc<LinkMap>> = Vec::new();
        if best.is_cpu_dependent() {
            for level in best.loader.iter().flat_map(|loader| loader.lower_hwcaps()) {
                let map = with(&level)?;
                let is_new = !std::iter::once(&best).chain(&lesser).any(|other| other.has_same_paths(&map));
                lesser.extend(is_new.then_some(map));
            }
        }
        Ok((best, lesser))
    }

    /// Returns the link map after the start of `program` and the `dlopen` calls in `opened`, each
    /// based on the one before. It lists what the last call added.
    pub(super) fn link_map(
        &self,
        hwcaps: &HwcapsSelection,
        program: &MappedObject,
        opened: &[(&DlopenCaller, &[u8])],
    ) -> Result<LinkMap, Error> {
        let Some(mut walker) = self.start_walk(hwcaps, program)? else {
            return Ok(LinkMap::new_static(program.clone()));
        };
        for (by, name) in opened {
            walker.dlopen(self, by, name)?;
        }
        Ok(walker.into_link_map())
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
        let walker = walker::start_walk(self, hwcaps, program.clone())?;
        starts.1.extend(walker.clone().map(|walker| (hwcaps.clone(), walker)));
        Ok(walker)
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
        requester: &Dependent,
    ) -> Option<ConfDirectory> {
        if !loader.is_glibc() || name.contains(&b'/') {
            return None;
        }
        let would_take = |listed: &&ConfDirectory| {
            let path = RawPath::join_bytes(listed.directory.as_bytes(), name);
            let found = loader.find_library(self.tree, &self.options.working_dir, path.as_bytes(), requester);
            // The result is only used for a hint, so errors are ignored.
            found.is_ok_and(|found| found.is_ok())
        };
        self.ld_so_conf
            .get_or_init(|| ld_so_conf::read_directories(self.tree))
            .iter()
            .find(would_take)
            .cloned()
    }
}

/// Resolves a path to an executed file. `wanted_by` is the script whose interpreter it is.
fn locate_executed(
    tree: &dyn FileSystem,
    spelled: &RawPath,
    options: &ResolveOptions,
    wanted_by: Option<&RawPath>,
) -> Result<(ImagePath, FsFile, PathResolution), Error> {
    let walk = file_system::resolve_path(tree, &options.working_dir, spelled.as_bytes())?;
    let what = match &walk.end {
        ResolutionEnd::File(path, file) => return Ok((path.clone(), file.clone(), walk)),
        ResolutionEnd::Missing(_)
            if walk.steps.iter().any(|step| matches!(step, file_system::ResolutionStep::Link { .. })) =>
        {
            "it is a dangling link".into()
        }
        ResolutionEnd::Missing(_) => "there is no such file".into(),
        ResolutionEnd::Directory(_) => "it is a directory".into(),
        ResolutionEnd::Special(_, kind) => format!("it is a {kind}"),
        ResolutionEnd::NotDirectory(path) => format!("`{path}` is not a directory"),
        ResolutionEnd::TooManyLinks => "its symbolic links form a loop".into(),
    };
    Err(match wanted_by {
        None => Error::UnusableProgram {
            program: spelled.clone(),
            reason: what,
            found_in_path: find_same_name_in_path(tree, spelled, options)?,
        },
        Some(by) => Error::MissingScriptInterpreter {
            script: by.clone(),
            interpreter: spelled.clone(),
            why: what,
            is_env_lookup: false,
        },
    })
}

/// Returns the path of a program with the same name in `PATH`.
fn find_same_name_in_path(
    tree: &dyn FileSystem,
    spelled: &RawPath,
    options: &ResolveOptions,
) -> Result<Option<RawPath>, Error> {
    let found = script::find_in_search_path(tree, spelled.file_name(), options)?;
    Ok(found.filter(|found| found != spelled))
}

/// Returns an executed ELF program as the first object of a new link map.
pub(super) fn reread_program(executed: &ExecutedFile) -> Result<MappedObject, Error> {
    let ExecutedFile { raw_path: spelled, walk, path, file, .. } = executed;
    read_program(spelled, walk, path, file)
}

/// Reads the ELF file at `path` as the first object of a link map.
fn read_program(
    spelled: &RawPath,
    walk: &PathResolution,
    path: &ImagePath,
    file: &FsFile,
) -> Result<MappedObject, Error> {
    let unsound = |source| Error::InvalidElf { program: spelled.clone(), source };
    let reader = file.content.open()?;
    let header = Header::read(&reader).map_err(unsound)?;
    if matches!(header.elf_type, ElfType::Other(_)) {
        return Err(Error::NotExecutable {
            program: spelled.clone(),
            file_kind: "an object file or a core dump",
        });
    }
    Ok(MappedObject {
        object: Rc::new(ElfObject::read_with_header(&reader, header).map_err(unsound)?),
        raw_path: spelled.clone(),
        walk: walk.clone(),
        path: path.clone(),
        file: file.clone(),
        reason: MapReason::Program,
    })
}
