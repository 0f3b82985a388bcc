//! Legacy CPU-specific directories, which glibc up to 2.36 searches after `glibc-hwcaps` and before
//! the plain directory: `tls`, the platform and CPU features, alone and nested.
//!
//! Source: `_dl_important_hwcaps`, `elf/dl-hwcaps.c`, and `search_cache`, `elf/dl-cache.c`, of
//! 2.36.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::candidate::SearchContext;
use super::cpu_levels::{CpuLevel, cpu_levels};
use super::loader_environment::HwcapsSelection;
use crate::elf::Machine;
use coracle_core::fs;
use coracle_core::path::RawPath;

/// The legacy directories and masks for one CPU level.
#[derive(Debug)]
pub(super) struct LegacyHwcaps {
    levels: &'static [CpuLevel],
    /// Names of directories, outermost first.
    directory_names: Vec<Vec<u8>>,
    /// The names of the directories for each other level.
    other_levels: Vec<Vec<Vec<u8>>>,
    /// The bits that masks of cache entries may have.
    mask: u64,
    /// Legacy directories that exist below the directories searched so far.
    cached_subdirectories: RefCell<BTreeMap<RawPath, Rc<[RawPath]>>>,
    is_cpu_dependent: Cell<bool>,
}

const TLS: &str = "tls";
/// `_DL_HWCAP_TLS_MASK`.
const TLS_MASK: u64 = 1 << 63;

impl LegacyHwcaps {
    /// Selects the level for `hwcaps`. `platform` overrides `AT_PLATFORM`.
    pub(super) fn new(machine: Machine, hwcaps: &HwcapsSelection, platform: Option<&[u8]>) -> Self {
        let levels = cpu_levels(machine);
        let baseline = levels.len().saturating_sub(1);
        let selected = match hwcaps {
            HwcapsSelection::All => 0,
            HwcapsSelection::None => baseline,
            HwcapsSelection::UpTo(name) => {
                levels.iter().position(|level| level.name.as_bytes() == name).unwrap_or(baseline)
            }
        };
        let mut all: Vec<Vec<Vec<u8>>> =
            levels.iter().map(|level| directory_names(level, platform)).collect();
        let level = levels.get(selected).filter(|_| accepts_masked_entries(machine));
        let mask = level.map_or(0, |level| level_mask(level, levels, platform));
        let directory_names = if selected < all.len() { all.remove(selected) } else { Vec::new() };
        all.retain(|others| *others != directory_names);
        Self {
            levels,
            directory_names,
            other_levels: all,
            mask,
            cached_subdirectories: RefCell::default(),
            is_cpu_dependent: Cell::new(false),
        }
    }

    /// Returns the names of the levels, best first, without the baseline.
    pub(super) fn level_names(&self) -> impl Iterator<Item = &'static str> {
        self.levels.iter().map(|level| level.name).filter(|name| !name.is_empty())
    }

    /// Returns the bits that masks of cache entries may have.
    pub(super) fn supported_mask(&self) -> u64 {
        self.mask
    }

    /// Returns whether a result so far would differ on another CPU level.
    pub(super) fn is_cpu_dependent(&self) -> bool {
        self.is_cpu_dependent.get()
    }

    /// Records that the cache has entries for some CPUs only.
    pub(super) fn mark_cpu_dependent(&self) {
        self.is_cpu_dependent.set(true);
    }

    /// Returns the existing legacy directories below `directory`, in search order.
    pub(super) fn existing_subdirectories(
        &self,
        search: &SearchContext<'_>,
        directory: &RawPath,
    ) -> fs::Result<Rc<[RawPath]>> {
        if let Some(seen) = self.cached_subdirectories.borrow().get(directory) {
            return Ok(seen.clone());
        }
        let own = find_subdirectories(search, directory, &self.directory_names)?;
        for names in &self.other_levels {
            if find_subdirectories(search, directory, names)? != own {
                self.is_cpu_dependent.set(true);
            }
        }
        let own: Rc<[RawPath]> = own.into();
        self.cached_subdirectories.borrow_mut().insert(directory.clone(), own.clone());
        Ok(own)
    }
}

/// Returns the existing directories among all ordered subsets of `names`, nested in that order. The
/// order is that of a binary countdown: subsets with the first name come first. If a directory does
/// not exist, nothing below it is tried.
fn find_subdirectories(
    search: &SearchContext<'_>,
    directory: &RawPath,
    names: &[Vec<u8>],
) -> fs::Result<Vec<RawPath>> {
    let Some((first, rest)) = names.split_first() else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    let below = join_directory(directory, first);
    if search.is_directory(&below)? {
        found = find_subdirectories(search, &below, rest)?;
        found.push(below);
    }
    found.extend(find_subdirectories(search, directory, rest)?);
    Ok(found)
}

/// Joins `directory` and `name`. An empty directory is the working directory.
pub(super) fn join_directory(directory: &RawPath, name: &[u8]) -> RawPath {
    let directory = directory.as_bytes();
    if directory.is_empty() { RawPath::new(name) } else { RawPath::join_bytes(directory, name) }
}

/// Returns the names of the legacy directories for `level`, outermost first.
fn directory_names(level: &CpuLevel, platform: Option<&[u8]>) -> Vec<Vec<u8>> {
    let own = level.platform.map(|(name, _)| name.as_bytes());
    let features = level.features.iter().map(|(name, _)| name.as_bytes());
    let names = [TLS.as_bytes()].into_iter().chain(platform.or(own)).chain(features);
    names.map(<[u8]>::to_vec).collect()
}

/// Returns whether the loader accepts cache entries that have a mask. MIPS loaders do not.
fn accepts_masked_entries(machine: Machine) -> bool {
    machine.e_machine != goblin::elf::header::EM_MIPS
}

/// Returns the bits that masks of cache entries may have on `level`.
fn level_mask(level: &CpuLevel, levels: &[CpuLevel], platform: Option<&[u8]>) -> u64 {
    let mut platforms = levels.iter().filter_map(|level| level.platform);
    let platform = match platform {
        Some(given) => platforms.find(|(name, _)| name.as_bytes() == given),
        None => level.platform,
    };
    let bits = level.features.iter().copied().chain(platform).map(|(_, bit)| bit);
    bits.fold(TLS_MASK, |mask, bit| mask | bit)
}
