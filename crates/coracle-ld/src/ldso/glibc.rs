//! glibc's library search. Source: `_dl_map_object` and `open_path`, `elf/dl-load.c`.

use goblin::elf::header as h;

use super::candidate::{Manner, Outcome, Search};
use super::constants::{Constants, MAX_LOADER};
use super::legacy::{Legacy, is_directory};
use super::token::Tokens;
use super::{Cache, Environment, Error, Found, Missed, Place, Requester, Rule};
use coracle_core::content::Reader;
use crate::elf::Machine;
use coracle_core::fs;
use coracle_core::path::{ImagePath, Spelled};
use coracle_core::file_system::{self, End, Tree};

/// A glibc loader in one file system.
#[derive(Debug)]
pub(super) struct Glibc {
    constants: Constants,
    cache: Cache,
    /// Names of all CPU levels that the loader distinguishes, best first.
    known: Vec<Vec<u8>>,
    /// Names of the selected directories below `glibc-hwcaps`, best first.
    hwcaps: Vec<Vec<u8>>,
    /// The search in legacy directories named after CPU features. `None` since glibc 2.37.
    legacy: Option<Legacy>,
    library_path: Vec<u8>,
    platform: Option<Vec<u8>>,
}

/// Maximum size of a cache. A full desktop's cache has some hundred kilobytes.
const MAX_CACHE: u64 = 16 << 20;

/// The last glibc release that searches directories named after CPU features: 2.36.
const LAST_LEGACY: u32 = 36;

impl Glibc {
    pub(super) fn read(
        tree: &dyn Tree,
        loader: &Reader,
        machine: Machine,
        environment: &Environment,
    ) -> Result<Self, Error> {
        if loader.size() > MAX_LOADER {
            return Err(Error::TooLarge(loader.size()));
        }
        let constants = Constants::read(loader, machine)?;
        let cache = read_cache(tree, &constants.cache, machine)?;
        let platform = environment.platform.clone().or_else(|| platform(machine).map(<[u8]>::to_vec));
        let is_legacy = constants.release.is_none_or(|release| release <= LAST_LEGACY);
        let legacy =
            is_legacy.then(|| Legacy::of(machine, &environment.hwcaps, environment.platform.as_deref()));
        if let Some(legacy) = legacy.as_ref().filter(|_| cache.has_masks()) {
            legacy.set_varies();
        }
        let known = match &legacy {
            Some(legacy) => legacy.known().map(|name| name.as_bytes().to_vec()).collect(),
            None => constants.hwcaps.clone(),
        };
        // An older loader may not support the best selected level.
        let chosen = environment.hwcaps.of(&known);
        let hwcaps = constants.hwcaps.iter().filter(|name| chosen.contains(name)).cloned().collect();
        let library_path = environment.library_path.clone();
        Ok(Self { constants, cache, known, hwcaps, legacy, library_path, platform })
    }

    pub(super) fn cache_path(&self) -> Spelled {
        Spelled::new(self.constants.cache.as_slice())
    }

    /// Returns the names of all CPU levels that the loader distinguishes, best first.
    pub(super) fn known_hwcaps(&self) -> &[Vec<u8>] {
        &self.known
    }

    /// Returns whether a search so far depended on legacy CPU features.
    pub(super) fn varies(&self) -> bool {
        self.legacy.as_ref().is_some_and(Legacy::varies)
    }

    pub(super) fn tokens<'a>(&'a self, requester: &'a Requester) -> Tokens<'a> {
        Tokens {
            origin: &requester.origin,
            lib: self.constants.lib.as_deref(),
            platform: self.platform.as_deref(),
        }
    }

