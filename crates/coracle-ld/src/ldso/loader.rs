//! A program's dynamic loader, either glibc's or musl's.

use super::candidate::{AcceptedObjects, CandidateOutcome, MismatchPolicy, Rejection, SearchContext};
use super::dynamic_string_tokens::ExpandedText;
use super::error::Error;
use super::glibc::GlibcLoader;
use super::glibc_constants::is_hwcaps_name_of_other_machine;
use super::loader_environment::{HwcapsSelection, LoaderEnvironment};
use super::musl::{self, MuslLoader};
use super::search::{Dependent, FoundLibrary, SearchLocation, SearchRule, SearchTrace};
use crate::elf::{ElfObject, Machine};
use coracle_core::content::OpenContent;
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
    accepted: AcceptedObjects,
}

#[derive(Debug)]
enum LoaderKind {
    Glibc(Box<GlibcLoader>),
    Musl(MuslLoader),
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
        file: &OpenContent,
        object: &ElfObject,
        environment: &LoaderEnvironment,
    ) -> Result<Self, Error> {
        let machine = object.header.machine;
        let soname = object.dynamic.soname.as_deref().unwrap_or_default();
        let kind = if interpreter.file_name().starts_with(b"ld-musl-") || soname.starts_with(b"libc.musl-") {
            LoaderKind::Musl(MuslLoader::read(tree, interpreter, environment)?)
        } else {
            LoaderKind::Glibc(Box::new(GlibcLoader::read(tree, file, machine, environment)?))
        };
        let preloads = environment.preload_names(tree, matches!(kind, LoaderKind::Glibc(_)))?;
        let loader = Self {
            machine,
            kind,
            preloads,
            selected_hwcaps: environment.hwcaps.clone(),
            accepted: AcceptedObjects::default(),
        };
        match &loader.selected_hwcaps {
            // A level of another machine is accepted, because an image may hold programs for
            // several machines.
            HwcapsSelection::UpTo(name)
                if !loader.known_hwcaps().contains(name)
                    && !is_hwcaps_name_of_other_machine(name, machine) =>
            {
                Err(Error::UnsupportedHwcaps {
                    name: name.clone(),
                    supported: loader.known_hwcaps().to_vec(),
                })
            }
            _ => Ok(loader),
        }
    }

    /// Returns the locations where the loader searches for a library that `dependent` needs, in
    /// order.
    pub fn search_path(&self, dependent: &Dependent) -> Vec<SearchLocation> {
        match &self.kind {
            LoaderKind::Glibc(glibc) => glibc.search_path(dependent),
            LoaderKind::Musl(musl) => musl.search_path(dependent),
        }
    }

    /// Finds `name` for `dependent`. Relative paths start at `start`.
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
        dependent: &Dependent,
    ) -> fs::Result<Result<FoundLibrary, SearchTrace>> {
        let search = SearchContext { tree, start, machine: self.machine, accepted: &self.accepted };
        let expanded = self.expand_tokens(name, dependent);
        if expanded.bytes.contains(&b'/') {
            return self.open_explicit_path(&search, expanded, dependent);
        }
        match &self.kind {
            LoaderKind::Glibc(glibc) => glibc.find_library(&search, &expanded.bytes, dependent),
            LoaderKind::Musl(musl) => musl.find_library(&search, name, self.search_path(dependent)),
        }
    }

    /// Opens a name that contains a slash after its tokens are expanded. Nothing is searched.
    fn open_explicit_path(
        &self,
        search: &SearchContext<'_>,
        expanded: ExpandedText,
        dependent: &Dependent,
    ) -> fs::Result<Result<FoundLibrary, SearchTrace>> {
        let policy = if self.is_glibc() { MismatchPolicy::Skip } else { MismatchPolicy::EndSearch };
        let origin = expanded.has_origin.then(|| dependent.origin.clone());
        let location =
            SearchLocation { raw_path: RawPath::new(expanded.bytes), rule: SearchRule::ExplicitPath, origin };
        let mut trace = SearchTrace::default();
        match search.try_path(&location.raw_path, policy)? {
            CandidateOutcome::Accepted(candidate) => {
                let (rule, origin) = (SearchRule::ExplicitPath, location.origin);
                return Ok(Ok(FoundLibrary { candidate: *candidate, rule, origin, trace }));
            }
            CandidateOutcome::Rejected { rejection, is_fatal } => {
                trace.rejected.push((location.raw_path.clone(), rejection));
                trace.is_fatal = is_fatal;
            }
            CandidateOutcome::Loop if !self.is_glibc() => {
                trace.rejected.push((location.raw_path.clone(), Rejection::LinkLoop));
                trace.is_fatal = true;
            }
            CandidateOutcome::Absent | CandidateOutcome::Loop => {}
        }
        trace.searched.push(location);
        Ok(Err(trace))
    }

    /// Returns `name` with its tokens expanded. glibc expands tokens before it compares names and
    /// searches; musl has no tokens in names. Source: `expand_dst`, `elf/dl-deps.c`.
    pub fn expand_name(&self, name: &[u8], dependent: &Dependent) -> Vec<u8> {
        self.expand_tokens(name, dependent).bytes
    }

    /// Expands the tokens in `name`. A name that contains a token without a value is unchanged.
    fn expand_tokens(&self, name: &[u8], dependent: &Dependent) -> ExpandedText {
        let expanded = match &self.kind {
            LoaderKind::Glibc(glibc) => glibc.token_values(dependent).expand(name),
            LoaderKind::Musl(_) => None,
        };
        expanded.unwrap_or(ExpandedText { bytes: name.to_vec(), has_origin: false })
    }

    /// Returns whether this name means the loader itself (or a library linked into it).
    pub fn is_loader_name(&self, name: &[u8]) -> bool {
        matches!(self.kind, LoaderKind::Musl(_)) && musl::is_libc_name(name)
    }

    /// Returns whether this is glibc's loader. glibc also identifies libraries by `DT_SONAME` and
    /// supports filters; musl uses names only.
    pub fn is_glibc(&self) -> bool {
        matches!(self.kind, LoaderKind::Glibc(_))
    }

    /// Returns the names to load before the program's own dependencies, in order.
    pub fn preloads(&self) -> &[Vec<u8>] {
        &self.preloads
    }

    /// Returns the CPU levels that the loader distinguishes, best first. Each is valid in
    /// [`HwcapsSelection::UpTo`].
    pub fn known_hwcaps(&self) -> &[Vec<u8>] {
        match &self.kind {
            LoaderKind::Glibc(glibc) => glibc.known_hwcaps(),
            LoaderKind::Musl(_) => &[],
        }
    }

    /// Returns the selections of CPUs with fewer features than the selected CPUs, down to the
    /// baseline.
    pub fn lower_hwcaps(&self) -> Vec<HwcapsSelection> {
        let lower =
            self.selected_hwcaps.lower_names(self.known_hwcaps()).iter().cloned().map(HwcapsSelection::UpTo);
        lower
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
