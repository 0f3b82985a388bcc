//! How the dynamic loaders of glibc and musl search a tree for a library.
//!
//! A loader is read from its own file: nothing is assumed of the distribution. It knows places and candidates, not
//! what is loaded already (that is `closure`), and never asks the host. Source: `elf/dl-load.c`, `ldso/dynlink.c`.

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

/// The loader that a program names, as it behaves in one tree. It remembers the files that it took.
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

/// An object that asks for libraries, with those that brought it in.
#[derive(Debug)]
pub struct Requester {
    /// Its path as the loader spells it.
    pub spelled: Spelled,
    /// What `$ORIGIN` stands for in its paths.
    pub origin: Spelled,
    /// `DT_RPATH`, unsplit.
    pub rpath: Option<Vec<u8>>,
    /// `DT_RUNPATH`, unsplit.
    pub runpath: Option<Vec<u8>>,
    /// `DF_1_NODEFLIB`.
    pub no_default_directories: bool,
    /// The object that first asked for this one; none for the program.
    pub parent: Option<Rc<Requester>>,
    /// For the program: whether glibc takes the directory `/` to be there, once it has tried.
    pub root: Cell<Option<bool>>,
}

impl Requester {
    /// This object and all that brought it in, the program last.
    pub fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |requester| requester.parent.as_deref())
    }
}

/// The rule by which a place is searched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Rule {
    /// The name has a slash and is a path.
    Path,
    /// `LD_LIBRARY_PATH`.
    LibraryPath,
    /// `DT_RPATH` of this object.
    Rpath(Spelled),
    /// `DT_RUNPATH` of this object.
    Runpath(Spelled),
    /// `/etc/ld.so.cache`.
    Cache,
    /// A directory built into the loader.
    DefaultDirectory,
    /// musl's path file.
    PathFile,
}

/// One place to search, in order.
#[derive(Clone, Debug)]
pub struct Place {
    /// The directory as the loader spells it, or the cache's path.
    pub directory: Spelled,
    /// Why it is searched.
    pub rule: Rule,
    /// The object whose `$ORIGIN` is in it: the place moves with that object.
    pub origin: Option<Spelled>,
}

/// A library that was found.
#[derive(Debug)]
pub struct Found {
    /// The file.
    pub candidate: Candidate,
    /// The rule that found it.
    pub rule: Rule,
    /// As in [`Place`].
    pub origin: Option<Spelled>,
    /// Where was searched, this place last, and what was passed over on the way.
    pub passed: Missed,
}

/// A search that ended without a library, or has not ended yet.
#[derive(Debug, Default)]
pub struct Missed {
    /// Every place that was searched, in order.
    pub places: Vec<Place>,
    /// Files of that name that the loader would not take, and why.
    pub refused: Vec<(Spelled, Refusal)>,
    /// The last refused file ended the search, and would end the program.
    pub fatal: bool,
}

impl Loader {
    /// Reads the loader at `interpreter` (as `PT_INTERP` spells it) and what it reads from `tree`.
    ///
    /// # Errors
    /// When the file is no loader, or its files can't be read.
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
            // One image may hold programs of several machines, and each knows its own levels alone.
            Hwcaps::UpTo(name)
                if !loader.known_hwcaps().contains(name) && !constants::is_hwcap_elsewhere(name, machine) =>
            {
                Err(Error::UnknownHwcaps { name: name.clone(), known: loader.known_hwcaps().to_vec() })
            }
            _ => Ok(loader),
        }
    }

    /// The places that the loader searches for what `requester` needs, in order.
    pub fn places(&self, requester: &Requester) -> Vec<Place> {
        match &self.family {
            Family::Glibc(glibc) => glibc.places(requester),
            Family::Musl(musl) => musl.places(requester),
        }
    }

    /// Finds `name` for `requester`; relative paths start at `start`.
    ///
    /// # Errors
    /// Where was searched, when no place has a file that the loader takes.
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

    /// A name with a slash, once its tokens are replaced, is a path: nothing is searched.
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

    /// `name` as `requester` means it: glibc replaces tokens before it compares and searches, musl knows none in names.
    /// Source: `expand_dst`, `elf/dl-deps.c`.
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

    /// Whether this name is the loader (or what is linked into it), whatever its file is called.
    pub fn is_named(&self, name: &[u8]) -> bool {
        matches!(self.family, Family::Musl(_)) && musl::is_libc(name)
    }

    /// Whether it is glibc's: identity goes by `DT_SONAME` too, and there are filters; musl goes by names alone.
    pub fn is_glibc(&self) -> bool {
        matches!(self.family, Family::Glibc(_))
    }

    /// What is loaded in front of the program's own needs, in order.
    pub fn preloads(&self) -> &[Vec<u8>] {
        &self.preloads
    }

    /// Kinds of CPUs that this loader tells apart, the best first; each is good for [`Hwcaps::UpTo`].
    pub fn known_hwcaps(&self) -> &[Vec<u8>] {
        match &self.family {
            Family::Glibc(glibc) => glibc.known_hwcaps(),
            Family::Musl(_) => &[],
        }
    }

    /// What lesser CPUs choose than those that it was read for, down to the base.
    pub fn lesser_hwcaps(&self) -> Vec<Hwcaps> {
        let lesser = self.hwcaps.lesser(self.known_hwcaps()).iter().cloned().map(Hwcaps::UpTo);
        lesser.chain((self.hwcaps != Hwcaps::None).then_some(Hwcaps::None)).collect()
    }

    /// Whether it met directories outside of `glibc-hwcaps`, or entries of a cache, that are for some CPUs alone.
    pub fn varies(&self) -> bool {
        matches!(&self.family, Family::Glibc(glibc) if glibc.varies())
    }

    /// Where the loader looks for its cache; musl has none.
    pub fn cache_path(&self) -> Option<Spelled> {
        match &self.family {
            Family::Glibc(glibc) => Some(glibc.cache_path()),
            Family::Musl(_) => None,
        }
    }

    /// The file that lists musl's directories, and its text; glibc has none.
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
            Self::Path => f.write_str("a path, not searched for"),
            Self::LibraryPath => f.write_str("the library path"),
            Self::Rpath(of) => write!(f, "RPATH of {of}"),
            Self::Runpath(of) => write!(f, "RUNPATH of {of}"),
            Self::Cache => f.write_str("the loader's cache"),
            Self::DefaultDirectory => f.write_str("default directory of the loader"),
            Self::PathFile => f.write_str("the loader's path file"),
        }
    }
}
