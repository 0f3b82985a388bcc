//! glibc's library search. Source: `_dl_map_object` and `open_path`, `elf/dl-load.c`.

use goblin::elf::header as h;

use super::candidate::{CandidateOutcome, MismatchPolicy, SearchContext};
use super::dependent::Dependent;
use super::dynamic_string_tokens::TokenValues;
use super::error::Error;
use super::glibc_constants::{GlibcConstants, MAX_LOADER_SIZE};
use super::ld_so_cache::LdCache;
use super::legacy_hwcaps::LegacyHwcaps;
use super::loader_environment::LoaderEnvironment;
use super::path_list::{join_directory, split_glibc_path_list, trim_trailing_slashes};
use super::search::{FoundLibrary, Rule, SearchLocation, SearchTrace};
use crate::elf::Machine;
use coracle_core::content::ContentReader;
use coracle_core::file_system::{self, FileSystem, ResolutionEnd};
use coracle_core::fs;
use coracle_core::path::{ImagePath, RawPath};

/// A glibc loader in one file system.
#[derive(Debug)]
pub(super) struct GlibcLoader {
    constants: GlibcConstants,
    cache: LdCache,
    /// Names of all CPU levels that the loader distinguishes, best first.
    known_hwcaps: Vec<Vec<u8>>,
    /// Names of the selected directories below `glibc-hwcaps`, best first.
    selected_hwcaps: Vec<Vec<u8>>,
    /// The search in legacy directories named after CPU features. `None` since glibc 2.37.
    legacy_hwcaps: Option<LegacyHwcaps>,
    library_path: Vec<u8>,
    platform: Option<Vec<u8>>,
}

/// Maximum size of a cache. A full desktop's cache has some hundred kilobytes.
const MAX_CACHE_SIZE: u64 = 16 << 20;

/// The last glibc release that searches directories named after CPU features: 2.36.
const LAST_RELEASE_WITH_LEGACY_HWCAPS: u32 = 36;

impl GlibcLoader {
    /// Reads the constants from the loader's file, and the cache.
    pub(super) fn read(
        tree: &dyn FileSystem,
        loader: &ContentReader,
        machine: Machine,
        environment: &LoaderEnvironment,
    ) -> Result<Self, Error> {
        if loader.size() > MAX_LOADER_SIZE {
            return Err(Error::TooLarge(loader.size()));
        }
        let constants = GlibcConstants::read(loader, machine)?;
        let cache = read_cache(tree, &constants.cache_path, machine)?;
        let platform = environment.platform.clone().or_else(|| default_platform(machine).map(<[u8]>::to_vec));
        let is_legacy =
            constants.glibc_minor.is_none_or(|release| release <= LAST_RELEASE_WITH_LEGACY_HWCAPS);
        let legacy_hwcaps = is_legacy
            .then(|| LegacyHwcaps::new(machine, &environment.hwcaps, environment.platform.as_deref()));
        if let Some(legacy) = legacy_hwcaps.as_ref().filter(|_| cache.has_legacy_masks()) {
            legacy.mark_cpu_dependent();
        }
        let known_hwcaps = match &legacy_hwcaps {
            Some(legacy) => legacy.level_names().map(|name| name.as_bytes().to_vec()).collect(),
            None => constants.hwcaps_names.clone(),
        };
        // An older loader may not support the best selected level.
        let selected = environment.hwcaps.selected(&known_hwcaps);
        let selected_hwcaps =
            constants.hwcaps_names.iter().filter(|name| selected.contains(name)).cloned().collect();
        let library_path = environment.library_path.clone();
        Ok(Self { constants, cache, known_hwcaps, selected_hwcaps, legacy_hwcaps, library_path, platform })
    }

    /// Returns the path of the cache.
    pub(super) fn cache_path(&self) -> RawPath {
        RawPath::new(self.constants.cache_path.as_slice())
    }

    /// Returns the names of all CPU levels that the loader distinguishes, best first.
    pub(super) fn known_hwcaps(&self) -> &[Vec<u8>] {
        &self.known_hwcaps
    }

    /// Returns whether a search so far depended on legacy CPU features.
    pub(super) fn is_cpu_dependent(&self) -> bool {
        self.legacy_hwcaps.as_ref().is_some_and(LegacyHwcaps::is_cpu_dependent)
    }

    /// Returns the values of the tokens in search paths of `dependent`.
    pub(super) fn token_values<'a>(&'a self, dependent: &'a Dependent) -> TokenValues<'a> {
        TokenValues {
            origin: &dependent.origin,
            lib: self.constants.lib_token.as_deref(),
            platform: self.platform.as_deref(),
        }
    }

