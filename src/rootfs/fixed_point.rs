//! Resolves every program again inside the planned image: the loader must map the same files there.
//!
//! This decides whether the image needs `ld.so.cache` or a path file, because some libraries are
//! found by nothing else. It also detects errors of the plan. With a base image, programs are
//! resolved in the overlay of both.

use super::base::{self, Above};
use super::builder::Builder;
use super::plan::Request;
use super::pointers::pointers;
use super::{Error, Rootfs, Stratum};
use coracle_ld::closure::{self, Closure, Kind, Tracer};
use coracle_core::content::Content;
use coracle_core::path::{ImagePath, Spelled};
use coracle_core::file_system::{Overlay, Tree};

/// Returns the image's own entries of `rootfs`; a cache or path file is added if programs do not
/// resolve without it.
///
/// # Errors
/// Fails if the loader would map other files than in `request`.
pub(super) fn reach(rootfs: Rootfs, request: &Request<'_>, included: &[Closure]) -> Result<Above, Error> {
    let above = on_base(&rootfs, request)?;
    let Err(error) = check(&above.rootfs, request, included) else { return Ok(above) };
    let closures: Vec<&Closure> =
        request.programs.iter().map(|program| &program.closure).chain(included).collect();
    let pointers = pointers(&closures, request.below.base().map(|base| base as &dyn Tree))?;
    if pointers.is_empty() {
        return Err(error);
    }
    let mut builder = Builder::resume(rootfs);
    for (path, bytes, reason) in pointers {
        builder.bytes(&path, bytes, reason, Stratum::Libraries);
    }
    let (rootfs, _) = builder.finish()?;
    let above = on_base(&rootfs, request)?;
    check(&above.rootfs, request, included)?;
    Ok(above)
}

/// Returns `rootfs` without the files of the base image, if there is one.
fn on_base(rootfs: &Rootfs, request: &Request<'_>) -> Result<Above, Error> {
    match request.below.base() {
        Some(base) => base::above(rootfs, base),
        None => Ok(Above { rootfs: rootfs.clone(), ..Above::default() }),
    }
}

/// Compares all programs, then all included programs, with their resolution inside the image.
fn check(rootfs: &Rootfs, request: &Request<'_>, included: &[Closure]) -> Result<(), Error> {
    let overlay = request.below.base().map(|base| Overlay { front: rootfs, behind: base });
    let tree: &dyn Tree = overlay.as_ref().map_or(rootfs, |overlay| overlay);
    let tracer = Tracer::new(tree, request.around);
    for (program, path) in request.programs.iter().zip(&rootfs.programs) {
        let inside = tracer
            .resolve(&Spelled::from(path))
            .and_then(|inside| reopened(&tracer, inside, &program.closure));
        compare(&program.closure, &inside.map_err(not_starting(path))?, path)?;
    }
    for closure in included {
        let Some(first) = closure.executed.first() else { continue };
        let inside = tracer.trace(&first.spelled).and_then(|inside| reopened(&tracer, inside, closure));
        compare(closure, &inside.map_err(not_starting(&first.path))?, &first.path)?;
    }
    Ok(())
}

fn reopened(tracer: &Tracer<'_>, mut inside: Closure, closure: &Closure) -> Result<Closure, closure::Error> {
    tracer.reopen(&mut inside, closure)?;
    Ok(inside)
}

fn not_starting(path: &ImagePath) -> impl FnOnce(closure::Error) -> Error {
    move |source| Error::NotStarting { program: path.clone(), source: Box::new(source) }
}

/// Checks that both closures have the same files in the same order. The program may be a stripped
/// copy.
fn compare(closure: &Closure, inside: &Closure, path: &ImagePath) -> Result<(), Error> {
    let (here, there) = (files(closure), files(inside));
    for ((here, ours), (there, theirs)) in here.iter().zip(&there) {
        if !ours.same_bytes(theirs)? {
            return Err(Error::NotFixed(format!("{there} instead of {here}, for {path}")));
        }
    }
    if here.len() != there.len() {
        return Err(Error::NotFixed(format!("{} files instead of {}, for {path}", there.len(), here.len())));
    }
    Ok(())
}

/// Returns all executed and mapped files except the program.
fn files(closure: &Closure) -> Vec<(String, Content)> {
    let mut files = Vec::new();
    for (index, executed) in closure.executed.iter().enumerate() {
        if index > 0 {
            files.push((executed.spelled.to_string(), executed.file.content.clone()));
        }
        if let Kind::Elf(elf) = &executed.kind {
            let mapped = elf.maps().flat_map(|map| map.objects.iter().skip(1));
            files.extend(mapped.map(|object| (object.spelled.to_string(), object.file.content.clone())));
        }
    }
    files
}