    /// Returns the search path in order:
    /// - `DT_RPATH` of the object and of its ancestors, unless the object has `DT_RUNPATH`
    /// - `LD_LIBRARY_PATH`
    /// - `DT_RUNPATH` of the object itself
    /// - the cache
    /// - the default directories
    pub(super) fn places(&self, requester: &Requester) -> Vec<Place> {
        let mut places = Vec::new();
        if requester.runpath.is_none() {
            for object in requester.chain().filter(|object| object.runpath.is_none()) {
                let list = object.rpath.as_deref().unwrap_or_default();
                places.extend(self.split(list, b":", object, &Rule::Rpath(object.spelled.clone())));
            }
        }
        let program = requester.chain().last().unwrap_or(requester);
        places.extend(self.split(&self.library_path, b":;", program, &Rule::LibraryPath));
        let list = requester.runpath.as_deref().unwrap_or_default();
        places.extend(self.split(list, b":", requester, &Rule::Runpath(requester.spelled.clone())));

        let place = |path: &[u8], rule| Place { directory: Spelled::new(path), rule, origin: None };
        places.push(place(&self.constants.cache, Rule::Cache));
        if !requester.no_default_directories {
            let directories = self.constants.default_directories.iter();
            places.extend(directories.map(|directory| place(&trimmed(directory), Rule::DefaultDirectory)));
        }
        places
    }

    /// Splits a path list, expands tokens and trims trailing slashes. An empty element is the
    /// working directory.
    fn split(&self, list: &[u8], separators: &[u8], object: &Requester, rule: &Rule) -> Vec<Place> {
        if list.is_empty() {
            return Vec::new();
        }
        let elements = list.split(|byte| separators.contains(byte));
        let expanded = elements.filter_map(|element| self.tokens(object).expand(element));
        let places = expanded.map(|expanded| Place {
            directory: Spelled::new(trimmed(&expanded.bytes)),
            rule: rule.clone(),
            origin: expanded.origin.then(|| object.origin.clone()),
        });
        places.collect()
    }

    pub(super) fn find(
        &self,
        search: &Search<'_>,
        name: &[u8],
        requester: &Requester,
    ) -> fs::Result<Result<Found, Missed>> {
        let no_defaults = requester.no_default_directories;
        let mut missed = Missed::default();
        let mut given_up = None;
        for place in self.places(requester) {
            missed.places.push(place.clone());
            if given_up.as_ref() == Some(&place.rule) {
                continue;
            }
            let paths = match place.rule {
                Rule::Cache => self.cached(name, no_defaults),
                _ => self.in_directory(search, &place.directory, name)?,
            };
            for path in paths {
                // The error of the last path tried, the plain one, decides whether to continue.
                given_up = None;
                match Self::open(search, &path, &place, requester)? {
                    Outcome::Absent => {}
                    Outcome::Loop => given_up = Some(place.rule.clone()),
                    Outcome::Taken(candidate) => {
                        return Ok(Ok(Found {
                            candidate: *candidate,
                            rule: place.rule,
                            origin: place.origin,
                            passed: missed,
                        }));
                    }
                    Outcome::Refused { refusal, fatal } => {
                        missed.refused.push((path, refusal));
                        if fatal {
                            missed.fatal = true;
                            return Ok(Err(missed));
                        }
                    }
                }
            }
        }
        Ok(Err(missed))
    }

    /// Tries one file (`open_path`).
    ///
    /// An error in a directory that does not exist does not end its path list. After a miss glibc
    /// checks whether the directory exists. For `/` it checks an empty path, so `/` counts as
    /// missing from then on.
    fn open(
        search: &Search<'_>,
        path: &Spelled,
        place: &Place,
        requester: &Requester,
    ) -> fs::Result<Outcome> {
        let is_root = place.directory.as_bytes() == b"/" && path.directory() == place.directory;
        let root = &requester.chain().last().unwrap_or(requester).root;
        if is_root && root.get() == Some(false) {
            return Ok(Outcome::Absent);
        }
        let outcome = search.open(path, Manner::PassOver)?;
        if is_root && root.get().is_none() && !matches!(outcome, Outcome::Refused { fatal: true, .. }) {
            root.set(Some(matches!(outcome, Outcome::Taken(_))));
        }
        // glibc assumes that a relative directory exists (`fillin_rpath`).
        let is_absolute = place.directory.as_bytes().starts_with(b"/");
        Ok(match outcome {
            Outcome::Loop if is_root && root.get() == Some(false) => Outcome::Absent,
            Outcome::Loop if is_absolute && !is_directory(search, &place.directory)? => Outcome::Absent,
            outcome => outcome,
        })
    }

