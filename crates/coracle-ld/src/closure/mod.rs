//! Everything that starting a program opens: scripts, interpreters, and the objects that the loader maps.
//!
//! A [`Closure`] is what the kernel and the loader would do in a tree, with the rule behind every step. It knows
//! nothing of images. Source: `fs/binfmt_script.c`, `fs/binfmt_elf.c`, `elf/rtld.c`.

pub mod circumstances;
mod error;
mod interpreter;
pub mod isa;
mod link_map;
pub mod mixed;
mod opened;
mod problem;
mod references;
mod script;
pub mod symbols;
mod tracer;
pub mod versions;
mod walker;

use std::rc::Rc;

pub use error::Error;
pub use link_map::{Absence, Alias, Edge, Found, LinkMap, Mapped, Missing};
pub use opened::{NotOpened, Opened, Opener, Opening};
pub use problem::{Problem, ProblemKind, Severity};
pub use references::{References, Wanted};
pub use tracer::Tracer;

use crate::elf::Machine;
use crate::ldso::Environment;
use coracle_core::path::{ImagePath, Spelled};
use coracle_core::file_system::{Tree, TreeFile, Walk};

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
    /// What is opened while it runs, as far as that is known: see [`Tracer::open`].
    pub opened: Vec<Opened>,
}

impl Elf {
    /// What the best CPU maps at the start, then what lesser ones map, then what is mapped when something is opened.
    pub fn maps(&self) -> impl Iterator<Item = &Rc<LinkMap>> {
        let opened = self.opened.iter().flat_map(|opened| &opened.maps);
        std::iter::once(&self.objects).chain(&self.lesser).chain(opened)
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

impl Closure {
    /// Follows `program` through `tree`; it can be started, and nothing is missing.
    ///
    /// # Errors
    /// When it can't be started: it, its interpreter or a library is missing or of the wrong kind. All missing
    /// libraries are in one error.
    pub fn resolve(tree: &dyn Tree, program: &Spelled, around: &Surroundings) -> Result<Self, Error> {
        Self::trace(tree, program, around)?.startable()
    }

    /// Follows `file` through `tree` as far as it leads, see [`Tracer::trace`].
    ///
    /// # Errors
    /// As [`Tracer::trace`].
    pub fn trace(tree: &dyn Tree, file: &Spelled, around: &Surroundings) -> Result<Self, Error> {
        Tracer::new(tree, around).trace(file)
    }

    /// This closure, if its program starts.
    ///
    /// # Errors
    /// When it is a library, or misses some.
    fn startable(self) -> Result<Self, Error> {
        for executed in &self.executed {
            if let Kind::Elf(elf) = &executed.kind
                && elf.objects.is_library()
            {
                return Err(Error::NotExecutable {
                    program: executed.spelled.clone(),
                    what: "a shared library",
                });
            }
        }
        let maps = self.elves().map(|elf| elf.objects.clone());
        let incomplete: Vec<Rc<LinkMap>> = maps.filter(|map| map.is_incomplete()).collect();
        if incomplete.is_empty() { Ok(self) } else { Err(Error::Missing(incomplete)) }
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
