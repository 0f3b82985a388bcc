//! The files that the kernel executes for a program, with the link maps of ELF programs.

use std::rc::Rc;

use super::dlopen_request::Dlopened;
use super::error::Error;
use super::link_map::LinkMap;
use crate::elf::Machine;
use coracle_core::file_system::{FsFile, PathResolution};
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
    /// The kind: a script or an ELF program.
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
    /// The link maps on older CPUs that differ from `link_map`, down to the baseline.
    pub older_cpu_maps: Vec<Rc<LinkMap>>,
    /// The libraries that are opened at run time, as far as known. See [`Resolver::dlopen`](super::Resolver::dlopen).
    pub dlopened: Vec<Dlopened>,
}

impl ElfProgram {
    /// Returns all link maps: of the program's start on the best CPU, of its start on older CPUs,
    /// and of opened libraries.
    pub fn all_link_maps(&self) -> impl Iterator<Item = &Rc<LinkMap>> {
        let opened = self.dlopened.iter().flat_map(|opened| &opened.maps);
        std::iter::once(&self.link_map).chain(&self.older_cpu_maps).chain(opened)
    }
}

impl Closure {
    /// Returns this closure if the program can be started.
    ///
    /// # Errors
    /// Fails if the file is a library, or if libraries are missing.
    pub(super) fn require_startable(self) -> Result<Self, Error> {
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
        let incomplete: Vec<Rc<LinkMap>> = maps.filter(|map| map.lacks_required_library()).collect();
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
    pub fn depends_on_path_variable(&self) -> bool {
        let mut pairs = self.executed.iter().zip(self.executed.iter().skip(1));
        pairs.any(|(by, next)| matches!(by.kind, ExecutedKind::Script) && next.raw_path.file_name() == b"env")
    }
}
