//! Files that tell a loader where libraries are: glibc's cache, musl's path file. An image gets one when it does not
//! resolve without it.

use super::Reason;
use coracle_ld::closure::{Closure, Elf};
use coracle_ld::elf::Machine;
use coracle_core::fs;
use coracle_ld::ldso::{Cache, CacheEntry};
use coracle_core::path::{ImagePath, Spelled};
use coracle_core::file_system::{self, End, Tree};

/// More than the cache of a large distribution has.
const LIMIT: usize = 16 << 20;

/// A file that tells a loader where libraries are.
pub(super) type Pointer = (ImagePath, Vec<u8>, Reason);

/// What tells the loaders of these programs where libraries are, as far as any was found by it; what the `base` says of
/// other libraries stays.
pub(super) fn pointers(closures: &[&Closure], base: Option<&dyn Tree>) -> fs::Result<Vec<Pointer>> {
    Ok(path_files(closures).chain(cache(closures, base)?).collect())
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

/// What the cache of a base leads to, variants for some CPUs left out.
fn entries_of(base: &dyn Tree, path: &Spelled, machine: Machine) -> fs::Result<Vec<CacheEntry>> {
    let End::File(_, file) = file_system::walk(base, &ImagePath::root(), path.as_bytes())?.end else {
        return Ok(Vec::new());
    };
    let reader = file.content.open()?;
    let bytes = reader.bytes_at(0, LIMIT)?;
    Ok(Cache::parse(&bytes, machine).entries())
}
