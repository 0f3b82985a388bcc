//! Everything that starting a program opens: scripts, interpreters, and the objects that the loader maps.
//!
//! A [`Closure`] is what the kernel and the loader would do in a tree, with the rule behind every step. It knows
//! nothing of images. Source: `fs/binfmt_script.c`, `fs/binfmt_elf.c`, `elf/rtld.c`.

mod error;
mod link_map;
mod script;
mod walker;

use std::rc::Rc;

pub use error::Error;
pub use link_map::{Absence, Alias, Edge, Found, LinkMap, Mapped, Missing};

use crate::elf::{Header, Machine, Object, Type};
use crate::loader::{Environment, Hwcaps};
use crate::path::{ImagePath, Spelled};
use crate::tree::{self, End, Tree, TreeFile, Walk};

/// What starting one program takes.
#[derive(Clone, Debug)]
pub struct Closure {
    /// The files that are executed, the program first: a script, its interpreter, what `env` starts.
    pub executed: Vec<Executed>,
}

/// One file that is executed.
#[derive(Clone, Debug)]
pub struct Executed {
    /// As it was named.
    pub spelled: Spelled,
    /// How its path leads there.
    pub walk: Walk,
    /// Its own path.
    pub path: ImagePath,
    /// Its identity and content.
    pub file: TreeFile,
    /// What it is.
    pub kind: Kind,
}

/// The kinds of files that a kernel executes.
#[derive(Clone, Debug)]
pub enum Kind {
    /// `#!`, started by the next one executed.
    Script,
    /// An ELF program, with its interpreter and libraries.
    Elf(Elf),
}

/// An ELF program and what is mapped for it.
#[derive(Clone, Debug)]
pub struct Elf {
    /// What it was made for.
    pub machine: Machine,
    /// What is mapped on the best CPU: the best variant of every library.
    pub objects: Rc<LinkMap>,
    /// What lesser CPUs map, where that differs: down to the base.
    pub lesser: Vec<Rc<LinkMap>>,
}

impl Elf {
    /// What the best CPU maps, then what lesser ones map.
    pub fn maps(&self) -> impl Iterator<Item = &Rc<LinkMap>> {
        std::iter::once(&self.objects).chain(&self.lesser)
    }
}

/// What decides a closure besides the files. The host's own environment is never read.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Where relative paths start.
    pub working_dir: ImagePath,
    /// `PATH`, in which `env` looks up what a script wants.
    pub search_path: String,
    /// What the loader is told.
    pub loader: Environment,
}

/// `PATH` where nothing is said: what container engines set by themselves.
pub const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Default for Surroundings {
    fn default() -> Self {
        let loader = Environment::default();
        Self { working_dir: ImagePath::root(), search_path: SEARCH_PATH.into(), loader }
    }
}

/// Scripts that name scripts: the kernel gives up after this many (`exec_binprm`, `fs/exec.c`).
const MAX_SCRIPTS: usize = 5;

impl Closure {
    /// Follows `program` through `tree`; it can be started, and nothing is missing.
    ///
    /// # Errors
    /// When it can't be started: it, its interpreter or a library is missing or of the wrong kind. All missing
    /// libraries are in one error.
    pub fn resolve(tree: &dyn Tree, program: &Spelled, around: &Surroundings) -> Result<Self, Error> {
        let closure = Self::trace(tree, program, around)?;
        for executed in &closure.executed {
            if let Kind::Elf(elf) = &executed.kind
                && elf.objects.is_library()
            {
                return Err(Error::NotExecutable {
                    program: executed.spelled.clone(),
                    what: "a shared library",
                });
            }
        }
        let maps = closure.elves().map(|elf| elf.objects.clone());
        let incomplete: Vec<Rc<LinkMap>> = maps.filter(|map| map.is_incomplete()).collect();
        if incomplete.is_empty() { Ok(closure) } else { Err(Error::Missing(incomplete)) }
    }

