//! Resolves files in one file system, and caches loaders and libraries between them.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::{
    Closure, Elf, Error, Executed, Found, Kind, LinkMap, Mapped, Opener, Surroundings, script,
    walker::{self, Walker},
};
use crate::elf::{Header, Object, Type};
use crate::ldso::conf::{self, Listed};
use crate::ldso::{Environment, Hwcaps, Loader, Requester};
use coracle_core::path::{ImagePath, Spelled};
use coracle_core::file_system::{self, End, Tree, TreeFile, Walk};

/// The nesting of scripts at which the kernel gives up (`exec_binprm`, `fs/exec.c`).
const MAX_SCRIPTS: usize = 5;

/// Resolves files in one file system with the same options.
pub struct Tracer<'a> {
    pub(super) tree: &'a dyn Tree,
    pub(super) around: &'a Surroundings,
    loaders: RefCell<BTreeMap<(Spelled, Hwcaps), Rc<Loader>>>,
    /// The walks of the last program's start by CPU level: the base of its `dlopen` calls.
    starts: RefCell<(Spelled, BTreeMap<Hwcaps, Walker>)>,
    /// The directories of `ld.so.conf`, read when a library is first missing.
    listed: OnceCell<Vec<Listed>>,
}

impl<'a> Tracer<'a> {
    /// Creates a tracer; nothing is read yet.
    pub fn new(tree: &'a dyn Tree, options: &'a Surroundings) -> Self {
        Self {
            tree,
            around: options,
            loaders: RefCell::default(),
            starts: RefCell::default(),
            listed: OnceCell::new(),
        }
    }

    /// Resolves `program`.
    ///
    /// # Errors
    /// Fails as [`Closure::resolve`] does.
    pub fn resolve(&self, program: &Spelled) -> Result<Closure, Error> {
        self.trace(program)?.startable()
    }

    /// Resolves `file` as far as possible. Missing libraries are recorded in its link maps. A
    /// shared library is mapped as if it were given to its loader as the program.
    ///
    /// # Errors
    /// Fails if `file` can't be read or its loader is not found.
    pub fn trace(&self, file: &Spelled) -> Result<Closure, Error> {
        let (tree, options) = (self.tree, self.around);
        let mut executed: Vec<Executed> = Vec::new();
        let mut next = vec![file.clone()];
        while let Some(spelled) = next.pop() {
            if executed.len() > MAX_SCRIPTS {
                return Err(Error::ScriptDepth(file.clone()));
            }
            let (path, file, walk) = locate(tree, &spelled, options, executed.last().map(|by| &by.spelled))?;
            let start = file.content.open()?.bytes_at(0, script::MAX_LINE)?;
            let kind = if start.starts_with(b"#!") {
                next.extend(script::interpreters(tree, &spelled, &start, options)?);
                Kind::Script
            } else {
                Kind::Elf(self.map(&read(&spelled, &walk, &path, &file)?)?)
            };
            executed.push(Executed { spelled, walk, path, file, kind });
        }
        Ok(Closure { executed })
    }

    fn map(&self, program: &Mapped) -> Result<Elf, Error> {
        let (objects, lesser) = self.variants(program, &[])?;
        Ok(Elf { machine: program.object.header.machine, objects, lesser, opened: Vec::new() })
    }

    /// Returns the link map after the start of `program` and the `dlopen` calls in `opened`: on the
    /// best CPU, then on older CPUs as far as it differs.
    pub(super) fn variants(
        &self,
        program: &Mapped,
        opened: &[(&Opener, &[u8])],
    ) -> Result<(Rc<LinkMap>, Vec<Rc<LinkMap>>), Error> {
        let with = |hwcaps: &Hwcaps| self.load(hwcaps, program, opened).map(Rc::new);
        let best = with(&self.around.loader.hwcaps)?;
        let mut lesser: Vec<Rc<LinkMap>> = Vec::new();
        if best.has_variants() {
            for level in best.loader.iter().flat_map(|loader| loader.lesser_hwcaps()) {
                let map = with(&level)?;
                let is_new = !std::iter::once(&best).chain(&lesser).any(|other| other.same_files(&map));
                lesser.extend(is_new.then_some(map));
            }
        }
        Ok((best, lesser))
    }

    /// Returns the link map after the start of `program` and the `dlopen` calls in `opened`, each
    /// based on the one before. It lists what the last call added.
    pub(super) fn load(
        &self,
        hwcaps: &Hwcaps,
        program: &Mapped,
        opened: &[(&Opener, &[u8])],
    ) -> Result<LinkMap, Error> {
        let Some(mut walker) = self.started(hwcaps, program)? else {
            return Ok(LinkMap::of_static(program.clone()));
        };
        for (by, name) in opened {
            walker.open(self, by, name)?;
        }
        Ok(walker.finish())
    }

