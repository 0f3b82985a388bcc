//! The object that needs a library. Search paths and `$ORIGIN` depend on it and on its ancestors.

use std::cell::Cell;
use std::rc::Rc;

use coracle_core::path::RawPath;

/// An object that needs libraries, with the chain of objects that loaded it.
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
    /// The object that first needed this one; `None` for the program.
    pub parent: Option<Rc<Dependent>>,
    /// For the program: whether glibc considers the directory `/` to exist. `None` before the first
    /// search in it.
    pub root_exists: Cell<Option<bool>>,
}

impl Dependent {
    /// Returns this object and its ancestors; the program is last.
    pub fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |requester| requester.parent.as_deref())
    }
}