    /// Follows `file` through `tree` as far as it leads: what is missing is listed, not an error, and a shared library
    /// is mapped as if a loader were given it as its program.
    ///
    /// # Errors
    /// When `file` can't be read, or no loader can be had for it.
    pub fn trace(tree: &dyn Tree, file: &Spelled, around: &Surroundings) -> Result<Self, Error> {
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
                let program = read(&spelled, &walk, &path, &file)?;
                Kind::Elf(map(tree, &program, around)?)
            };
            executed.push(Executed { spelled, walk, path, file, kind });
        }
        Ok(Self { executed })
    }

    /// The ELF programs among what is executed.
    pub fn elves(&self) -> impl Iterator<Item = &Elf> {
        self.executed.iter().filter_map(|executed| match &executed.kind {
            Kind::Elf(elf) => Some(elf),
            Kind::Script => None,
        })
    }

    /// Whether a script asks `env` for its interpreter, which then depends on `PATH`.
    pub fn asks_env(&self) -> bool {
        let mut pairs = self.executed.iter().zip(self.executed.iter().skip(1));
        pairs.any(|(by, next)| matches!(by.kind, Kind::Script) && next.spelled.name() == b"env")
    }
}

/// The file behind `spelled`.
fn locate(
    tree: &dyn Tree,
    spelled: &Spelled,
    around: &Surroundings,
    wanted_by: Option<&Spelled>,
) -> Result<(ImagePath, TreeFile, Walk), Error> {
    let walk = tree::walk(tree, &around.working_dir, spelled.as_bytes())?;
    let what = match &walk.end {
        End::File(path, file) => return Ok((path.clone(), file.clone(), walk)),
        End::Missing(_) if walk.steps.iter().any(|step| matches!(step, tree::Step::Link { .. })) => {
            "it is a link to nothing"
        }
        End::Missing(_) => "there is no such file",
        End::Directory(_) => "it is a directory",
        End::Special(_, kind) => kind,
        End::NotDirectory(_) => "a file stands where a directory should",
        End::Loop => "its links go round in a circle",
    };
    Err(match wanted_by {
        None => {
            Error::Program { program: spelled.clone(), what, elsewhere: elsewhere(tree, spelled, around)? }
        }
        Some(by) => {
            Error::Interpreter { program: by.clone(), interpreter: spelled.clone(), why: what.into() }
        }
    })
}

/// A program of the same name where shells look for it.
fn elsewhere(tree: &dyn Tree, spelled: &Spelled, around: &Surroundings) -> Result<Option<Spelled>, Error> {
    let found = script::look_up(tree, spelled.name(), around)?;
    Ok(found.filter(|found| found != spelled))
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
        object: Object::read_after(&reader, header).map_err(unsound)?,
        spelled: spelled.clone(),
        walk: walk.clone(),
        path: path.clone(),
        file: file.clone(),
        found: Found::Program,
    })
}

/// What is mapped for `program`: once when no library has variants for newer CPUs, else for every kind of CPU.
fn map(tree: &dyn Tree, program: &Mapped, around: &Surroundings) -> Result<Elf, Error> {
    let machine = program.object.header.machine;
    let with = |hwcaps: Hwcaps| {
        let mut around = around.clone();
        around.loader.hwcaps = hwcaps;
        walker::load(tree, &around, program.clone())
    };
    let objects = Rc::new(walker::load(tree, around, program.clone())?);
    let mut lesser: Vec<Rc<LinkMap>> = Vec::new();
    if objects.has_variants() {
        let known = objects.loader.iter().flat_map(|loader| loader.known_hwcaps());
        let levels = known.cloned().map(Hwcaps::UpTo).chain([Hwcaps::None]);
        for level in levels {
            let map = Rc::new(with(level)?);
            let is_new = !std::iter::once(&objects).chain(&lesser).any(|other| other.same_files(&map));
            lesser.extend(is_new.then_some(map));
        }
    }
    Ok(Elf { machine, objects, lesser })
}
