//! The steps of a search for a library and its result.

use std::fmt;

use super::candidate::{Candidate, Rejection};
use coracle_core::path::RawPath;

/// Why a directory or path is searched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Rule {
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
    pub rule: Rule,
    /// The `$ORIGIN` that was expanded in the path, if any: the path changes if that object moves.
    pub origin: Option<RawPath>,
}

/// A library that was found.
#[derive(Debug)]
pub struct FoundLibrary {
    /// The accepted file.
    pub candidate: Candidate,
    /// Why its directory was searched.
    pub rule: Rule,
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

impl fmt::Display for Rule {
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
