//! A glibc loader: its constants, its cache, and the directories that it searches. Source:
//! `_dl_map_object` and `fillin_rpath`, `elf/dl-load.c`.

use goblin::elf::header as h;

use super::dynamic_string_tokens::TokenValues;
use super::error::Error;
use super::glibc_constants::{GlibcConstants, MAX_LOADER_SIZE};
use super::ld_so_cache::LdCache;
use super::legacy_hwcaps::LegacyHwcaps;
use super::loader_environment::LoaderEnvironment;
use super::search::{Dependent, SearchLocation, SearchRule};
use crate::elf::Machine;
use coracle_core::content::OpenContent;
use coracle_core::file_system::{self, FileSystem, ResolutionEnd};
use coracle_core::path::{ImagePath, RawPath};

/// A glibc loader in one file system.
#[derive(Debug)]
pub(super) struct GlibcLoader {
    pub(super) constants: GlibcConstants,
    pub(super) cache: LdCache,
    /// Names of all CPU levels that the loader distinguishes, best first.
    known_hwcaps: Vec<Vec<u8>>,
    /// Names of the selected directories below `glibc-hwcaps`, best first.
    pub(super) selected_hwcaps: Vec<Vec<u8>>,
    /// The search in legacy directories named after CPU features. `None` since glibc 2.37.
    pub(super) legacy_hwcaps: Option<LegacyHwcaps>,
    library_path: Vec<u8>,
    platform: Option<Vec<u8>>,
}

/// The last glibc release that searches directories named after CPU features: 2.36.
const LAST_RELEASE_WITH_LEGACY_HWCAPS: u32 = 36;

impl GlibcLoader {
    /// Reads the constants from the loader's file, and the cache.
    pub(super) fn read(
        tree: &dyn FileSystem,
        loader: &OpenContent,
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
        let selected = environment.hwcaps.selected_names(&known_hwcaps);
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
                    &SearchRule::Rpath(object.raw_path.clone()),
                ));
            }
        }
        let program = dependent.chain().last().unwrap_or(dependent);
        locations.extend(self.path_list_locations(
            &self.library_path,
            b":;",
            program,
            &SearchRule::LibraryPath,
        ));
        let list = dependent.runpath.as_deref().unwrap_or_default();
        locations.extend(self.path_list_locations(
            list,
            b":",
            dependent,
            &SearchRule::Runpath(dependent.raw_path.clone()),
        ));

        let location =
            |path: &[u8], rule| SearchLocation { raw_path: RawPath::new(path), rule, origin: None };
        locations.push(location(&self.constants.cache_path, SearchRule::Cache));
        if !dependent.no_default_directories {
            let directories = self.constants.default_directories.iter();
            locations.extend(
                directories.map(|directory| {
                    location(&trim_trailing_slashes(directory), SearchRule::DefaultDirectory)
                }),
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
        rule: &SearchRule,
    ) -> Vec<SearchLocation> {
        let elements = split_path_list(list, separators);
        let expanded = elements.filter_map(|element| self.token_values(object).expand(element));
        let locations = expanded.map(|expanded| SearchLocation {
            raw_path: RawPath::new(trim_trailing_slashes(&expanded.bytes)),
            rule: rule.clone(),
            origin: expanded.has_origin.then(|| object.origin.clone()),
        });
        locations.collect()
    }
}

/// Reads the cache; empty if there is none.
fn read_cache(tree: &dyn FileSystem, path: &[u8], machine: Machine) -> Result<LdCache, Error> {
    let walk = file_system::resolve_path(tree, &ImagePath::root(), path)?;
    let ResolutionEnd::File(_, file) = walk.end else { return Ok(LdCache::default()) };
    Ok(LdCache::read(&file.content, path, machine)?)
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

/// Returns `directory` without trailing slashes, but `/` for the root.
fn trim_trailing_slashes(directory: &[u8]) -> Vec<u8> {
    let end = directory.iter().rposition(|&byte| byte != b'/').map_or(1, |last| last + 1);
    directory.iter().copied().take(end).collect()
}

/// Splits a list of directories at any of `separators`. Empty elements are kept: they mean the working
/// directory. An empty list has no elements.
fn split_path_list<'a>(list: &'a [u8], separators: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    list.split(|byte| separators.contains(byte)).filter(|_| !list.is_empty())
}
