//! Search files of dynamic loaders: glibc's `ld.so.cache`, musl's path file. An image gets one only
//! if its programs do not resolve without it.

use super::EntryReason;
use coracle_core::file_system::{self, FileSystem, ResolutionEnd};
use coracle_core::fs;
use coracle_core::path::{ImagePath, RawPath};
use coracle_ld::closure::{Closure, ElfProgram};
use coracle_ld::elf::Machine;
use coracle_ld::ldso::{CacheEntry, LdCache};

/// The maximum size of a cache, in bytes: more than that of a large distribution.
const MAX_CACHE_SIZE: usize = 16 << 20;

/// A search file: path, contents and reason.
pub(super) type LoaderSearchFile = (ImagePath, Vec<u8>, EntryReason);

/// Returns the search files by which libraries of `closures` were found. Entries of the base
/// image's cache for other libraries are kept.
pub(super) fn loader_search_files(
    closures: &[&Closure],
    base: Option<&dyn FileSystem>,
) -> fs::Result<Vec<LoaderSearchFile>> {
    Ok(musl_path_files(closures).chain(ld_so_cache(closures, base)?).collect())
}

/// Returns musl's path files, unchanged.
fn musl_path_files(closures: &[&Closure]) -> impl Iterator<Item = LoaderSearchFile> {
    let maps = closures.iter().flat_map(|closure| closure.elf_programs()).flat_map(ElfProgram::all_link_maps);
    maps.filter(|map| map.uses_path_file()).filter_map(|map| {
        let (path, list) = map.loader.as_ref()?.musl_path_file()?;
        Some((ImagePath::parse(path.as_bytes()).ok()?, list.to_vec(), EntryReason::MuslPathFile))
    })
}

/// Returns a cache with all libraries that were found through a cache.
fn ld_so_cache(closures: &[&Closure], base: Option<&dyn FileSystem>) -> fs::Result<Option<LoaderSearchFile>> {
    let elves = closures.iter().flat_map(|closure| closure.elf_programs());
    let maps = elves.flat_map(|elf| elf.all_link_maps().map(|map| (elf.machine, map)));
    let mut entries = Vec::new();
    let mut place = None;
    for (machine, map) in maps {
        let Some(path) = map.loader.as_ref().and_then(|loader| loader.cache_path()) else { continue };
        place = Some((path.clone(), machine));
        entries.extend(
            map.found_in_cache().map(|(name, path)| CacheEntry { name: name.to_vec(), path: path.clone() }),
        );
    }
    let Some((path, machine)) = place.filter(|_| !entries.is_empty()) else { return Ok(None) };
    if let Some(base) = base {
        let theirs = base_cache_entries(base, &path, machine)?;
        let is_new = |entry: &CacheEntry| !entries.iter().any(|ours| ours.name == entry.name);
        let theirs: Vec<CacheEntry> = theirs.into_iter().filter(is_new).collect();
        entries.extend(theirs);
    }
    let Ok(place) = ImagePath::parse(path.as_bytes()) else { return Ok(None) };
    Ok(Some((place, LdCache::serialize(entries, machine), EntryReason::LdSoCache)))
}

/// Returns the entries of a base image's cache, without `glibc-hwcaps` variants.
fn base_cache_entries(
    base: &dyn FileSystem,
    path: &RawPath,
    machine: Machine,
) -> fs::Result<Vec<CacheEntry>> {
    let ResolutionEnd::File(_, file) =
        file_system::resolve_path(base, &ImagePath::root(), path.as_bytes())?.end
    else {
        return Ok(Vec::new());
    };
    let reader = file.content.open()?;
    let bytes = reader.read_bytes_at(0, MAX_CACHE_SIZE)?;
    Ok(LdCache::parse(&bytes, machine).baseline_entries())
}
