//! How the dynamic loaders of glibc and musl search a file system for a library.
//!
//! The constants of a loader are read from its own file, not assumed from the distribution. This
//! module handles search paths and candidate files; `closure` tracks what is already loaded.
//! Nothing is read from the host's environment. Source: `elf/dl-load.c`, `ldso/dynlink.c`.

mod cache;
mod candidate;
pub mod conf;
mod constants;
mod environment;
mod error;
mod glibc;
mod interpreter;
mod legacy;
mod levels;
mod musl;
mod preload;
mod token;

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

pub use cache::{Cache, Entry as CacheEntry};
pub use candidate::{Candidate, Refusal};
pub use constants::Constants;
pub use environment::{Environment, Hwcaps};
pub use error::Error;
pub use interpreter::usual_interpreters;
pub use musl::is_musl_libc;

use coracle_core::content::Reader;
use crate::elf::{self, Machine};
use coracle_core::fs;
use coracle_core::path::{ImagePath, Spelled};
use coracle_core::file_system::Tree;

/// A program's dynamic loader in one file system. It caches the files that it accepted.
#[derive(Debug)]
pub struct Loader {
    machine: Machine,
    family: Family,
    preloads: Vec<Vec<u8>>,
    hwcaps: Hwcaps,
    taken: candidate::Taken,
}

#[derive(Debug)]
enum Family {
    Glibc(Box<glibc::Glibc>),
    Musl(musl::Musl),
}

/// An object that needs libraries, with the chain of objects that loaded it.
#[derive(Debug)]
pub struct Requester {
    /// The object's path as the loader builds it.
    pub spelled: Spelled,
    /// The value of `$ORIGIN` in its search paths.
    pub origin: Spelled,
    /// `DT_RPATH`, unsplit.
    pub rpath: Option<Vec<u8>>,
    /// `DT_RUNPATH`, unsplit.
    pub runpath: Option<Vec<u8>>,
    /// `DF_1_NODEFLIB`.
    pub no_default_directories: bool,
    /// The object that first needed this one; `None` for the program.
    pub parent: Option<Rc<Requester>>,
    /// For the program: whether glibc considers the directory `/` to exist. `None` before the first
    /// search in it.
    pub root: Cell<Option<bool>>,
}

impl Requester {
    /// Returns this object and its ancestors; the program is last.
    pub fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |requester| requester.parent.as_deref())
    }
}

/// Why a directory or path is searched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Rule {
    /// The name contains a slash, so it is used as a path.
    Path,
    /// `LD_LIBRARY_PATH`.
    LibraryPath,
    /// `DT_RPATH` of this object.
    Rpath(Spelled),
    /// `DT_RUNPATH` of this object.
    Runpath(Spelled),
    /// `/etc/ld.so.cache`.
    Cache,
    /// A directory compiled into the loader.
    DefaultDirectory,
    /// musl's path file, `/etc/ld-musl-ARCH.path`.
    PathFile,
}

/// One step of a search: a directory, the cache, or a path.
#[derive(Clone, Debug)]
pub struct Place {
    /// The path as the loader builds it: a directory, the cache, or a file if the name is a path.
    pub directory: Spelled,
    /// Why it is searched.
    pub rule: Rule,
    /// The `$ORIGIN` that was expanded in the path, if any: the path changes if that object moves.
    pub origin: Option<Spelled>,
}

/// A library that was found.
#[derive(Debug)]
pub struct Found {
    /// The accepted file.
    pub candidate: Candidate,
    /// Why its directory was searched.
    pub rule: Rule,
    /// As in [`Place`].
    pub origin: Option<Spelled>,
    /// The search up to and including this directory, with the files rejected on the way.
    pub passed: Missed,
}

/// The steps of a search, whether or not it found the library.
#[derive(Debug, Default)]
pub struct Missed {
    /// Everything that was searched, in order.
    pub places: Vec<Place>,
    /// Files with the right name that the loader rejected, and why.
    pub refused: Vec<(Spelled, Refusal)>,
    /// The last rejected file ended the search; the real program would fail there.
    pub fatal: bool,
}

impl Loader {
    /// Reads the loader at `interpreter` (the raw `PT_INTERP`), its cache and its configuration
    /// from `tree`.
    ///
    /// # Errors
    /// Fails if the file is not a loader or one of its files can't be read, or if it does not
    /// support the CPU level of `environment`.
    pub fn read(
        tree: &dyn Tree,
        interpreter: &Spelled,
        file: &Reader,
        object: &elf::Object,
        environment: &Environment,
    ) -> Result<Self, Error> {
        let machine = object.header.machine;
        let soname = object.dynamic.soname.as_deref().unwrap_or_default();
        let family = if interpreter.name().starts_with(b"ld-musl-") || soname.starts_with(b"libc.musl-") {
            Family::Musl(musl::Musl::read(tree, interpreter, environment)?)
        } else {
            Family::Glibc(Box::new(glibc::Glibc::read(tree, file, machine, environment)?))
        };
        let preloads = preload::names(tree, environment, matches!(family, Family::Glibc(_)))?;
        let (hwcaps, taken) = (environment.hwcaps.clone(), candidate::Taken::default());
        let loader = Self { machine, family, preloads, hwcaps, taken };
        match &loader.hwcaps {
            // A level of another machine is accepted, because an image may hold programs for
            // several machines.
            Hwcaps::UpTo(name)
                if !loader.known_hwcaps().contains(name) && !constants::is_hwcap_elsewhere(name, machine) =>
            {
                Err(Error::UnknownHwcaps { name: name.clone(), known: loader.known_hwcaps().to_vec() })
            }
            _ => Ok(loader),
        }
    }

