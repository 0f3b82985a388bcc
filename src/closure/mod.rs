//! Everything that starting a program opens: scripts, interpreters, and the objects that the loader maps.
//!
//! A [`Closure`] is what the kernel and the loader would do in a tree, with the rule behind every step. It knows
//! nothing of images. Source: `fs/binfmt_script.c`, `fs/binfmt_elf.c`, `elf/rtld.c`.

mod error;
mod link_map;
mod problem;
mod script;
pub mod symbols;
pub mod versions;

use std::rc::Rc;

pub use error::{Error, Missing};
pub use link_map::{Edge, Found, LinkMap, Mapped};
pub use problem::{Problem, ProblemKind, Severity};

use crate::elf::{Header, Machine, Type};
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
    Elf {
        /// What it was made for.
        machine: Machine,
        /// Itself, then what is mapped for it; without interpreter there is nothing else.
        objects: Rc<LinkMap>,
    },
}

/// Where names lead.
#[derive(Clone, Debug)]
pub struct Surroundings<'a> {
    /// Where relative paths start.
    pub working_dir: &'a ImagePath,
    /// `PATH`, in which `env` looks up what a script wants.
    pub search_path: &'a str,
}

/// Scripts that name scripts: the kernel gives up after this many (`exec_binprm`, `fs/exec.c`).
const MAX_SCRIPTS: usize = 5;

impl Closure {
    /// Follows `program` through `tree`.
    ///
    /// # Errors
    /// When it can't be started: it, its interpreter or a library is missing or of the wrong kind. All missing
    /// libraries are in one error.
    pub fn resolve(tree: &dyn Tree, program: &Spelled, around: &Surroundings<'_>) -> Result<Self, Error> {
        let mut executed: Vec<Executed> = Vec::new();
        let mut next = vec![program.clone()];
        while let Some(spelled) = next.pop() {
            if executed.len() > MAX_SCRIPTS {
                return Err(Error::ScriptDepth(program.clone()));
            }
            let (path, file, walk) = locate(tree, &spelled, around, executed.last().map(|by| &by.spelled))?;
            let reader = file.content.open()?;
            let start = reader.bytes_at(0, script::MAX_LINE)?;
            let kind = if start.starts_with(b"#!") {
                next.extend(script::interpreters(tree, &spelled, &start, around)?);
                Kind::Script
            } else {
                let (machine, objects) = elf(tree, &spelled, &walk, &path, &file, around)?;
                Kind::Elf { machine, objects }
            };
            executed.push(Executed { spelled, walk, path, file, kind });
        }
        let closure = Self { executed };
        closure.check_missing()?;
        Ok(closure)
    }

    /// Whether a script asks `env` for its interpreter, which then depends on `PATH`.
    pub fn asks_env(&self) -> bool {
        let pairs = self.executed.iter().zip(self.executed.iter().skip(1));
        pairs.into_iter().any(|(by, next)| matches!(by.kind, Kind::Script) && next.spelled.name() == b"env")
    }

    /// Every missing library of every program, in one error.
    fn check_missing(&self) -> Result<(), Error> {
        let maps = self.executed.iter().filter_map(|executed| match &executed.kind {
            Kind::Elf { objects, .. } => Some(objects.clone()),
            Kind::Script => None,
        });
        let incomplete: Vec<Rc<LinkMap>> = maps.filter(|map| !map.missing.is_empty()).collect();
        if incomplete.is_empty() { Ok(()) } else { Err(Error::Missing(incomplete)) }
    }
}

/// The file behind `spelled`.
fn locate(
    tree: &dyn Tree,
    spelled: &Spelled,
    around: &Surroundings<'_>,
    wanted_by: Option<&Spelled>,
) -> Result<(ImagePath, TreeFile, Walk), Error> {
    let walk = tree::walk(tree, around.working_dir, spelled.as_bytes())?;
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
fn elsewhere(
    tree: &dyn Tree,
    spelled: &Spelled,
    around: &Surroundings<'_>,
) -> Result<Option<Spelled>, Error> {
    let found = script::look_up(tree, spelled.name(), around)?;
    Ok(found.filter(|found| found != spelled))
}

/// The objects of the ELF program at `path`.
fn elf(
    tree: &dyn Tree,
    spelled: &Spelled,
    walk: &Walk,
    path: &ImagePath,
    file: &TreeFile,
    around: &Surroundings<'_>,
) -> Result<(Machine, Rc<LinkMap>), Error> {
    let unsound = |source| Error::Elf { program: spelled.clone(), source };
    let reader = file.content.open()?;
    let header = Header::read(&reader).map_err(unsound)?;
    if matches!(header.kind, Type::Other(_)) {
        return Err(Error::NotExecutable { program: spelled.clone(), what: "an object file or a core dump" });
    }
    let object = crate::elf::Object::read_after(&reader, header).map_err(unsound)?;
    let library = object.interpreter.is_none() && object.dynamic.needed().next().is_some();
    if library || object.interpreter.is_none() && !object.header.has_entry {
        return Err(Error::NotExecutable { program: spelled.clone(), what: "a shared library" });
    }
    let machine = object.header.machine;
    let program = Mapped {
        spelled: spelled.clone(),
        walk: walk.clone(),
        path: path.clone(),
        file: file.clone(),
        object,
        found: Found::Program,
    };
    Ok((machine, Rc::new(LinkMap::load(tree, around.working_dir, program)?)))
}
