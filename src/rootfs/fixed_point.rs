//! Every program resolved once more, inside the planned image: the loader must map the same files there.
//!
//! This decides whether the image needs a cache or a path file (libraries outside the default directories are found by
//! nothing else), and it catches whatever a plan got wrong. On a base image, it is resolved in both together.

use super::base::{self, Above};
use super::builder::Builder;
use super::plan::Request;
use super::pointers::pointers;
use super::{Error, Rootfs, Stratum};
use crate::closure::{self, Closure, Kind, Tracer};
use crate::content::Content;
use crate::path::{ImagePath, Spelled};
use crate::tree::{Overlay, Tree};

/// What the image brings of `rootfs`: as it is when that suffices, else with what tells its loaders where libraries are.
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

/// The image's own part, where there is a base.
fn on_base(rootfs: &Rootfs, request: &Request<'_>) -> Result<Above, Error> {
    match request.below.base() {
        Some(base) => base::above(rootfs, base),
        None => Ok(Above { rootfs: rootfs.clone(), ..Above::default() }),
    }
}

/// The programs at their paths in the image, then what was followed there already.
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

/// The same files in the same order; the program itself may be a stripped copy.
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

/// Every file but the program: what it executes, and what is mapped.
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
