//! How the dynamic loaders of glibc and musl search a file system for a library.
//!
//! The constants of a loader are read from its own file, not assumed from the distribution. This
//! module handles search paths and candidate files; `closure` tracks what is already loaded.
//! Nothing is read from the host's environment. Source: `elf/dl-load.c`, `ldso/dynlink.c`.

mod candidate;
mod cpu_levels;
mod default_interpreter;
mod dynamic_string_tokens;
mod environment;
mod error;
mod glibc;
mod glibc_constants;
mod ld_so_cache;
pub mod ld_so_conf;
mod legacy_hwcaps;
mod musl;
mod preload;

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

pub use candidate::{Candidate, Rejection};
pub use default_interpreter::default_interpreters;
pub use environment::{HwcapsSelection, LoaderEnvironment};
pub use error::Error;
pub use glibc_constants::LoaderConstants;
pub use ld_so_cache::{CacheEntry, LdCache};
pub use musl::is_c_library;

use crate::elf::{self, Machine};
use coracle_core::content::ContentReader;
use coracle_core::file_system::FileSystem;
use coracle_core::fs;
use coracle_core::path::{ImagePath, RawPath};

/// A program's dynamic loader in one file system. It caches the files that it accepted.
#[derive(Debug)]
pub struct Loader {
    machine: Machine,
    kind: LoaderKind,
    preloads: Vec<Vec<u8>>,
    selected_hwcaps: HwcapsSelection,
    accepted: candidate::AcceptedObjects,
}

#[derive(Debug)]
enum LoaderKind {
    Glibc(Box<glibc::GlibcLoader>),
    Musl(musl::MuslLoader),
}

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
    /// As in [`Place`].
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

impl Loader {
    /// Reads the loader at `interpreter` (the raw `PT_INTERP`), its cache and its configuration
    /// from `tree`.
    ///
    /// # Errors
    /// Fails if the file is not a loader or one of its files can't be read, or if it does not
    /// support the CPU level of `environment`.
    pub fn read(
        tree: &dyn FileSystem,
        interpreter: &RawPath,
        file: &ContentReader,
        object: &elf::ElfObject,
        environment: &LoaderEnvironment,
    ) -> Result<Self, Error> {
        let machine = object.header.machine;
        let soname = object.dynamic.soname.as_deref().unwrap_or_default();
        let family = if interpreter.file_name().starts_with(b"ld-musl-") || soname.starts_with(b"libc.musl-")
        {
            LoaderKind::Musl(musl::MuslLoader::read(tree, interpreter, environment)?)
        } else {
            LoaderKind::Glibc(Box::new(glibc::GlibcLoader::read(tree, file, machine, environment)?))
        };
        let preloads = preload::preload_names(tree, environment, matches!(family, LoaderKind::Glibc(_)))?;
        let (hwcaps, taken) = (environment.hwcaps.clone(), candidate::AcceptedObjects::default());
        let loader = Self { machine, kind: family, preloads, selected_hwcaps: hwcaps, accepted: taken };
        match &loader.selected_hwcaps {
            // A level of another machine is accepted, because an image may hold programs for
            // several machines.
            HwcapsSelection::UpTo(name)
                if !loader.known_hwcaps().contains(name)
                    && !glibc_constants::is_hwcaps_name_of_other_machine(name, machine) =>
            {
                Err(Error::UnsupportedHwcaps {
                    name: name.clone(),
                    supported: loader.known_hwcaps().to_vec(),
                })
            }
            _ => Ok(loader),
        }
    }

    /// Returns what the loader searches for a library that `requester` needs, in order.
    pub fn search_path(&self, requester: &Dependent) -> Vec<SearchLocation> {
        match &self.kind {
            LoaderKind::Glibc(glibc) => glibc.search_path(requester),
            LoaderKind::Musl(musl) => musl.search_path(requester),
        }
    }

    /// Finds `name` for `requester`. Relative paths start at `start`.
    ///
    /// The inner result is the search trace if no file was accepted.
    ///
    /// # Errors
    /// Fails if the file system can't be read.
    pub fn find_library(
        &self,
        tree: &dyn FileSystem,
        start: &ImagePath,
        name: &[u8],
        requester: &Dependent,
    ) -> fs::Result<Result<FoundLibrary, SearchTrace>> {
        let search =
            candidate::SearchContext { tree, start, machine: self.machine, accepted: &self.accepted };
        let expanded = self.expand_tokens(name, requester);
        if expanded.bytes.contains(&b'/') {
            return self.open_explicit_path(&search, expanded, requester);
        }
        match &self.kind {
            LoaderKind::Glibc(glibc) => glibc.find_library(&search, &expanded.bytes, requester),
            LoaderKind::Musl(musl) => musl.find_library(&search, name, self.search_path(requester)),
        }
    }

