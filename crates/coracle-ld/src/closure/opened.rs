//! Libraries that a program or its libraries open at run time with `dlopen`, and their
//! dependencies.
//!
//! Each opened library gets its own link map, based on that of the program's start: a library that
//! was opened is not visible to another one, unless that one opens it itself. Source:
//! `dl_open_worker`, `elf/dl-open.c`.

use std::rc::Rc;

use super::{Closure, Elf, Error, Executed, Kind, LinkMap, Mapped, Tracer};
use crate::elf::Priority;
use coracle_core::path::Spelled;

/// A library to open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opening {
    /// The object that opens it, from which the search starts.
    pub by: Opener,
    /// Alternatives: the first that is found is opened. Names without a slash are searched for.
    pub names: Vec<Vec<u8>>,
    /// The purpose, for reports.
    pub why: String,
    /// What happens if none is found.
    pub priority: Priority,
}

/// The object that calls `dlopen`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Opener {
    /// The program.
    Program,
    /// The library with this soname or file name.
    Library(Vec<u8>),
}

/// A library that was opened.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The object that opened it.
    pub by: Opener,
    /// The name that was found.
    pub name: Vec<u8>,
    /// The purpose, for reports.
    pub why: String,
    /// The link map on the best CPU, then those on older CPUs, as far as they differ.
    pub maps: Vec<Rc<LinkMap>>,
}

/// A library that could not be opened, or whose dependencies are missing.
#[derive(Debug)]
pub struct NotOpened {
    /// The request.
    pub opening: Opening,
    /// The link map for its first name, with the missing libraries.
    pub map: Rc<LinkMap>,
}

impl Tracer<'_> {
    /// Opens `openings` in the ELF program `executed` of a closure. Adds the results to the
    /// program, and returns the failures.
    ///
    /// # Errors
    /// Fails if a file can't be read.
    pub fn open(&self, executed: &mut Executed, openings: Vec<Opening>) -> Result<Vec<NotOpened>, Error> {
        let program = super::tracer::mapped(executed)?;
        let Kind::Elf(elf) = &mut executed.kind else { return Ok(Vec::new()) };
        let mut failed = Vec::new();
        for opening in openings {
            // `dlopen` in a static program is unreliable.
            let has_loader = elf.objects.loader.is_some();
            match if has_loader { self.open_one(elf, &program, &opening)? } else { Err(elf.objects.clone()) }
            {
                // A library that is mapped already adds nothing.
                Ok(opened) if opened.brings_nothing(&elf.objects) => {}
                Ok(opened) => elf.opened.push(opened),
                Err(map) => failed.push(NotOpened { opening, map }),
            }
        }
        Ok(failed)
    }

    /// Opens the first alternative that is found. Otherwise returns the link map of the first name.
    fn open_one(
        &self,
        elf: &Elf,
        program: &Mapped,
        opening: &Opening,
    ) -> Result<Result<Opened, Rc<LinkMap>>, Error> {
        let before = opened_before(elf, &opening.by);
        let mut failed = None;
        for name in &opening.names {
            let opened = [&before[..], &[(&opening.by, name)]].concat();
            let (best, lesser) = self.variants(program, &opened)?;
            if best.is_incomplete() {
                failed.get_or_insert(best);
                continue;
            }
            let (by, why) = (opening.by.clone(), opening.why.clone());
            let maps = std::iter::once(best).chain(lesser).collect();
            return Ok(Ok(Opened { by, name: name.clone(), why, maps }));
        }
        Ok(Err(failed.unwrap_or_else(|| Rc::new(LinkMap::of_static(program.clone())))))
    }

    /// Returns whether opening `name` from `by` in `executed` would map a file that is not mapped
    /// yet.
    ///
    /// # Errors
    /// Fails if a file can't be read.
    pub fn brings(&self, executed: &Executed, by: &Opener, name: &[u8]) -> Result<bool, Error> {
        let Kind::Elf(elf) = &executed.kind else { return Ok(false) };
        if elf.objects.loader.is_none() {
            return Ok(false);
        }
        let program = super::tracer::mapped(executed)?;
        let opened = [&opened_before(elf, by)[..], &[(by, name)]].concat();
        let map = self.load(&self.around.loader.hwcaps, &program, &opened)?;
        let is_new = |mapped: &Mapped| !elf.maps().any(|map| map.maps(&mapped.path));
        Ok(!map.is_incomplete() && map.news().any(|(_, mapped)| is_new(mapped)))
    }

    /// Opens the libraries that were opened in `other` in `closure`, which is the same program in
    /// another file system.
    ///
    /// # Errors
    /// Fails if one of them is not found.
    pub fn reopen(&self, closure: &mut Closure, other: &Closure) -> Result<(), Error> {
        for (executed, other) in closure.executed.iter_mut().zip(&other.executed) {
            let Kind::Elf(elf) = &other.kind else { continue };
            let again = |opened: &Opened| Opening {
                by: opened.by.clone(),
                names: vec![opened.name.clone()],
                why: opened.why.clone(),
                priority: Priority::Required,
            };
            let failed = self.open(executed, elf.opened.iter().map(again).collect())?;
            if !failed.is_empty() {
                return Err(Error::Missing(failed.into_iter().map(|failed| failed.map).collect()));
            }
        }
        Ok(())
    }
}

/// Returns the `dlopen` calls that map `by`, in order. Empty if the program's start maps it.
fn opened_before<'a>(elf: &'a Elf, mut by: &'a Opener) -> Vec<(&'a Opener, &'a [u8])> {
    let mut calls = Vec::new();
    let mut earlier = elf.opened.as_slice();
    while let Opener::Library(name) = by
        && !elf.objects.objects.iter().any(|object| object.answers_to(name))
        && let Some(at) = earlier.iter().position(|opened| opened.brings(name))
        && let Some((before, [opened, ..])) = earlier.split_at_checked(at)
    {
        calls.push((&opened.by, opened.name.as_slice()));
        (by, earlier) = (&opened.by, before);
    }
    calls.reverse();
    calls
}

impl Opened {
    /// Returns whether an object called `name` is new in the maps.
    fn brings(&self, name: &[u8]) -> bool {
        self.maps.iter().any(|map| map.news().any(|(_, mapped)| mapped.answers_to(name)))
    }

    /// Returns whether the maps add nothing to `start`.
    fn brings_nothing(&self, start: &LinkMap) -> bool {
        let is_empty =
            |map: &Rc<LinkMap>| map.news().next().is_none() && map.aliases.len() == start.aliases.len();
        self.maps.iter().all(is_empty)
    }
}

impl NotOpened {
    /// Returns the names that were tried, for messages.
    pub fn names(&self) -> String {
        let names: Vec<String> =
            self.opening.names.iter().map(|name| format!("`{}`", Spelled::new(name.as_slice()))).collect();
        names.join(" or ")
    }

    /// Returns why the first name could not be opened.
    pub fn reason(&self) -> String {
        let Some(missing) = self.map.missing.first() else {
            return "the program is static and has no loader to open it".into();
        };
        let name = Spelled::new(missing.name.as_slice());
        let by = self.map.objects.get(missing.by).map(|by| by.spelled.to_string()).unwrap_or_default();
        match missing.missed.refused.last() {
            Some((path, refusal)) => format!("{path}: {refusal}"),
            None if self.opening.names.contains(&missing.name) => "it was not found".into(),
            None => format!("`{name}`, needed by `{by}`, was not found"),
        }
    }
}
