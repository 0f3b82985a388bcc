//! Legacy CPU-specific directories, which glibc up to 2.36 searches after `glibc-hwcaps` and before
//! the plain directory: `tls`, the platform and CPU features, alone and nested.
//!
//! Source: `_dl_important_hwcaps`, `elf/dl-hwcaps.c`, and `search_cache`, `elf/dl-cache.c`, of
//! 2.36.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::rc::Rc;

use super::Hwcaps;
use super::candidate::Search;
use super::levels::{Level, levels};
use crate::elf::Machine;
use coracle_core::fs;
use coracle_core::path::Spelled;
use coracle_core::file_system::{self, End};

/// The legacy directories and masks for one CPU level.
#[derive(Debug)]
pub(super) struct Legacy {
    levels: &'static [Level],
    /// Names of directories, outermost first.
    names: Vec<Vec<u8>>,
    /// The same for the other levels.
    others: Vec<Vec<Vec<u8>>>,
    mask: u64,
    /// Legacy directories that exist below the directories searched so far.
    seen: RefCell<BTreeMap<Spelled, Rc<[Spelled]>>>,
    varies: Cell<bool>,
}

const TLS: &str = "tls";
/// `_DL_HWCAP_TLS_MASK`.
const TLS_MASK: u64 = 1 << 63;

impl Legacy {
    /// Selects the level for `hwcaps`. `platform` overrides `AT_PLATFORM`.
    pub(super) fn of(machine: Machine, hwcaps: &Hwcaps, platform: Option<&[u8]>) -> Self {
        let levels = levels(machine);
        let base = levels.len().saturating_sub(1);
        let own = match hwcaps {
            Hwcaps::All => 0,
            Hwcaps::None => base,
            Hwcaps::UpTo(name) => {
                levels.iter().position(|level| level.name.as_bytes() == name).unwrap_or(base)
            }
        };
        let mut all: Vec<Vec<Vec<u8>>> = levels.iter().map(|level| names(level, platform)).collect();
        let level = levels.get(own).filter(|_| has_masks(machine));
        let mask = level.map_or(0, |level| mask(level, levels, platform));
        let names = if own < all.len() { all.remove(own) } else { Vec::new() };
        all.retain(|others| *others != names);
        Self { levels, names, others: all, mask, seen: RefCell::default(), varies: Cell::new(false) }
    }

    /// Returns the names of the levels, best first, without the baseline.
    pub(super) fn known(&self) -> impl Iterator<Item = &'static str> {
        self.levels.iter().map(|level| level.name).filter(|name| !name.is_empty())
    }

    /// Returns the bits that masks of cache entries may have.
    pub(super) fn mask(&self) -> u64 {
        self.mask
    }

    /// Returns whether a result so far would differ on another CPU level.
    pub(super) fn varies(&self) -> bool {
        self.varies.get()
    }

    /// Records that the cache has entries for some CPUs only.
    pub(super) fn set_varies(&self) {
        self.varies.set(true);
    }

    /// Returns the existing legacy directories below `directory`, in search order.
    pub(super) fn below(&self, search: &Search<'_>, directory: &Spelled) -> fs::Result<Rc<[Spelled]>> {
        if let Some(seen) = self.seen.borrow().get(directory) {
            return Ok(seen.clone());
        }
        let own = existing(search, directory, &self.names)?;
        for names in &self.others {
            if existing(search, directory, names)? != own {
                self.varies.set(true);
            }
        }
        let own: Rc<[Spelled]> = own.into();
        self.seen.borrow_mut().insert(directory.clone(), own.clone());
        Ok(own)
    }
}

/// Returns the existing directories among all ordered subsets of `names`, nested in that order. The
/// order is that of a binary countdown: subsets with the first name come first. If a directory does
/// not exist, nothing below it is tried.
fn existing(search: &Search<'_>, directory: &Spelled, names: &[Vec<u8>]) -> fs::Result<Vec<Spelled>> {
    let Some((first, rest)) = names.split_first() else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    let below = super::glibc::below(directory, first);
    if is_directory(search, &below)? {
        found = existing(search, &below, rest)?;
        found.push(below);
    }
    found.extend(existing(search, directory, rest)?);
    Ok(found)
}

pub(super) fn is_directory(search: &Search<'_>, path: &Spelled) -> fs::Result<bool> {
    match file_system::walk(search.tree, search.start, path.as_bytes()) {
        Ok(walk) => Ok(matches!(walk.end, End::Directory(_))),
        Err(e) if e.kind() == ErrorKind::PermissionDenied => Ok(false),
        Err(e) => Err(e),
    }
}

fn names(level: &Level, platform: Option<&[u8]>) -> Vec<Vec<u8>> {
    let own = level.platform.map(|(name, _)| name.as_bytes());
    let features = level.features.iter().map(|(name, _)| name.as_bytes());
    let names = [TLS.as_bytes()].into_iter().chain(platform.or(own)).chain(features);
    names.map(<[u8]>::to_vec).collect()
}

/// MIPS loaders reject entries that have a mask.
fn has_masks(machine: Machine) -> bool {
    machine.number != goblin::elf::header::EM_MIPS
}

fn mask(level: &Level, levels: &[Level], platform: Option<&[u8]>) -> u64 {
    let mut platforms = levels.iter().filter_map(|level| level.platform);
    let platform = match platform {
        Some(given) => platforms.find(|(name, _)| name.as_bytes() == given),
        None => level.platform,
    };
    let bits = level.features.iter().copied().chain(platform).map(|(_, bit)| bit);
    bits.fold(TLS_MASK, |mask, bit| mask | bit)
}
