//! Libraries that a program or its libraries open at run time with `dlopen`, and their
//! dependencies.
//!
//! Each opened library gets its own link map, based on that of the program's start: a library that
//! was opened is not visible to another one, unless that one opens it itself. Source:
//! `dl_open_worker`, `elf/dl-open.c`.

use std::rc::Rc;

use super::{Closure, ElfProgram, Error, ExecutedFile, ExecutedKind, LinkMap, MappedObject, Resolver};
use crate::elf::DlopenPriority;
use coracle_core::path::RawPath;

/// A library to open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DlopenRequest {
    /// The object that opens it, from which the search starts.
    pub caller: DlopenCaller,
    /// Alternatives: the first that is found is opened. Names without a slash are searched for.
    pub names: Vec<Vec<u8>>,
    /// The purpose, for reports.
    pub purpose: String,
    /// What happens if none is found.
    pub priority: DlopenPriority,
}

/// The object that calls `dlopen`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DlopenCaller {
    /// The program.
    Program,
    /// The library with this soname or file name.
    Library(Vec<u8>),
}

/// A library that was opened.
#[derive(Clone, Debug)]
pub struct Dlopened {
    /// The object that opened it.
    pub by: DlopenCaller,
    /// The name that was found.
    pub name: Vec<u8>,
    /// The purpose, for reports.
    pub why: String,
    /// The link map on the best CPU, then those on older CPUs, as far as they differ.
    pub maps: Vec<Rc<LinkMap>>,
}

/// A library that could not be opened, or whose dependencies are missing.
#[derive(Debug)]
pub struct DlopenFailure {
    /// The request.
    pub request: DlopenRequest,
    /// The link map for its first name, with the missing libraries.
    pub link_map: Rc<LinkMap>,
}

impl Resolver<'_> {
    /// Opens `openings` in the ELF program `executed` of a closure. Adds the results to the
    /// program, and returns the failures.
    ///
    /// # Errors
    /// Fails if a file can't be read.
    pub fn dlopen(
        &self,
        executed: &mut ExecutedFile,
        openings: Vec<DlopenRequest>,
    ) -> Result<Vec<DlopenFailure>, Error> {
        let program = super::resolver::reread_program(executed)?;
        let ExecutedKind::Elf(elf) = &mut executed.kind else { return Ok(Vec::new()) };
        let mut failed = Vec::new();
        for opening in openings {
            // `dlopen` in a static program is unreliable.
            let has_loader = elf.link_map.loader.is_some();
            match if has_loader {
                self.dlopen_first_available(elf, &program, &opening)?
            } else {
                Err(elf.link_map.clone())
            } {
                // A library that is mapped already adds nothing.
                Ok(opened) if opened.adds_nothing(&elf.link_map) => {}
                Ok(opened) => elf.dlopened.push(opened),
                Err(map) => failed.push(DlopenFailure { request: opening, link_map: map }),
            }
        }
        Ok(failed)
    }

    /// Opens the first alternative that is found. Otherwise returns the link map of the first name.
    fn dlopen_first_available(
        &self,
        elf: &ElfProgram,
        program: &MappedObject,
        opening: &DlopenRequest,
    ) -> Result<Result<Dlopened, Rc<LinkMap>>, Error> {
        let before = dlopens_before(elf, &opening.caller);
        let mut failed = None;
        for name in &opening.names {
            let opened = [&before[..], &[(&opening.caller, name)]].concat();
            let (best, lesser) = self.link_maps(program, &opened)?;
            if best.is_missing_required() {
                failed.get_or_insert(best);
                continue;
            }
            let (by, why) = (opening.caller.clone(), opening.purpose.clone());
            let maps = std::iter::once(best).chain(lesser).collect();
            return Ok(Ok(Dlopened { by, name: name.clone(), why, maps }));
        }
        Ok(Err(failed.unwrap_or_else(|| Rc::new(LinkMap::new_static(program.clone())))))
    }

    /// Returns whether opening `name` from `by` in `executed` would map a file that is not mapped
    /// yet.
    ///
    /// # Errors
    /// Fails if a file can't be read.
    pub fn would_map_new_file(
        &self,
        executed: &ExecutedFile,
        by: &DlopenCaller,
        name: &[u8],
    ) -> Result<bool, Error> {
        let ExecutedKind::Elf(elf) = &executed.kind else { return Ok(false) };
        if elf.link_map.loader.is_none() {
            return Ok(false);
        }
        let program = super::resolver::reread_program(executed)?;
        let opened = [&dlopens_before(elf, by)[..], &[(by, name)]].concat();
        let map = self.link_map(&self.options.loader_environment.hwcaps, &program, &opened)?;
        let is_new = |mapped: &MappedObject| !elf.all_link_maps().any(|map| map.contains_file(&mapped.path));
        Ok(!map.is_missing_required() && map.new_objects().any(|(_, mapped)| is_new(mapped)))
    }

    /// Opens the libraries that were opened in `other` in `closure`, which is the same program in
    /// another file system.
    ///
    /// # Errors
    /// Fails if one of them is not found.
    pub fn repeat_dlopens(&self, closure: &mut Closure, other: &Closure) -> Result<(), Error> {
        for (executed, other) in closure.executed.iter_mut().zip(&other.executed) {
            let ExecutedKind::Elf(elf) = &other.kind else { continue };
            let again = |opened: &Dlopened| DlopenRequest {
                caller: opened.by.clone(),
                names: vec![opened.name.clone()],
                purpose: opened.why.clone(),
                priority: DlopenPriority::Required,
            };
            let failed = self.dlopen(executed, elf.dlopened.iter().map(again).collect())?;
            if !failed.is_empty() {
                return Err(Error::MissingLibraries(
                    failed.into_iter().map(|failed| failed.link_map).collect(),
                ));
            }
        }
        Ok(())
    }
}