    /// Returns the search path in order:
    /// - `DT_RPATH` of the object and of its ancestors, unless the object has `DT_RUNPATH`
    /// - `LD_LIBRARY_PATH`
    /// - `DT_RUNPATH` of the object itself
    /// - the cache
    /// - the default directories
    pub(super) fn search_path(&self, dependent: &Dependent) -> Vec<SearchLocation> {
        let mut locations = Vec::new();
        if dependent.runpath.is_none() {
            for object in dependent.chain().filter(|object| object.runpath.is_none()) {
                let list = object.rpath.as_deref().unwrap_or_default();
                locations.extend(self.path_list_locations(
                    list,
                    b":",
                    object,
                    &Rule::Rpath(object.raw_path.clone()),
                ));
            }
        }
        let program = dependent.chain().last().unwrap_or(dependent);
        locations.extend(self.path_list_locations(&self.library_path, b":;", program, &Rule::LibraryPath));
        let list = dependent.runpath.as_deref().unwrap_or_default();
        locations.extend(self.path_list_locations(
            list,
            b":",
            dependent,
            &Rule::Runpath(dependent.raw_path.clone()),
        ));

        let location =
            |path: &[u8], rule| SearchLocation { raw_path: RawPath::new(path), rule, origin: None };
        locations.push(location(&self.constants.cache_path, Rule::Cache));
        if !dependent.no_default_directories {
            let directories = self.constants.default_directories.iter();
            locations.extend(
                directories
                    .map(|directory| location(&trim_trailing_slashes(directory), Rule::DefaultDirectory)),
            );
        }
        locations
    }

    /// Splits a path list, expands tokens and trims trailing slashes.
    fn path_list_locations(
        &self,
        list: &[u8],
        separators: &[u8],
        object: &Dependent,
        rule: &Rule,
    ) -> Vec<SearchLocation> {
        let elements = split_glibc_path_list(list, separators);
        let expanded = elements.filter_map(|element| self.token_values(object).expand(element));
        let locations = expanded.map(|expanded| SearchLocation {
            raw_path: RawPath::new(trim_trailing_slashes(&expanded.bytes)),
            rule: rule.clone(),
            origin: expanded.has_origin.then(|| object.origin.clone()),
        });
        locations.collect()
    }

    /// Finds `name` for `dependent`. A file for another machine is skipped; any other rejected file
    /// ends the search.
    pub(super) fn find_library(
        &self,
        search: &SearchContext<'_>,
        name: &[u8],
        dependent: &Dependent,
    ) -> fs::Result<Result<FoundLibrary, SearchTrace>> {
        let no_defaults = dependent.no_default_directories;
        let mut trace = SearchTrace::default();
        // The rule whose remaining directories are skipped.
        let mut skipped_rule = None;
        for location in self.search_path(dependent) {
            trace.searched.push(location.clone());
            if skipped_rule.as_ref() == Some(&location.rule) {
                continue;
            }
            let paths = match location.rule {
                Rule::Cache => self.find_in_cache(name, no_defaults),
                _ => self.candidate_paths(search, &location.raw_path, name)?,
            };
            for path in paths {
                // The error of the last path tried, the plain one, decides whether to continue.
                skipped_rule = None;
                match Self::try_file(search, &path, &location, dependent)? {
                    CandidateOutcome::Absent => {}
                    CandidateOutcome::Loop => skipped_rule = Some(location.rule.clone()),
                    CandidateOutcome::Accepted(candidate) => {
                        return Ok(Ok(FoundLibrary {
                            candidate: *candidate,
                            rule: location.rule,
                            origin: location.origin,
                            trace,
                        }));
                    }
                    CandidateOutcome::Rejected { rejection, is_fatal } => {
                        trace.rejected.push((path, rejection));
                        if is_fatal {
                            trace.is_fatal = true;
                            return Ok(Err(trace));
                        }
                    }
                }
            }
        }
        Ok(Err(trace))
    }

    /// Tries one file (`open_path`).
    ///
    /// An error in a directory that does not exist does not end its path list. After a miss glibc
    /// checks whether the directory exists. For `/` it checks an empty path, so `/` counts as
    /// missing from then on.
    fn try_file(
        search: &SearchContext<'_>,
        path: &RawPath,
        location: &SearchLocation,
        dependent: &Dependent,
    ) -> fs::Result<CandidateOutcome> {
        let is_root = location.raw_path.as_bytes() == b"/" && path.dirname() == location.raw_path;
        let root = &dependent.chain().last().unwrap_or(dependent).root_exists;
        if is_root && root.get() == Some(false) {
            return Ok(CandidateOutcome::Absent);
        }
        let outcome = search.try_path(path, MismatchPolicy::Skip)?;
        if is_root
            && root.get().is_none()
            && !matches!(outcome, CandidateOutcome::Rejected { is_fatal: true, .. })
        {
            root.set(Some(matches!(outcome, CandidateOutcome::Accepted(_))));
        }
        // glibc assumes that a relative directory exists (`fillin_rpath`).
        let is_absolute = location.raw_path.as_bytes().starts_with(b"/");
        Ok(match outcome {
            CandidateOutcome::Loop if is_root && root.get() == Some(false) => CandidateOutcome::Absent,
            CandidateOutcome::Loop if is_absolute && !search.is_directory(&location.raw_path)? => {
                CandidateOutcome::Absent
            }
            outcome => outcome,
        })
    }

