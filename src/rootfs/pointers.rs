//! Files that tell a loader where libraries are: glibc's cache, musl's path file. An image gets one when it does not
//! resolve without it.

use super::Reason;
use crate::closure::{Closure, Elf};
use crate::loader::{Cache, CacheEntry};
use crate::path::ImagePath;

/// A file that tells a loader where libraries are.
pub(super) type Pointer = (ImagePath, Vec<u8>, Reason);

/// What tells the loaders of these programs where libraries are, as far as any was found by it.
pub(super) fn pointers(closures: &[&Closure]) -> Vec<Pointer> {
    path_files(closures).chain(cache(closures)).collect()
}

/// musl's lists of directories, as they are.
fn path_files(closures: &[&Closure]) -> impl Iterator<Item = Pointer> {
    let maps = closures.iter().flat_map(|closure| closure.elves()).flat_map(Elf::maps);
    maps.filter(|map| map.uses_path_file()).filter_map(|map| {
        let (path, list) = map.loader.as_ref()?.path_file()?;
        Some((ImagePath::parse(path.as_bytes()).ok()?, list.to_vec(), Reason::PathFile))
    })
}

/// A cache that leads to everything that was found by one.
fn cache(closures: &[&Closure]) -> Option<Pointer> {
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
    let (path, machine) = place.filter(|_| !entries.is_empty())?;
    Some((ImagePath::parse(path.as_bytes()).ok()?, Cache::write(entries, machine), Reason::LoaderCache))
}
