//! Follows files through one tree, and remembers loaders and libraries from one file to the next.

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

/// Scripts that name scripts: the kernel gives up after this many (`exec_binprm`, `fs/exec.c`).
const MAX_SCRIPTS: usize = 5;

/// One tree, seen by loaders in the same surroundings.
pub struct Tracer<'a> {
    pub(super) tree: &'a dyn Tree,
    pub(super) around: &'a Surroundings,
    loaders: RefCell<BTreeMap<(Spelled, Hwcaps), Rc<Loader>>>,
    /// The start of the program that was followed last, by kinds of CPU: what it opens is walked from there.
    starts: RefCell<(Spelled, BTreeMap<Hwcaps, Walker>)>,
    /// What `ld.so.conf` lists, once a library was missing.
    listed: OnceCell<Vec<Listed>>,
}

impl<'a> Tracer<'a> {
    /// Nothing is looked at yet.
    pub fn new(tree: &'a dyn Tree, around: &'a Surroundings) -> Self {
        Self {
            tree,
            around,
            loaders: RefCell::default(),
            starts: RefCell::default(),
            listed: OnceCell::new(),
        }
    }

    /// Follows `program`; it can be started, and nothing is missing.
    ///
    /// # Errors
    /// As [`Closure::resolve`].
    pub fn resolve(&self, program: &Spelled) -> Result<Closure, Error> {
        self.trace(program)?.startable()
    }

    /// Follows `file` as far as it leads: what is missing is listed, not an error, and a shared library is mapped as if
    /// a loader were given it as its program.
    ///
    /// # Errors
    /// When `file` can't be read, or no loader can be had for it.
    pub fn trace(&self, file: &Spelled) -> Result<Closure, Error> {
        let (tree, around) = (self.tree, self.around);
        let mut executed: Vec<Executed> = Vec::new();
        let mut next = vec![file.clone()];
        while let Some(spelled) = next.pop() {
            if executed.len() > MAX_SCRIPTS {
                return Err(Error::ScriptDepth(file.clone()));
            }
            let (path, file, walk) = locate(tree, &spelled, around, executed.last().map(|by| &by.spelled))?;
            let start = file.content.open()?.bytes_at(0, script::MAX_LINE)?;
            let kind = if start.starts_with(b"#!") {
                next.extend(script::interpreters(tree, &spelled, &start, around)?);
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

    /// What is mapped for `program`, then for what is `opened` in it: once when no library has variants for newer CPUs,
    /// else for every kind of CPU. The best CPU's map, then those that differ.
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

    /// What `program` maps at its start; then what each of `opened` brings, one on top of the other. The map is that of the
    /// last.
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

    /// The walk after the start of `program`, which is done once.
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

    /// The loader at `interpreter`, read once.
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

    /// The first directory of `ld.so.conf` with a file called `name` that the loader would take if its cache had it.
    pub(super) fn listed(&self, loader: &Loader, name: &[u8], requester: &Requester) -> Option<Listed> {
        if !loader.is_glibc() || name.contains(&b'/') {
            return None;
        }
        let would_take = |listed: &&Listed| {
            let path = Spelled::in_directory(listed.directory.as_bytes(), name);
            let found = loader.find(self.tree, &self.around.working_dir, path.as_bytes(), requester);
            // It is advice alone: what can't be read is none.
            found.is_ok_and(|found| found.is_ok())
        };
        self.listed.get_or_init(|| conf::directories(self.tree)).iter().find(would_take).cloned()
    }
}

/// The file behind `spelled`.
fn locate(
    tree: &dyn Tree,
    spelled: &Spelled,
    around: &Surroundings,
    wanted_by: Option<&Spelled>,
) -> Result<(ImagePath, TreeFile, Walk), Error> {
    let walk = file_system::walk(tree, &around.working_dir, spelled.as_bytes())?;
    let what = match &walk.end {
        End::File(path, file) => return Ok((path.clone(), file.clone(), walk)),
        End::Missing(_) if walk.steps.iter().any(|step| matches!(step, file_system::Step::Link { .. })) => {
            "it is a link to nothing".into()
        }
        End::Missing(_) => "there is no such file".into(),
        End::Directory(_) => "it is a directory".into(),
        End::Special(_, kind) => format!("it is a {kind}"),
        End::NotDirectory(path) => format!("`{path}` is no directory"),
        End::Loop => "its links go round in a circle".into(),
    };
    Err(match wanted_by {
        None => {
            Error::Program { program: spelled.clone(), what, elsewhere: elsewhere(tree, spelled, around)? }
        }
        Some(by) => Error::ScriptInterpreter {
            script: by.clone(),
            interpreter: spelled.clone(),
            why: what,
            by_env: false,
        },
    })
}

/// A program of the same name where shells look for it.
fn elsewhere(tree: &dyn Tree, spelled: &Spelled, around: &Surroundings) -> Result<Option<Spelled>, Error> {
    let found = script::look_up(tree, spelled.name(), around)?;
    Ok(found.filter(|found| found != spelled))
}

/// A program that was followed before, as the first object of another link map.
pub(super) fn mapped(executed: &Executed) -> Result<Mapped, Error> {
    let Executed { spelled, walk, path, file, .. } = executed;
    read(spelled, walk, path, file)
}

/// The ELF file at `path`, as the first object of a link map.
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