    /// Returns the paths to try in one directory: CPU-specific ones first, the plain one last.
    fn candidate_paths(
        &self,
        search: &SearchContext<'_>,
        directory: &RawPath,
        name: &[u8],
    ) -> fs::Result<Vec<RawPath>> {
        let variant = |hwcap: &Vec<u8>| [b"glibc-hwcaps/", hwcap.as_slice(), b"/", name].concat();
        let mut paths: Vec<RawPath> =
            self.selected_hwcaps.iter().map(|hwcap| join_directory(directory, &variant(hwcap))).collect();
        if let Some(legacy) = &self.legacy_hwcaps {
            paths.extend(
                legacy
                    .existing_subdirectories(search, directory)?
                    .iter()
                    .map(|directory| join_directory(directory, name)),
            );
        }
        paths.push(join_directory(directory, name));
        Ok(paths)
    }

    /// Returns the cache's path for `name`. With `DF_1_NODEFLIB`, paths that start with a default
    /// directory are ignored.
    fn find_in_cache(&self, name: &[u8], no_defaults: bool) -> Vec<RawPath> {
        let is_default = |path: &RawPath| {
            let directories = &self.constants.default_directories;
            directories.iter().any(|directory| path.as_bytes().starts_with(directory))
        };
        let path = self.cache.lookup(
            name,
            &self.selected_hwcaps,
            self.legacy_hwcaps.as_ref().map_or(0, LegacyHwcaps::supported_mask),
        );
        path.filter(|path| !(no_defaults && is_default(path))).into_iter().collect()
    }
}

/// Reads the cache; empty if there is none.
fn read_cache(tree: &dyn FileSystem, path: &[u8], machine: Machine) -> Result<LdCache, Error> {
    let walk = file_system::resolve_path(tree, &ImagePath::root(), path)?;
    let ResolutionEnd::File(_, file) = walk.end else { return Ok(LdCache::default()) };
    let size = usize::try_from(file.content.size().min(MAX_CACHE_SIZE)).unwrap_or_default();
    Ok(LdCache::parse(&file.content.open()?.read_bytes_at(0, size)?, machine))
}

/// Returns `AT_PLATFORM`, the kernel's name for the machine, or `None` if it depends on the CPU.
fn default_platform(machine: Machine) -> Option<&'static [u8]> {
    match machine.e_machine {
        h::EM_X86_64 => Some(b"x86_64"),
        h::EM_AARCH64 => Some(b"aarch64"),
        h::EM_386 => Some(b"i686"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldso::candidate::AcceptedObjects;
    use crate::ldso::loader_environment::HwcapsSelection;
    use coracle_core::content::Content;
    use coracle_core::file_system::MemoryFs;

    const MACHINE: Machine = Machine { is_64: true, is_little_endian: true, e_machine: 62, e_flags: 0 };

    /// Returns the paths that a loader with these strings in its file tries for `l` in `/r`.
    fn candidate_paths_of(strings: &str, hwcaps: HwcapsSelection) -> Vec<String> {
        let tree = MemoryFs::from_text("/r/tls/haswell/\n/r/x86_64/\n/r/sse2/");
        let environment = LoaderEnvironment { hwcaps, ..LoaderEnvironment::default() };
        let loader = Content::from_bytes(strings).open().unwrap();
        let glibc = GlibcLoader::read(&tree, &loader, MACHINE, &environment).unwrap();
        let (start, taken) = (ImagePath::root(), AcceptedObjects::default());
        let search = SearchContext { tree: &tree, start: &start, machine: MACHINE, accepted: &taken };
        let paths = glibc.candidate_paths(&search, &RawPath::new("/r"), b"l").unwrap();
        paths.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn searches_cpu_directories_up_to_2_36() {
        let names = "x86-64-v3:x86-64-v2";
        let (three, two) = ("/r/glibc-hwcaps/x86-64-v3/l", "/r/glibc-hwcaps/x86-64-v2/l");
        let old = ["/r/tls/haswell/l", "/r/tls/l", "/r/x86_64/l", "/r/l"];
        // `x86_64` is the platform and a feature at this level.
        let base = ["/r/tls/l", "/r/x86_64/l", "/r/x86_64/l", "/r/l"];
        let release = |number: u32| format!("{names}\0 release version 2.{number}.\n");
        assert_eq!(candidate_paths_of("", HwcapsSelection::All), old);
        assert_eq!(candidate_paths_of("", HwcapsSelection::None), base);
        assert_eq!(
            candidate_paths_of(&release(36), HwcapsSelection::All),
            [&[three, two][..], &old].concat()
        );
        assert_eq!(
            candidate_paths_of(&release(36), HwcapsSelection::UpTo(b"x86-64-v2".into())),
            [&[two][..], &base].concat()
        );
        assert_eq!(candidate_paths_of(&release(37), HwcapsSelection::All), [three, two, "/r/l"]);
        assert_eq!(candidate_paths_of(&release(42), HwcapsSelection::None), ["/r/l"]);
    }
}
