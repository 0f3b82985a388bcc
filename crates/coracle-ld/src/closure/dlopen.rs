//! Opens libraries as `dlopen` does at run time, with their dependencies.
//!
//! Each opened library gets its own link map, based on that of the program's start: an opened
//! library is not visible to another opened library, unless the latter opens it itself. Source:
//! `dl_open_worker`, `elf/dl-open.c`.

use std::rc::Rc;

use super::dlopen_request::{DlopenCaller, DlopenFailure, DlopenRequest, Dlopened};
use super::error::Error;
use super::executed_file::{Closure, ElfProgram, ExecutedFile, ExecutedKind};
use super::link_map::{LinkMap, MappedObject};
use super::resolver::{Resolver, reread_program};
use crate::elf::DlopenPriority;
use coracle_core::path::ImagePath;

impl Resolver<'_> {
    /// Opens the requested libraries in the ELF program `executed` of a closure. Adds the results to the
    /// program, and returns the failures.
    ///
    /// # Errors
    /// Fails if a file can't be read.
    pub fn dlopen(
        &self,
        executed: &mut ExecutedFile,
        requests: Vec<DlopenRequest>,
    ) -> Result<Vec<DlopenFailure>, Error> {
        let program = reread_program(executed)?;
        let ExecutedKind::Elf(elf) = &mut executed.kind else { return Ok(Vec::new()) };
        let mut failed = Vec::new();
        for request in requests {
            // `dlopen` in a static program is unreliable.
            let has_loader = elf.link_map.loader.is_some();
            let result = if has_loader {
                self.dlopen_first_available(elf, &program, &request)?
            } else {
                Err(elf.link_map.clone())
            };
            match result {
                // A library that is mapped already adds nothing.
                Ok(opened) if opened.adds_nothing(&elf.link_map) => {}
                Ok(opened) => elf.dlopened.push(opened),
                Err(map) => failed.push(DlopenFailure { request, link_map: map }),
            }
        }
        Ok(failed)
    }

    /// Opens the first alternative that is found. Otherwise returns the link map of the first name.
    fn dlopen_first_available(
        &self,
        elf: &ElfProgram,
        program: &MappedObject,
        request: &DlopenRequest,
    ) -> Result<Result<Dlopened, Rc<LinkMap>>, Error> {
        let before = dlopen_calls_leading_to(elf, &request.caller);
        let mut failed = None;
        for name in &request.names {
            let calls = [&before[..], &[(&request.caller, name)]].concat();
            let Some((best, older_cpu_maps)) = self.link_maps(program, &calls)? else {
                return Ok(Err(elf.link_map.clone()));
            };
            if best.lacks_required_library() {
                failed.get_or_insert(best);
                continue;
            }
            return Ok(Ok(Dlopened {
                caller: request.caller.clone(),
                name: name.clone(),
                purpose: request.purpose.clone(),
                maps: std::iter::once(best).chain(older_cpu_maps).collect(),
            }));
        }
        failed.map(Err).ok_or(Error::Internal("a library without a name is to be opened"))
    }

    /// Returns the files that `caller` in `executed` would newly map by opening `name`, with their
    /// sizes in bytes; the library itself is first. Empty if the library can't be opened.
    ///
    /// # Errors
    /// Fails if a file can't be read.
    pub fn files_added_by_dlopen(
        &self,
        executed: &ExecutedFile,
        caller: &DlopenCaller,
        name: &[u8],
    ) -> Result<Vec<(ImagePath, u64)>, Error> {
        let ExecutedKind::Elf(elf) = &executed.kind else { return Ok(Vec::new()) };
        if elf.link_map.loader.is_none() {
            return Ok(Vec::new());
        }
        let program = reread_program(executed)?;
        let opened = [&dlopen_calls_leading_to(elf, caller)[..], &[(caller, name)]].concat();
        let hwcaps = self.selected_hwcaps();
        let Some(map) = self.link_map(hwcaps, &program, &opened)? else { return Ok(Vec::new()) };
        if map.lacks_required_library() {
            return Ok(Vec::new());
        }
        let is_new = |mapped: &&MappedObject| !elf.all_link_maps().any(|map| map.maps_file(&mapped.path));
        let new = map.new_objects().map(|(_, mapped)| mapped).filter(is_new);
        Ok(new.map(|mapped| (mapped.path.clone(), mapped.file.stat.size)).collect())
    }

    /// Opens in `closure` the libraries that were opened in `other`. Both are closures of the same program, in
    /// different file systems.
    ///
    /// # Errors
    /// Fails if one of them is not found.
    pub fn repeat_dlopens(&self, closure: &mut Closure, other: &Closure) -> Result<(), Error> {
        for (executed, other) in closure.executed.iter_mut().zip(&other.executed) {
            let ExecutedKind::Elf(elf) = &other.kind else { continue };
            let again = |opened: &Dlopened| DlopenRequest {
                caller: opened.caller.clone(),
                names: vec![opened.name.clone()],
                purpose: opened.purpose.clone(),
                priority: DlopenPriority::Required,
            };
            let failed = self.dlopen(executed, elf.dlopened.iter().map(again).collect())?;
            if failed.iter().any(|failed| failed.link_map.missing.is_empty()) {
                return Err(Error::Internal("a library that calls `dlopen` is not mapped in the image"));
            }
            if !failed.is_empty() {
                return Err(Error::MissingLibraries(
                    failed.into_iter().map(|failed| failed.link_map).collect(),
                ));
            }
        }
        Ok(())
    }
}

/// Returns the `dlopen` calls that map `caller`, in order. Empty if the program's start maps it.
fn dlopen_calls_leading_to<'a>(
    elf: &'a ElfProgram,
    mut caller: &'a DlopenCaller,
) -> Vec<(&'a DlopenCaller, &'a [u8])> {
    let mut calls = Vec::new();
    let mut earlier = elf.dlopened.as_slice();
    while let DlopenCaller::Library(name) = caller
        && !elf.link_map.objects.iter().any(|object| object.has_name(name))
        && let Some(at) = earlier.iter().position(|opened| opened.adds_object(name))
        && let Some((before, [opened, ..])) = earlier.split_at_checked(at)
    {
        calls.push((&opened.caller, opened.name.as_slice()));
        (caller, earlier) = (&opened.caller, before);
    }
    calls.reverse();
    calls
}
