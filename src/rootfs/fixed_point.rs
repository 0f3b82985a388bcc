//! Every program resolved once more, inside the planned image: the loader must map the same files there.
//!
//! This decides whether the image needs a cache or a path file (libraries outside the default directories are found by
//! nothing else), and it catches whatever a plan got wrong.

use super::builder::Builder;
use super::plan::Request;
use super::pointers::pointers;
use super::{Error, Rootfs, Stratum};
use crate::closure::{self, Closure, Kind, Tracer};
use crate::content::Content;
use crate::path::{ImagePath, Spelled};

/// `rootfs` as it is when that suffices, else with what tells its loaders where libraries are.
pub(super) fn reach(rootfs: Rootfs, request: &Request<'_>, included: &[Closure]) -> Result<Rootfs, Error> {
    let Err(error) = check(&rootfs, request, included) else { return Ok(rootfs) };
    let closures: Vec<&Closure> =
        request.programs.iter().map(|program| &program.closure).chain(included).collect();
    let pointers = pointers(&closures);
    if pointers.is_empty() {
        return Err(error);
    }
    let mut builder = Builder::resume(rootfs);
    for (path, bytes, reason) in pointers {
        builder.bytes(&path, bytes, reason, Stratum::Libraries);
    }
    let (rootfs, _) = builder.finish()?;
    check(&rootfs, request, included)?;
    Ok(rootfs)
}

/// The programs at their paths in the image, then what was followed there already.
fn check(rootfs: &Rootfs, request: &Request<'_>, included: &[Closure]) -> Result<(), Error> {
    let tracer = Tracer::new(rootfs, request.around);
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
    let differ = |(here, there): &(&(String, Content), &(String, Content))| !here.1.same_source(&there.1);
    if let Some(((here, _), (there, _))) = here.iter().zip(&there).find(differ) {
        return Err(Error::NotFixed(format!("{there} in place of {here}, for {path}")));
    }
    if here.len() != there.len() {
        return Err(Error::NotFixed(format!("{} files in place of {}, for {path}", there.len(), here.len())));
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
