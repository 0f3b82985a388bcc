//! Resolves everything that starting a program opens: scripts, interpreters, and the objects that
//! the loader maps.
//!
//! A [`Closure`] follows the kernel and the loader through a file system, and records the rule
//! behind each step. This module does not depend on images. Source: `fs/binfmt_script.c`,
//! `fs/binfmt_elf.c`, `elf/rtld.c`.

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

/// The files needed to start a program.
#[derive(Clone, Debug)]
pub struct Closure {
    /// The executed files in order: a script, its interpreter, the program that `env` starts. The
    /// given program is first.
    pub executed: Vec<Executed>,
}

/// An executed file.
#[derive(Clone, Debug)]
pub struct Executed {
    /// The path as given or as the kernel reads it.
    pub spelled: Spelled,
    /// The directories and links that the path passes through.
    pub walk: Walk,
    /// The file's own path, without links.
    pub path: ImagePath,
    /// The file's identity and content.
    pub file: TreeFile,
    /// Whether it is a script or an ELF program.
    pub kind: Kind,
}

/// The kinds of files that the kernel executes.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A script with a `#!` line; the next executed file is its interpreter.
    Script,
    /// An ELF program, with its interpreter and libraries.
    Elf(Elf),
}

/// An ELF program and its link maps.
#[derive(Clone, Debug)]
pub struct Elf {
    /// The program's machine.
    pub machine: Machine,
    /// The link map on the best CPU: with the best variant of each library.
    pub objects: Rc<LinkMap>,
    /// The link maps on older CPUs, as far as they differ, down to the baseline.
    pub lesser: Vec<Rc<LinkMap>>,
    /// The libraries that are opened at run time, as far as known. See [`Tracer::open`].
    pub opened: Vec<Opened>,
}

impl Elf {
    /// Returns the link map of the start on the best CPU, those on older CPUs, then those of opened
    /// libraries.
    pub fn maps(&self) -> impl Iterator<Item = &Rc<LinkMap>> {
        let opened = self.opened.iter().flat_map(|opened| &opened.maps);
        std::iter::once(&self.objects).chain(&self.lesser).chain(opened)
    }
}

/// The options of a resolution. The host's environment is never read.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The directory that relative paths start at.
    pub working_dir: ImagePath,
    /// `PATH`, in which `env` searches for the interpreter of a script.
    pub search_path: String,
    /// The environment of the loader.
    pub loader: Environment,
}

/// The default `PATH` of container engines.
pub const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Default for Surroundings {
    fn default() -> Self {
        let loader = Environment::default();
        Self { working_dir: ImagePath::root(), search_path: SEARCH_PATH.into(), loader }
    }
}

impl Closure {
    /// Resolves `program` in `tree`.
    ///
    /// # Errors
    /// Fails if the program can't be started: it, its interpreter or a library is missing or of the
    /// wrong kind. The error contains all missing libraries.
    pub fn resolve(tree: &dyn Tree, program: &Spelled, options: &Surroundings) -> Result<Self, Error> {
        Self::trace(tree, program, options)?.startable()
    }

    /// Resolves `file` in `tree` as far as possible, see [`Tracer::trace`].
    ///
    /// # Errors
    /// Fails as [`Tracer::trace`] does.
    pub fn trace(tree: &dyn Tree, file: &Spelled, options: &Surroundings) -> Result<Self, Error> {
        Tracer::new(tree, options).trace(file)
    }

    /// Returns this closure if the program can be started.
    ///
    /// # Errors
    /// Fails if the file is a library, or if libraries are missing.
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

    /// Returns the ELF programs among the executed files.
    pub fn elves(&self) -> impl Iterator<Item = &Elf> {
        self.executed.iter().filter_map(|executed| match &executed.kind {
            Kind::Elf(elf) => Some(elf),
            Kind::Script => None,
        })
    }

    /// Returns whether a script's interpreter is `env`, so that the result depends on `PATH`.
    pub fn asks_env(&self) -> bool {
        let mut pairs = self.executed.iter().zip(self.executed.iter().skip(1));
        pairs.any(|(by, next)| matches!(by.kind, Kind::Script) && next.spelled.name() == b"env")
    }
}
