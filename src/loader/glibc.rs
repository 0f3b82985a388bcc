//! glibc's search. Source: `_dl_map_object` and `open_path`, `elf/dl-load.c`.

use goblin::elf::header as h;

use super::candidate::{Manner, Outcome, Search};
use super::constants::{Constants, MAX_LOADER};
use super::token::Tokens;
use super::{Cache, Error, Found, Missed, Place, Requester, Rule};
use crate::content::Reader;
use crate::elf::Machine;
use crate::fs;
use crate::path::{ImagePath, Spelled};
use crate::tree::{self, End, Tree};

/// A glibc loader in one tree.
#[derive(Debug)]
pub(super) struct Glibc {
    constants: Constants,
    cache: Cache,
    platform: Option<&'static [u8]>,
}

/// A cache of a full desktop has some hundred kilobytes.
const MAX_CACHE: u64 = 64 << 20;

impl Glibc {
    pub(super) fn read(tree: &dyn Tree, loader: &Reader, machine: Machine) -> Result<Self, Error> {
        if loader.size() > MAX_LOADER {
            return Err(Error::TooLarge(loader.size()));
        }
        let constants = Constants::read(loader, machine)?;
        let cache = read_cache(tree, &constants.cache, machine)?;
        Ok(Self { constants, cache, platform: platform(machine) })
    }

    pub(super) fn cache_path(&self) -> Spelled {
        Spelled::new(self.constants.cache.as_slice())
    }

    pub(super) fn tokens<'a>(&'a self, requester: &'a Requester) -> Tokens<'a> {
        Tokens { origin: &requester.origin, lib: self.constants.lib.as_deref(), platform: self.platform }
    }

    /// `DT_RPATH` of the object and of all that brought it in, unless it has a `DT_RUNPATH`, which is its own alone;
    /// then the cache and the default directories.
    pub(super) fn places(&self, requester: &Requester) -> Vec<Place> {
        let mut places = Vec::new();
        if requester.runpath.is_none() {
            let chain = std::iter::successors(Some(requester), |requester| requester.parent.as_deref());
            for object in chain.filter(|object| object.runpath.is_none()) {
                let rule = || Rule::Rpath(object.spelled.clone());
                places.extend(self.split(object.rpath.as_deref(), object, &rule));
            }
        } else {
            let rule = || Rule::Runpath(requester.spelled.clone());
            places.extend(self.split(requester.runpath.as_deref(), requester, &rule));
        }
        let place =
            |path: &Vec<u8>, rule| Place { directory: Spelled::new(path.as_slice()), rule, origin: None };
        places.push(place(&self.constants.cache, Rule::Cache));
        if !requester.no_default_directories {
            let directories = self.constants.default_directories.iter();
            places.extend(directories.map(|directory| place(&trimmed(directory), Rule::DefaultDirectory)));
        }
        places
    }

    /// The elements of a path list, tokens replaced, slashes at the end dropped; an empty one is the working directory.
    fn split(&self, list: Option<&[u8]>, object: &Requester, rule: &dyn Fn() -> Rule) -> Vec<Place> {
        let Some(list) = list.filter(|list| !list.is_empty()) else { return Vec::new() };
        let elements = list.split(|&byte| byte == b':');
        elements
            .filter_map(|element| self.tokens(object).expand(element))
            .map(|expanded| Place {
                directory: Spelled::new(trimmed(&expanded.bytes)),
                rule: rule(),
                origin: expanded.origin.then(|| object.origin.clone()),
            })
            .collect()
    }

    pub(super) fn find(
        &self,
        search: &Search<'_>,
        name: &[u8],
        places: Vec<Place>,
    ) -> fs::Result<Result<Found, Missed>> {
        let no_defaults = !places.iter().any(|place| place.rule == Rule::DefaultDirectory);
        let mut missed = Missed::default();
        for place in places {
            let paths = if place.rule == Rule::Cache {
                self.cached(name, no_defaults)
            } else {
                vec![in_directory(place.directory.as_bytes(), name)]
            };
            missed.places.push(place.clone());
            for path in paths {
                match search.open(&path, Manner::PassOver)? {
                    Outcome::Absent => {}
                    Outcome::Taken(candidate) => {
                        return Ok(Ok(Found {
                            candidate: *candidate,
                            rule: place.rule,
                            origin: place.origin,
                        }));
                    }
                    Outcome::Refused { refusal, fatal } => {
                        missed.refused.push((path, refusal));
                        if fatal {
                            return Ok(Err(missed));
                        }
                    }
                }
            }
        }
        Ok(Err(missed))
    }

    /// The cache's path for `name`; with `DF_1_NODEFLIB` none that starts like a default directory.
    fn cached(&self, name: &[u8], no_defaults: bool) -> Vec<Spelled> {
        let is_default = |path: &Spelled| {
            let directories = &self.constants.default_directories;
            directories.iter().any(|directory| path.as_bytes().starts_with(directory))
        };
        let paths = self.cache.lookup(name).iter();
        paths.filter(|path| !(no_defaults && is_default(path))).take(1).cloned().collect()
    }
}

/// An empty element means the working directory, so the name alone.
fn in_directory(directory: &[u8], name: &[u8]) -> Spelled {
    if directory.is_empty() { Spelled::new(name) } else { Spelled::in_directory(directory, name) }
}

/// Without slashes at the end; the root keeps its own.
fn trimmed(directory: &[u8]) -> Vec<u8> {
    let end = directory.iter().rposition(|&byte| byte != b'/').map_or(1, |last| last + 1);
    directory.iter().copied().take(end).collect()
}

fn read_cache(tree: &dyn Tree, path: &[u8], machine: Machine) -> Result<Cache, Error> {
    let walk = tree::walk(tree, &ImagePath::root(), path)?;
    let End::File(_, file) = walk.end else { return Ok(Cache::default()) };
    let size = usize::try_from(file.content.size().min(MAX_CACHE)).unwrap_or_default();
    Ok(Cache::parse(&file.content.open()?.bytes_at(0, size)?, machine))
}

/// `AT_PLATFORM`, the kernel's name for the machine, where it does not depend on the CPU.
fn platform(machine: Machine) -> Option<&'static [u8]> {
    match machine.number {
        h::EM_X86_64 => Some(b"x86_64"),
        h::EM_AARCH64 => Some(b"aarch64"),
        h::EM_386 => Some(b"i686"),
        _ => None,
    }
}
