//! Resolves every program again inside the planned image: the loader must map the same files there.
//!
//! This decides whether the image needs `ld.so.cache` or a path file, because some libraries are
//! found by nothing else. It also detects errors of the plan. With a base image, programs are
//! resolved in the overlay of both.

use std::collections::BTreeSet;

use super::error::RootfsError;
use super::file_tree::Rootfs;
use super::plan_request::PlanRequest;
use super::rootfs_builder::{EntryOrigin, RootfsBuilder};
use super::subtract_base::{self, EntriesAboveBase};
use super::whiteout_names::check_no_whiteout_names;
use coracle_core::content::Content;
use coracle_core::entry::EntryReason;
use coracle_core::file_system::{self, FileSystem, OverlayFs, ResolutionEnd};
use coracle_core::fs;
use coracle_core::path::{ImagePath, RawPath};
use coracle_ld::closure::{self, Closure, ElfProgram, ExecutedKind, ResolveOptions, Resolver};
use coracle_ld::elf::Machine;
use coracle_ld::ldso::{CacheEntry, LdCache};

/// Returns the image's own entries of `rootfs`; a cache or path file is added if programs do not
/// resolve without it.
///
/// # Errors
/// Fails if the loader would map other files than in `request`.
pub(super) fn verify_and_complete(
    rootfs: Rootfs,
    request: &PlanRequest<'_>,
    included: &[Closure],
) -> Result<EntriesAboveBase, RootfsError> {
    let own = without_base_files(&rootfs, request)?;
    let error = match verify_programs(&own.rootfs, request, included) {
        Ok(()) => return Ok(own),
        // What a search file can mend. Errors of reading files are not.
        Err(error @ (RootfsError::WouldNotStart { .. } | RootfsError::ResolvesDifferently(_))) => error,
        Err(error) => return Err(error),
    };
    let closures: Vec<&Closure> =
        request.programs.iter().map(|program| &program.closure).chain(included).collect();
    let search_files =
        loader_search_files(&closures, request.base.read_base().map(|base| base as &dyn FileSystem))?;
    if search_files.is_empty() {
        return Err(error);
    }
    let mut builder = RootfsBuilder::continue_from(rootfs);
    for (path, bytes, reason) in search_files {
        builder.add_generated_file(&path, bytes, EntryOrigin::for_libraries(reason));
    }
    let (rootfs, _) = builder.finish()?;
    let own = without_base_files(&rootfs, request)?;
    verify_programs(&own.rootfs, request, included)?;
    Ok(own)
}

/// Returns `rootfs` without the files of the base image, if there is one.
fn without_base_files(rootfs: &Rootfs, request: &PlanRequest<'_>) -> Result<EntriesAboveBase, RootfsError> {
    let own = match request.base.read_base() {
        Some(base) => subtract_base::subtract_base(rootfs, base)?,
        None => EntriesAboveBase { rootfs: rootfs.clone(), ..EntriesAboveBase::default() },
    };
    // With such names, the files of a container would differ from those that are checked here.
    check_no_whiteout_names(&own.rootfs)?;
    Ok(own)
}

/// Resolves all programs and included programs inside the image, and fails if other files would be
/// mapped there.
fn verify_programs(
    rootfs: &Rootfs,
    request: &PlanRequest<'_>,
    included: &[Closure],
) -> Result<(), RootfsError> {
    let overlay = request.base.read_base().map(|base| OverlayFs { upper: rootfs, lower: base });
    let file_system: &dyn FileSystem = overlay.as_ref().map_or(rootfs, |overlay| overlay);
    // The image must have a cache with what is found through it.
    let options = ResolveOptions { added_files: BTreeSet::new(), ..request.resolve_options.clone() };
    let resolver = Resolver::new(file_system, &options);
    for (program, path) in request.programs.iter().zip(&rootfs.programs) {
        let inside = resolver
            .resolve(&RawPath::from(path))
            .and_then(|inside| resolve_dlopened_again(&resolver, inside, &program.closure));
        compare_closures(&program.closure, &inside.map_err(would_not_start(path))?, path)?;
    }
    for closure in included {
        let Some(first) = closure.executed.first() else { continue };
        let inside = resolver
            .resolve_partial(&first.raw_path)
            .and_then(|inside| resolve_dlopened_again(&resolver, inside, closure));
        compare_closures(closure, &inside.map_err(would_not_start(&first.path))?, &first.path)?;
    }
    Ok(())
}

fn resolve_dlopened_again(
    resolver: &Resolver<'_>,
    mut inside: Closure,
    closure: &Closure,
) -> Result<Closure, closure::Error> {
    resolver.repeat_dlopens(&mut inside, closure)?;
    Ok(inside)
}