    /// Opens a name that contains a slash after its tokens are expanded. Nothing is searched.
    fn open_explicit_path(
        &self,
        search: &candidate::SearchContext<'_>,
        expanded: dynamic_string_tokens::Expanded,
        requester: &Dependent,
    ) -> fs::Result<Result<FoundLibrary, SearchTrace>> {
        let manner = if self.is_glibc() {
            candidate::MismatchPolicy::Skip
        } else {
            candidate::MismatchPolicy::EndSearch
        };
        let origin = expanded.has_origin.then(|| requester.origin.clone());
        let place =
            SearchLocation { raw_path: RawPath::new(expanded.bytes), rule: Rule::ExplicitPath, origin };
        let mut missed = SearchTrace::default();
        match search.try_path(&place.raw_path, manner)? {
            candidate::CandidateOutcome::Accepted(candidate) => {
                let (rule, origin) = (Rule::ExplicitPath, place.origin);
                return Ok(Ok(FoundLibrary { candidate: *candidate, rule, origin, trace: missed }));
            }
            candidate::CandidateOutcome::Rejected { rejection: refusal, is_fatal: fatal } => {
                missed.rejected.push((place.raw_path.clone(), refusal));
                missed.is_fatal = fatal;
            }
            candidate::CandidateOutcome::Loop if !self.is_glibc() => {
                missed.rejected.push((place.raw_path.clone(), Rejection::LinkLoop));
                missed.is_fatal = true;
            }
            candidate::CandidateOutcome::Absent | candidate::CandidateOutcome::Loop => {}
        }
        missed.searched.push(place);
        Ok(Err(missed))
    }

    /// Returns `name` with its tokens expanded. glibc expands tokens before it compares names and
    /// searches; musl has no tokens in names. Source: `expand_dst`, `elf/dl-deps.c`.
    pub fn expand_name(&self, name: &[u8], requester: &Dependent) -> Vec<u8> {
        self.expand_tokens(name, requester).bytes
    }

    fn expand_tokens(&self, name: &[u8], requester: &Dependent) -> dynamic_string_tokens::Expanded {
        let expanded = match &self.kind {
            LoaderKind::Glibc(glibc) => glibc.token_values(requester).expand(name),
            LoaderKind::Musl(_) => None,
        };
        expanded.unwrap_or(dynamic_string_tokens::Expanded { bytes: name.to_vec(), has_origin: false })
    }

    /// Returns whether this name means the loader itself (or a library linked into it).
    pub fn is_loader_name(&self, name: &[u8]) -> bool {
        matches!(self.kind, LoaderKind::Musl(_)) && musl::is_libc_name(name)
    }

    /// Returns whether this is glibc's loader. It also identifies libraries by `DT_SONAME` and
    /// supports filters; musl uses names only.
    pub fn is_glibc(&self) -> bool {
        matches!(self.kind, LoaderKind::Glibc(_))
    }

    /// Returns the names to load before the program's own dependencies, in order.
    pub fn preloads(&self) -> &[Vec<u8>] {
        &self.preloads
    }

    /// Returns the CPU levels that the loader distinguishes, best first. Each is valid in
    /// [`Hwcaps::UpTo`].
    pub fn known_hwcaps(&self) -> &[Vec<u8>] {
        match &self.kind {
            LoaderKind::Glibc(glibc) => glibc.known_hwcaps(),
            LoaderKind::Musl(_) => &[],
        }
    }

    /// Returns the selections of CPUs with fewer features than the selected ones, down to the
    /// baseline.
    pub fn lower_hwcaps(&self) -> Vec<HwcapsSelection> {
        let lesser =
            self.selected_hwcaps.lower(self.known_hwcaps()).iter().cloned().map(HwcapsSelection::UpTo);
        lesser
            .chain((self.selected_hwcaps != HwcapsSelection::None).then_some(HwcapsSelection::None))
            .collect()
    }

    /// Returns whether a search so far met legacy CPU-specific directories or cache entries.
    pub fn is_cpu_dependent(&self) -> bool {
        matches!(&self.kind, LoaderKind::Glibc(glibc) if glibc.is_cpu_dependent())
    }

    /// Returns the path of the loader's cache; `None` for musl.
    pub fn cache_path(&self) -> Option<RawPath> {
        match &self.kind {
            LoaderKind::Glibc(glibc) => Some(glibc.cache_path()),
            LoaderKind::Musl(_) => None,
        }
    }

    /// Returns musl's path file and its content; `None` for glibc.
    pub fn musl_path_file(&self) -> Option<(&RawPath, &[u8])> {
        match &self.kind {
            LoaderKind::Glibc(_) => None,
            LoaderKind::Musl(musl) => musl.path_file(),
        }
    }
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
