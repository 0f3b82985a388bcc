//! A search for a library: the object that needs it, the steps, and the result.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use super::candidate::{AcceptedFile, Rejection};
use coracle_core::path::RawPath;

/// An object that needs libraries, with the chain of objects that loaded it. Search paths and `$ORIGIN`
/// depend on the whole chain.
#[derive(Debug)]
pub struct Dependent {
    /// The object's path as the loader builds it.
    pub raw_path: RawPath,
    /// The value of `$ORIGIN` in its search paths.
    pub origin: RawPath,
    /// `DT_RPATH`, unsplit.
    pub rpath: Option<Vec<u8>>,
    /// `DT_RUNPATH`, unsplit.
    pub runpath: Option<Vec<u8>>,
    /// `DF_1_NODEFLIB`.
    pub no_default_directories: bool,
    /// The object that first needed this object; `None` for the program.
    pub parent: Option<Rc<Dependent>>,
    /// For the program: whether glibc considers the directory `/` to exist. `None` before the first
    /// search in it.
    pub root_exists: Cell<Option<bool>>,
}

impl Dependent {
    /// Returns this object and its ancestors; the program is last.
    pub fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |dependent| dependent.parent.as_deref())
    }
}

/// Why a directory or path is searched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SearchRule {
    /// The name contains a slash, so it is used as a path.
    ExplicitPath,
    /// `LD_LIBRARY_PATH`.
    LibraryPath,
    /// `DT_RPATH` of this object.
    Rpath(RawPath),
    /// `DT_RUNPATH` of this object.
    Runpath(RawPath),
    /// `/etc/ld.so.cache`.
    Cache,
    /// A directory compiled into the loader.
    DefaultDirectory,
    /// musl's path file, `/etc/ld-musl-ARCH.path`.
    PathFile,
}

/// One step of a search: a directory, the cache, or a path.
#[derive(Clone, Debug)]
pub struct SearchLocation {
    /// The path as the loader builds it: a directory, the cache, or a file if the name is a path.
    pub raw_path: RawPath,
    /// Why it is searched.
    pub rule: SearchRule,
    /// The value of `$ORIGIN` in the path, if any: the path changes if the object that has it
    /// moves.
    pub origin: Option<RawPath>,
}

/// A library that was found.
#[derive(Debug)]
pub struct FoundLibrary {
    /// The accepted file.
    pub candidate: AcceptedFile,
    /// Why its directory was searched.
    pub rule: SearchRule,
    /// The `$ORIGIN` in the directory's path, as in [`SearchLocation::origin`].
    pub origin: Option<RawPath>,
    /// The search up to and including this directory, with the files rejected on the way.
    pub trace: SearchTrace,
}

/// The steps of a search, whether or not it found the library.
#[derive(Debug, Default)]
pub struct SearchTrace {
    /// Everything that was searched, in order.
    pub searched: Vec<SearchLocation>,
    /// Files with the right name that the loader rejected, and why.
    pub rejected: Vec<(RawPath, Rejection)>,
    /// The last rejected file ended the search; the real program would fail there.
    pub is_fatal: bool,
}

impl fmt::Display for SearchRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ExplicitPath => f.write_str("a path, used without a search"),
            Self::LibraryPath => f.write_str("LD_LIBRARY_PATH"),
            Self::Rpath(object) => write!(f, "RPATH of {object}"),
            Self::Runpath(object) => write!(f, "RUNPATH of {object}"),
            Self::Cache => f.write_str("the loader's cache"),
            Self::DefaultDirectory => f.write_str("default directory of the loader"),
            Self::PathFile => f.write_str("musl's path file"),
        }
    }
}