    /// Returns what the loader searches for a library that `requester` needs, in order.
    pub fn places(&self, requester: &Requester) -> Vec<Place> {
        match &self.family {
            Family::Glibc(glibc) => glibc.places(requester),
            Family::Musl(musl) => musl.places(requester),
        }
    }

    /// Finds `name` for `requester`. Relative paths start at `start`.
    ///
    /// The inner result is the search trace if no file was accepted.
    ///
    /// # Errors
    /// Fails if the file system can't be read.
    pub fn find(
        &self,
        tree: &dyn Tree,
        start: &ImagePath,
        name: &[u8],
        requester: &Requester,
    ) -> fs::Result<Result<Found, Missed>> {
        let search = candidate::Search { tree, start, wanted: self.machine, taken: &self.taken };
        let expanded = self.expand(name, requester);
        if expanded.bytes.contains(&b'/') {
            return self.open_path(&search, expanded, requester);
        }
        match &self.family {
            Family::Glibc(glibc) => glibc.find(&search, &expanded.bytes, requester),
            Family::Musl(musl) => musl.find(&search, name, self.places(requester)),
        }
    }

    /// Opens a name that contains a slash after its tokens are expanded. Nothing is searched.
    fn open_path(
        &self,
        search: &candidate::Search<'_>,
        expanded: token::Expanded,
        requester: &Requester,
    ) -> fs::Result<Result<Found, Missed>> {
        let manner = if self.is_glibc() { candidate::Manner::PassOver } else { candidate::Manner::First };
        let origin = expanded.origin.then(|| requester.origin.clone());
        let place = Place { directory: Spelled::new(expanded.bytes), rule: Rule::Path, origin };
        let mut missed = Missed::default();
        match search.open(&place.directory, manner)? {
            candidate::Outcome::Taken(candidate) => {
                let (rule, origin) = (Rule::Path, place.origin);
                return Ok(Ok(Found { candidate: *candidate, rule, origin, passed: missed }));
            }
            candidate::Outcome::Refused { refusal, fatal } => {
                missed.refused.push((place.directory.clone(), refusal));
                missed.fatal = fatal;
            }
            candidate::Outcome::Loop if !self.is_glibc() => {
                missed.refused.push((place.directory.clone(), Refusal::Loop));
                missed.fatal = true;
            }
            candidate::Outcome::Absent | candidate::Outcome::Loop => {}
        }
        missed.places.push(place);
        Ok(Err(missed))
    }

    /// Returns `name` with its tokens expanded. glibc expands tokens before it compares names and
    /// searches; musl has no tokens in names. Source: `expand_dst`, `elf/dl-deps.c`.
    pub fn meant(&self, name: &[u8], requester: &Requester) -> Vec<u8> {
        self.expand(name, requester).bytes
    }

    fn expand(&self, name: &[u8], requester: &Requester) -> token::Expanded {
        let expanded = match &self.family {
            Family::Glibc(glibc) => glibc.tokens(requester).expand(name),
            Family::Musl(_) => None,
        };
        expanded.unwrap_or(token::Expanded { bytes: name.to_vec(), origin: false })
    }

    /// Returns whether this name means the loader itself (or a library linked into it).
    pub fn is_named(&self, name: &[u8]) -> bool {
        matches!(self.family, Family::Musl(_)) && musl::is_libc(name)
    }

    /// Returns whether this is glibc's loader. It also identifies libraries by `DT_SONAME` and
    /// supports filters; musl uses names only.
    pub fn is_glibc(&self) -> bool {
        matches!(self.family, Family::Glibc(_))
    }

    /// Returns the names to load before the program's own dependencies, in order.
    pub fn preloads(&self) -> &[Vec<u8>] {
        &self.preloads
    }

    /// Returns the CPU levels that the loader distinguishes, best first. Each is valid in
    /// [`Hwcaps::UpTo`].
    pub fn known_hwcaps(&self) -> &[Vec<u8>] {
        match &self.family {
            Family::Glibc(glibc) => glibc.known_hwcaps(),
            Family::Musl(_) => &[],
        }
    }

    /// Returns the selections of CPUs with fewer features than the selected ones, down to the
    /// baseline.
    pub fn lesser_hwcaps(&self) -> Vec<Hwcaps> {
        let lesser = self.hwcaps.lesser(self.known_hwcaps()).iter().cloned().map(Hwcaps::UpTo);
        lesser.chain((self.hwcaps != Hwcaps::None).then_some(Hwcaps::None)).collect()
    }

    /// Returns whether a search so far met legacy CPU-specific directories or cache entries.
    pub fn varies(&self) -> bool {
        matches!(&self.family, Family::Glibc(glibc) if glibc.varies())
    }

    /// Returns the path of the loader's cache; `None` for musl.
    pub fn cache_path(&self) -> Option<Spelled> {
        match &self.family {
            Family::Glibc(glibc) => Some(glibc.cache_path()),
            Family::Musl(_) => None,
        }
    }

    /// Returns musl's path file and its content; `None` for glibc.
    pub fn path_file(&self) -> Option<(&Spelled, &[u8])> {
        match &self.family {
            Family::Glibc(_) => None,
            Family::Musl(musl) => musl.path_file(),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path => f.write_str("a path, used without a search"),
            Self::LibraryPath => f.write_str("LD_LIBRARY_PATH"),
            Self::Rpath(object) => write!(f, "RPATH of {object}"),
            Self::Runpath(object) => write!(f, "RUNPATH of {object}"),
            Self::Cache => f.write_str("the loader's cache"),
            Self::DefaultDirectory => f.write_str("default directory of the loader"),
            Self::PathFile => f.write_str("musl's path file"),
        }
    }
}
