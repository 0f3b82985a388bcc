//! Resolves everything that starting a program opens: scripts, interpreters, and the objects that
//! the loader maps.
//!
//! A [`Closure`] follows the kernel and the loader through a file system, and records the rule
//! behind each step. This module does not depend on images. Source: `fs/binfmt_script.c`,
//! `fs/binfmt_elf.c`, `elf/rtld.c`.

mod checks;
mod dlopen;
mod dlopen_request;
mod error;
mod executed_file;
mod interpreter;
mod link_map;
mod mapped_objects;
mod problem;
mod resolve_options;
mod resolver;
mod shebang;
mod walker;

pub use checks::{
    check_c_libraries, check_environment_dependence, check_isa_level, check_symbol_versions, check_symbols,
    find_problems,
};
pub use dlopen_request::{DlopenCaller, DlopenFailure, DlopenRequest, Dlopened};
pub use error::Error;
pub use executed_file::{Closure, ElfProgram, ExecutedFile, ExecutedKind};
pub use link_map::{
    AliasPath, DependencyEdge, DependencyKind, LinkMap, MapReason, MappedObject, MissingLibrary,
    ReferencedSymbol, SymbolReferences,
};
pub use problem::{Problem, ProblemKind, Severity};
pub use resolve_options::{DEFAULT_PATH_VARIABLE, ResolveOptions};
pub use resolver::Resolver;

use coracle_core::file_system::FileSystem;
use coracle_core::path::RawPath;

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

    /// Resolves `file` in `tree` as far as possible, see [`Resolver::resolve_partial`].
    ///
    /// # Errors
    /// Fails as [`Resolver::resolve_partial`] does.
    pub fn resolve_partial(
        tree: &dyn FileSystem,
        file: &RawPath,
        options: &ResolveOptions,
    ) -> Result<Self, Error> {
        Resolver::new(tree, options).resolve_partial(file)
    }
}
