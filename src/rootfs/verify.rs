//! Resolves every program again inside the planned image: the loader must map the same files there.
//!
//! This decides whether the image needs `ld.so.cache` or a path file, because some libraries are
//! found by nothing else. It also detects errors of the plan. With a base image, programs are
//! resolved in the overlay of both.

use super::builder::RootfsBuilder;
use super::loader_search_files::loader_search_files;
use super::plan::PlanRequest;
use super::subtract_base::{self, OwnEntries};
use super::{LayerKind, Rootfs, RootfsError};
use coracle_core::content::Content;
use coracle_core::file_system::{FileSystem, OverlayFs};
use coracle_core::path::{ImagePath, RawPath};
use coracle_ld::closure::{self, Closure, ExecutedKind, Resolver};

/// Returns the image's own entries of `rootfs`; a cache or path file is added if programs do not
/// resolve without it.
///
/// # Errors
/// Fails if the loader would map other files than in `request`.
pub(super) fn verify_and_complete(
    rootfs: Rootfs,
    request: &PlanRequest<'_>,
    included: &[Closure],
) -> Result<OwnEntries, RootfsError> {
    let above = without_base_files(&rootfs, request)?;
    let Err(error) = verify_programs(&above.rootfs, request, included) else { return Ok(above) };
    let closures: Vec<&Closure> =
        request.programs.iter().map(|program| &program.closure).chain(included).collect();
    let pointers =
        loader_search_files(&closures, request.base.read_base().map(|base| base as &dyn FileSystem))?;
    if pointers.is_empty() {
        return Err(error);
    }
    let mut builder = RootfsBuilder::continue_from(rootfs);
    for (path, bytes, reason) in pointers {
        builder.add_generated_file(&path, bytes, reason, LayerKind::Libraries);
    }
    let (rootfs, _) = builder.finish()?;
    let above = without_base_files(&rootfs, request)?;
    verify_programs(&above.rootfs, request, included)?;
    Ok(above)
}

/// Returns `rootfs` without the files of the base image, if there is one.
fn without_base_files(rootfs: &Rootfs, request: &PlanRequest<'_>) -> Result<OwnEntries, RootfsError> {
    match request.base.read_base() {
        Some(base) => subtract_base::subtract_base(rootfs, base),
        None => Ok(OwnEntries { rootfs: rootfs.clone(), ..OwnEntries::default() }),
    }
}

/// Compares all programs, then all included programs, with their resolution inside the image.
fn verify_programs(
    rootfs: &Rootfs,
    request: &PlanRequest<'_>,
    included: &[Closure],
) -> Result<(), RootfsError> {
    let overlay = request.base.read_base().map(|base| OverlayFs { upper: rootfs, lower: base });
    let tree: &dyn FileSystem = overlay.as_ref().map_or(rootfs, |overlay| overlay);
    let tracer = Resolver::new(tree, request.resolve_options);
    for (program, path) in request.programs.iter().zip(&rootfs.programs) {
        let inside = tracer
            .resolve(&RawPath::from(path))
            .and_then(|inside| with_dlopened(&tracer, inside, &program.closure));
        compare_closures(&program.closure, &inside.map_err(would_not_start(path))?, path)?;
    }
    for closure in included {
        let Some(first) = closure.executed.first() else { continue };
        let inside = tracer
            .resolve_partial(&first.raw_path)
            .and_then(|inside| with_dlopened(&tracer, inside, closure));
        compare_closures(closure, &inside.map_err(would_not_start(&first.path))?, &first.path)?;
    }
    Ok(())
}

fn with_dlopened(
    tracer: &Resolver<'_>,
    mut inside: Closure,
    closure: &Closure,
) -> Result<Closure, closure::Error> {
    tracer.repeat_dlopens(&mut inside, closure)?;
    Ok(inside)
}

fn would_not_start(path: &ImagePath) -> impl FnOnce(closure::Error) -> RootfsError {
    move |source| RootfsError::WouldNotStart { program: path.clone(), source: Box::new(source) }
}

/// Checks that both closures have the same files in the same order. The program may be a stripped
/// copy.
fn compare_closures(closure: &Closure, inside: &Closure, path: &ImagePath) -> Result<(), RootfsError> {
    let (here, there) = (mapped_files(closure), mapped_files(inside));
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
fn mapped_files(closure: &Closure) -> Vec<(String, Content)> {
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