fn would_not_start(path: &ImagePath) -> impl FnOnce(closure::Error) -> RootfsError {
    move |source| match source {
        closure::Error::Io(error) => RootfsError::Io(error),
        source => RootfsError::WouldNotStart { program: path.clone(), source: Box::new(source) },
    }
}

/// Checks that both closures have the same files in the same order. The program may be a stripped
/// copy.
fn compare_closures(closure: &Closure, inside: &Closure, path: &ImagePath) -> Result<(), RootfsError> {
    let (here, there) = (loaded_files(closure), loaded_files(inside));
    for ((here, ours), (there, theirs)) in here.iter().zip(&there) {
        if !ours.has_same_bytes(theirs)? {
            return Err(RootfsError::ResolvesDifferently(format!("{there} instead of {here}, for {path}")));
        }
    }
    if here.len() != there.len() {
        return Err(RootfsError::ResolvesDifferently(format!(
            "{} files instead of {}, for {path}",
            there.len(),
            here.len()
        )));
    }
    Ok(())
}

/// Returns all executed and mapped files except the program.
fn loaded_files(closure: &Closure) -> Vec<(String, Content)> {
    let mut files = Vec::new();
    for (index, executed) in closure.executed.iter().enumerate() {
        if index > 0 {
            files.push((executed.raw_path.to_string(), executed.file.content.clone()));
        }
        if let ExecutedKind::Elf(elf) = &executed.kind {
            let mapped = elf.all_link_maps().flat_map(|map| map.objects.iter().skip(1));
            files.extend(mapped.map(|object| (object.raw_path.to_string(), object.file.content.clone())));
        }
    }
    files
}

/// A search file: path, contents and reason.
type LoaderSearchFile = (ImagePath, Vec<u8>, EntryReason);

/// Returns the search files by which libraries of `closures` were found. Entries of the base
/// image's cache for other libraries are kept.
fn loader_search_files(
    closures: &[&Closure],
    base: Option<&dyn FileSystem>,
) -> Result<Vec<LoaderSearchFile>, RootfsError> {
    Ok(musl_path_files(closures).chain(ld_so_cache(closures, base)?).collect())
}

/// Returns musl's path files, unchanged.
fn musl_path_files(closures: &[&Closure]) -> impl Iterator<Item = LoaderSearchFile> {
    let maps = closures.iter().flat_map(|closure| closure.elf_programs()).flat_map(ElfProgram::all_link_maps);
    maps.filter(|map| map.uses_musl_path_file()).filter_map(|map| {
        let (path, list) = map.loader.as_ref()?.musl_path_file()?;
        Some((ImagePath::parse(path.as_bytes()).ok()?, list.to_vec(), EntryReason::MuslPathFile))
    })
}

/// Returns a cache with all libraries that were found through a cache.
fn ld_so_cache(
    closures: &[&Closure],
    base: Option<&dyn FileSystem>,
) -> Result<Option<LoaderSearchFile>, RootfsError> {
    let elves = closures.iter().flat_map(|closure| closure.elf_programs());
    let maps = elves.flat_map(|elf| elf.all_link_maps().map(|map| (elf.machine, map)));
    let mut entries = Vec::new();
    let mut cache_location = None;
    for (machine, map) in maps {
        let Some(path) = map.loader.as_ref().and_then(|loader| loader.cache_path()) else { continue };
        cache_location = Some((path.clone(), machine));
        entries.extend(
            map.libraries_found_in_cache()
                .map(|(name, path)| CacheEntry { name: name.to_vec(), path: path.clone() }),
        );
    }
    let Some((path, machine)) = cache_location.filter(|_| !entries.is_empty()) else { return Ok(None) };
    if let Some(base) = base {
        let theirs = base_cache_entries(base, &path, machine)?;
        let is_new = |entry: &CacheEntry| !entries.iter().any(|ours| ours.name == entry.name);
        let theirs: Vec<CacheEntry> = theirs.into_iter().filter(is_new).collect();
        entries.extend(theirs);
    }
    let Ok(image_path) = ImagePath::parse(path.as_bytes()) else { return Ok(None) };
    let bytes = LdCache::serialize(entries, machine)
        .map_err(|_| RootfsError::Internal("the entries of the loader's cache need more than 4 GiB"))?;
    Ok(Some((image_path, bytes, EntryReason::LdSoCache)))
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
    Ok(LdCache::read(&file.content, path.as_bytes(), machine)?.baseline_entries())
}