    /// Returns the walk after the start of `program`, which is cached. `None` for a static program.
    fn started(&self, hwcaps: &Hwcaps, program: &Mapped) -> Result<Option<Walker>, Error> {
        let mut starts = self.starts.borrow_mut();
        if starts.0 != program.spelled {
            *starts = (program.spelled.clone(), BTreeMap::new());
        }
        if let Some(walker) = starts.1.get(hwcaps) {
            return Ok(Some(walker.clone()));
        }
        let walker = walker::start(self, hwcaps, program.clone())?;
        starts.1.extend(walker.clone().map(|walker| (hwcaps.clone(), walker)));
        Ok(walker)
    }

    /// Reads the loader at `interpreter`, or returns it from the cache.
    pub(super) fn loader(
        &self,
        interpreter: &Spelled,
        file: &TreeFile,
        object: &Object,
        hwcaps: &Hwcaps,
    ) -> Result<Rc<Loader>, crate::ldso::Error> {
        let key = (interpreter.clone(), hwcaps.clone());
        if let Some(loader) = self.loaders.borrow().get(&key) {
            return Ok(loader.clone());
        }
        let environment = Environment { hwcaps: hwcaps.clone(), ..self.around.loader.clone() };
        let loader =
            Rc::new(Loader::read(self.tree, interpreter, &file.content.open()?, object, &environment)?);
        self.loaders.borrow_mut().insert(key, loader.clone());
        Ok(loader)
    }

    /// Returns the first directory of `ld.so.conf` with a file called `name` that the loader would
    /// accept.
    pub(super) fn listed(&self, loader: &Loader, name: &[u8], requester: &Requester) -> Option<Listed> {
        if !loader.is_glibc() || name.contains(&b'/') {
            return None;
        }
        let would_take = |listed: &&Listed| {
            let path = Spelled::in_directory(listed.directory.as_bytes(), name);
            let found = loader.find(self.tree, &self.around.working_dir, path.as_bytes(), requester);
            // The result is only used for a hint, so errors are ignored.
            found.is_ok_and(|found| found.is_ok())
        };
        self.listed.get_or_init(|| conf::directories(self.tree)).iter().find(would_take).cloned()
    }
}

/// Resolves a path to an executed file. `wanted_by` is the script whose interpreter it is.
fn locate(
    tree: &dyn Tree,
    spelled: &Spelled,
    options: &Surroundings,
    wanted_by: Option<&Spelled>,
) -> Result<(ImagePath, TreeFile, Walk), Error> {
    let walk = file_system::walk(tree, &options.working_dir, spelled.as_bytes())?;
    let what = match &walk.end {
        End::File(path, file) => return Ok((path.clone(), file.clone(), walk)),
        End::Missing(_) if walk.steps.iter().any(|step| matches!(step, file_system::Step::Link { .. })) => {
            "it is a dangling link".into()
        }
        End::Missing(_) => "there is no such file".into(),
        End::Directory(_) => "it is a directory".into(),
        End::Special(_, kind) => format!("it is a {kind}"),
        End::NotDirectory(path) => format!("`{path}` is not a directory"),
        End::Loop => "its symbolic links form a loop".into(),
    };
    Err(match wanted_by {
        None => {
            Error::Program { program: spelled.clone(), what, elsewhere: elsewhere(tree, spelled, options)? }
        }
        Some(by) => Error::ScriptInterpreter {
            script: by.clone(),
            interpreter: spelled.clone(),
            why: what,
            by_env: false,
        },
    })
}

/// Returns the path of a program with the same name in `PATH`.
fn elsewhere(tree: &dyn Tree, spelled: &Spelled, options: &Surroundings) -> Result<Option<Spelled>, Error> {
    let found = script::look_up(tree, spelled.name(), options)?;
    Ok(found.filter(|found| found != spelled))
}

/// Returns an executed ELF program as the first object of a new link map.
pub(super) fn mapped(executed: &Executed) -> Result<Mapped, Error> {
    let Executed { spelled, walk, path, file, .. } = executed;
    read(spelled, walk, path, file)
}

/// Reads the ELF file at `path` as the first object of a link map.
fn read(spelled: &Spelled, walk: &Walk, path: &ImagePath, file: &TreeFile) -> Result<Mapped, Error> {
    let unsound = |source| Error::Elf { program: spelled.clone(), source };
    let reader = file.content.open()?;
    let header = Header::read(&reader).map_err(unsound)?;
    if matches!(header.kind, Type::Other(_)) {
        return Err(Error::NotExecutable { program: spelled.clone(), what: "an object file or a core dump" });
    }
    Ok(Mapped {
        object: Rc::new(Object::read_after(&reader, header).map_err(unsound)?),
        spelled: spelled.clone(),
        walk: walk.clone(),
        path: path.clone(),
        file: file.clone(),
        found: Found::Program,
    })
}