    /// Returns the paths to try in one directory: CPU-specific ones first, the plain one last.
    fn in_directory(
        &self,
        search: &Search<'_>,
        directory: &Spelled,
        name: &[u8],
    ) -> fs::Result<Vec<Spelled>> {
        let variant = |hwcap: &Vec<u8>| [b"glibc-hwcaps/", hwcap.as_slice(), b"/", name].concat();
        let mut paths: Vec<Spelled> =
            self.hwcaps.iter().map(|hwcap| below(directory, &variant(hwcap))).collect();
        if let Some(legacy) = &self.legacy {
            paths.extend(legacy.below(search, directory)?.iter().map(|directory| below(directory, name)));
        }
        paths.push(below(directory, name));
        Ok(paths)
    }

    /// Returns the cache's path for `name`. With `DF_1_NODEFLIB`, paths that start with a default
    /// directory are ignored.
    fn cached(&self, name: &[u8], no_defaults: bool) -> Vec<Spelled> {
        let is_default = |path: &Spelled| {
            let directories = &self.constants.default_directories;
            directories.iter().any(|directory| path.as_bytes().starts_with(directory))
        };
        let path = self.cache.lookup(name, &self.hwcaps, self.legacy.as_ref().map_or(0, Legacy::mask));
        path.filter(|path| !(no_defaults && is_default(path))).into_iter().collect()
    }
}

/// Joins `directory` and `name`. An empty directory is the working directory.
pub(super) fn below(directory: &Spelled, name: &[u8]) -> Spelled {
    let directory = directory.as_bytes();
    if directory.is_empty() { Spelled::new(name) } else { Spelled::in_directory(directory, name) }
}

/// Trims trailing slashes, but keeps the root's.
fn trimmed(directory: &[u8]) -> Vec<u8> {
    let end = directory.iter().rposition(|&byte| byte != b'/').map_or(1, |last| last + 1);
    directory.iter().copied().take(end).collect()
}

fn read_cache(tree: &dyn Tree, path: &[u8], machine: Machine) -> Result<Cache, Error> {
    let walk = file_system::walk(tree, &ImagePath::root(), path)?;
    let End::File(_, file) = walk.end else { return Ok(Cache::default()) };
    let size = usize::try_from(file.content.size().min(MAX_CACHE)).unwrap_or_default();
    Ok(Cache::parse(&file.content.open()?.bytes_at(0, size)?, machine))
}

/// Returns `AT_PLATFORM`, the kernel's name for the machine, or `None` if it depends on the CPU.
fn platform(machine: Machine) -> Option<&'static [u8]> {
    match machine.number {
        h::EM_X86_64 => Some(b"x86_64"),
        h::EM_AARCH64 => Some(b"aarch64"),
        h::EM_386 => Some(b"i686"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_core::content::Content;
    use crate::ldso::Hwcaps;
    use crate::ldso::candidate::Taken;
    use coracle_core::file_system::memory::MemoryTree;

    const MACHINE: Machine = Machine { is_64: true, is_little_endian: true, number: 62, flags: 0 };

    /// Returns the paths that a loader with these strings in its file tries for `l` in `/r`.
    fn tried(strings: &str, hwcaps: Hwcaps) -> Vec<String> {
        let tree = MemoryTree::new("/r/tls/haswell/\n/r/x86_64/\n/r/sse2/");
        let environment = Environment { hwcaps, ..Environment::default() };
        let loader = Content::bytes(strings).open().unwrap();
        let glibc = Glibc::read(&tree, &loader, MACHINE, &environment).unwrap();
        let (start, taken) = (ImagePath::root(), Taken::default());
        let search = Search { tree: &tree, start: &start, wanted: MACHINE, taken: &taken };
        let paths = glibc.in_directory(&search, &Spelled::new("/r"), b"l").unwrap();
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
        assert_eq!(tried("", Hwcaps::All), old);
        assert_eq!(tried("", Hwcaps::None), base);
        assert_eq!(tried(&release(36), Hwcaps::All), [&[three, two][..], &old].concat());
        assert_eq!(tried(&release(36), Hwcaps::UpTo(b"x86-64-v2".into())), [&[two][..], &base].concat());
        assert_eq!(tried(&release(37), Hwcaps::All), [three, two, "/r/l"]);
        assert_eq!(tried(&release(42), Hwcaps::None), ["/r/l"]);
    }
}
