//! Search files of dynamic loaders: glibc's `ld.so.cache`, musl's path file. An image gets one only
//! if its programs do not resolve without it.

use super::Reason;
use coracle_ld::closure::{Closure, Elf};
use coracle_ld::elf::Machine;
use coracle_core::fs;
use coracle_ld::ldso::{Cache, CacheEntry};
use coracle_core::path::{ImagePath, Spelled};
use coracle_core::file_system::{self, End, Tree};

/// The maximum size of a cache, in bytes: more than that of a large distribution.
const LIMIT: usize = 16 << 20;

/// A search file: path, contents and reason.
pub(super) type Pointer = (ImagePath, Vec<u8>, Reason);

/// Returns the search files by which libraries of `closures` were found. Entries of the base
/// image's cache for other libraries are kept.
pub(super) fn pointers(closures: &[&Closure], base: Option<&dyn Tree>) -> fs::Result<Vec<Pointer>> {
    Ok(path_files(closures).chain(cache(closures, base)?).collect())
}

/// Returns musl's path files, unchanged.
fn path_files(closures: &[&Closure]) -> impl Iterator<Item = Pointer> {
    let maps = closures.iter().flat_map(|closure| closure.elves()).flat_map(Elf::maps);
    maps.filter(|map| map.uses_path_file()).filter_map(|map| {
        let (path, list) = map.loader.as_ref()?.path_file()?;
        Some((ImagePath::parse(path.as_bytes()).ok()?, list.to_vec(), Reason::PathFile))
    })
}

/// Returns a cache with all libraries that were found through a cache.
fn cache(closures: &[&Closure], base: Option<&dyn Tree>) -> fs::Result<Option<Pointer>> {
    let elves = closures.iter().flat_map(|closure| closure.elves());
    let maps = elves.flat_map(|elf| elf.maps().map(|map| (elf.machine, map)));
    let mut entries = Vec::new();
    let mut place = None;
    for (machine, map) in maps {
        let Some(path) = map.loader.as_ref().and_then(|loader| loader.cache_path()) else { continue };
        place = Some((path.clone(), machine));
        entries.extend(
            map.by_cache().map(|(name, path)| CacheEntry { name: name.to_vec(), path: path.clone() }),
        );
    }
    let Some((path, machine)) = place.filter(|_| !entries.is_empty()) else { return Ok(None) };
    if let Some(base) = base {
        let theirs = entries_of(base, &path, machine)?;
        let is_new = |entry: &CacheEntry| !entries.iter().any(|ours| ours.name == entry.name);
        let theirs: Vec<CacheEntry> = theirs.into_iter().filter(is_new).collect();
        entries.extend(theirs);
    }
    let Ok(place) = ImagePath::parse(path.as_bytes()) else { return Ok(None) };
    Ok(Some((place, Cache::write(entries, machine), Reason::LoaderCache)))
}

/// Returns the entries of a base image's cache, without `glibc-hwcaps` variants.
fn entries_of(base: &dyn Tree, path: &Spelled, machine: Machine) -> fs::Result<Vec<CacheEntry>> {
    let End::File(_, file) = file_system::walk(base, &ImagePath::root(), path.as_bytes())?.end else {
        return Ok(Vec::new());
    };
    let reader = file.content.open()?;
    let bytes = reader.bytes_at(0, LIMIT)?;
    Ok(Cache::parse(&bytes, machine).entries())
}