/// Returns the `dlopen` calls that map `by`, in order. Empty if the program's start maps it.
fn dlopens_before<'a>(elf: &'a ElfProgram, mut by: &'a DlopenCaller) -> Vec<(&'a DlopenCaller, &'a [u8])> {
    let mut calls = Vec::new();
    let mut earlier = elf.dlopened.as_slice();
    while let DlopenCaller::Library(name) = by
        && !elf.link_map.objects.iter().any(|object| object.has_name(name))
        && let Some(at) = earlier.iter().position(|opened| opened.adds_object(name))
        && let Some((before, [opened, ..])) = earlier.split_at_checked(at)
    {
        calls.push((&opened.by, opened.name.as_slice()));
        (by, earlier) = (&opened.by, before);
    }
    calls.reverse();
    calls
}

impl Dlopened {
    /// Returns whether an object called `name` is new in the maps.
    fn adds_object(&self, name: &[u8]) -> bool {
        self.maps.iter().any(|map| map.new_objects().any(|(_, mapped)| mapped.has_name(name)))
    }

    /// Returns whether the maps add nothing to `start`.
    fn adds_nothing(&self, start: &LinkMap) -> bool {
        let is_empty = |map: &Rc<LinkMap>| {
            map.new_objects().next().is_none() && map.aliases.len() == start.aliases.len()
        };
        self.maps.iter().all(is_empty)
    }
}

impl DlopenFailure {
    /// Returns the names that were tried, for messages.
    pub fn tried_names(&self) -> String {
        let names: Vec<String> =
            self.request.names.iter().map(|name| format!("`{}`", RawPath::new(name.as_slice()))).collect();
        names.join(" or ")
    }

    /// Returns why the first name could not be opened.
    pub fn reason(&self) -> String {
        let Some(missing) = self.link_map.missing.first() else {
            return "the program is static and has no loader to open it".into();
        };
        let name = RawPath::new(missing.name.as_slice());
        let by = self
            .link_map
            .objects
            .get(missing.needed_by)
            .map(|by| by.raw_path.to_string())
            .unwrap_or_default();
        match missing.trace.rejected.last() {
            Some((path, refusal)) => format!("{path}: {refusal}"),
            None if self.request.names.contains(&missing.name) => "it was not found".into(),
            None => format!("`{name}`, needed by `{by}`, was not found"),
        }
    }
}
