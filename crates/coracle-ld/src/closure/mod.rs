//! Resolves everything that starting a program opens: scripts, interpreters, and the objects that
//! the loader maps.
//!
//! A [`Closure`] follows the kernel and the loader through a file system, and records the rule
//! behind each step. This module does not depend on images. Source: `fs/binfmt_script.c`,
//! `fs/binfmt_elf.c`, `elf/rtld.c`.

mod dlopen;
pub mod environment_dependence;
mod error;
mod interpreter;
pub mod isa_level;
mod link_map;
pub mod mixed_c_libraries;
mod problem;
mod resolver;
mod script;
mod symbol_references;
pub mod symbols;
pub mod versions;
mod walker;

use std::rc::Rc;

pub use dlopen::{DlopenCaller, DlopenFailure, DlopenRequest, Dlopened};
pub use error::Error;
pub use link_map::{AliasPath, DependencyKind, Edge, LinkMap, MapReason, MappedObject, MissingLibrary};
pub use problem::{Problem, ProblemKind, Severity};
pub use resolver::Resolver;
pub use symbol_references::{ReferencedSymbol, SymbolReferences};

use crate::elf::Machine;
use crate::ldso::LoaderEnvironment;
use coracle_core::file_system::{FileSystem, FsFile, PathResolution};
use coracle_core::path::{ImagePath, RawPath};

/// The files needed to start a program.
#[derive(Clone, Debug)]
pub struct Closure {
    /// The executed files in order: a script, its interpreter, the program that `env` starts. The
    /// given program is first.
    pub executed: Vec<ExecutedFile>,
}

/// An executed file.
#[derive(Clone, Debug)]
pub struct ExecutedFile {
    /// The path as given or as the kernel reads it.
    pub raw_path: RawPath,
    /// The directories and links that the path passes through.
    pub walk: PathResolution,
    /// The file's own path, without links.
    pub path: ImagePath,
    /// The file's identity and content.
    pub file: FsFile,
    /// Whether it is a script or an ELF program.
    pub kind: ExecutedKind,
}

/// The kinds of files that the kernel executes.
#[derive(Clone, Debug)]
pub enum ExecutedKind {
    /// A script with a `#!` line; the next executed file is its interpreter.
    Script,
    /// An ELF program, with its interpreter and libraries.
    Elf(ElfProgram),
}

/// An ELF program and its link maps.
#[derive(Clone, Debug)]
pub struct ElfProgram {
    /// The program's machine.
    pub machine: Machine,
    /// The link map on the best CPU: with the best variant of each library.
    pub link_map: Rc<LinkMap>,
    /// The link maps on older CPUs, as far as they differ, down to the baseline.
    pub older_cpu_maps: Vec<Rc<LinkMap>>,
    /// The libraries that are opened at run time, as far as known. See [`Tracer::open`].
    pub dlopened: Vec<Dlopened>,
}

impl ElfProgram {
    /// Returns the link map of the start on the best CPU, those on older CPUs, then those of opened
    /// libraries.
    pub fn all_link_maps(&self) -> impl Iterator<Item = &Rc<LinkMap>> {
        let opened = self.dlopened.iter().flat_map(|opened| &opened.maps);
        std::iter::once(&self.link_map).chain(&self.older_cpu_maps).chain(opened)
    }
}

/// The options of a resolution. The host's environment is never read.
#[derive(Clone, Debug)]
pub struct ResolveOptions {
    /// The directory that relative paths start at.
    pub working_dir: ImagePath,
    /// `PATH`, in which `env` searches for the interpreter of a script.
    pub search_path: String,
    /// The environment of the loader.
    pub loader_environment: LoaderEnvironment,
}

/// The default `PATH` of container engines.
pub const DEFAULT_SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Default for ResolveOptions {
    fn default() -> Self {
        let loader = LoaderEnvironment::default();
        Self {
            working_dir: ImagePath::root(),
            search_path: DEFAULT_SEARCH_PATH.into(),
            loader_environment: loader,
        }
    }
}

impl Closure {
    /// Resolves `program` in `tree`.
    ///
    /// # Errors
    /// Fails if the program can't be started: it, its interpreter or a library is missing or of the
    /// wrong kind. The error contains all missing libraries.
    pub fn resolve(
        tree: &dyn FileSystem,
        program: &RawPath,
        options: &ResolveOptions,
    ) -> Result<Self, Error> {
        Self::resolve_partial(tree, program, options)?.require_startable()
    }

    /// Resolves `file` in `tree` as far as possible, see [`Tracer::trace`].
    ///
    /// # Errors
    /// Fails as [`Tracer::trace`] does.
    pub fn resolve_partial(
        tree: &dyn FileSystem,
        file: &RawPath,
        options: &ResolveOptions,
    ) -> Result<Self, Error> {
        Resolver::new(tree, options).resolve_partial(file)
    }

    /// Returns this closure if the program can be started.
    ///
    /// # Errors
    /// Fails if the file is a library, or if libraries are missing.
    fn require_startable(self) -> Result<Self, Error> {
        for executed in &self.executed {
            if let ExecutedKind::Elf(elf) = &executed.kind
                && elf.link_map.is_library()
            {
                return Err(Error::NotExecutable {
                    program: executed.raw_path.clone(),
                    file_kind: "a shared library",
                });
            }
        }
        let maps = self.elf_programs().map(|elf| elf.link_map.clone());
        let incomplete: Vec<Rc<LinkMap>> = maps.filter(|map| map.is_missing_required()).collect();
        if incomplete.is_empty() { Ok(self) } else { Err(Error::MissingLibraries(incomplete)) }
    }

    /// Returns the ELF programs among the executed files.
    pub fn elf_programs(&self) -> impl Iterator<Item = &ElfProgram> {
        self.executed.iter().filter_map(|executed| match &executed.kind {
            ExecutedKind::Elf(elf) => Some(elf),
            ExecutedKind::Script => None,
        })
    }

    /// Returns whether a script's interpreter is `env`, so that the result depends on `PATH`.
    pub fn depends_on_search_path(&self) -> bool {
        let mut pairs = self.executed.iter().zip(self.executed.iter().skip(1));
        pairs.any(|(by, next)| matches!(by.kind, ExecutedKind::Script) && next.raw_path.file_name() == b"env")
    }
}
