//! Libraries that are opened while a program runs, and what they bring: `dlopen`, by the program or by its libraries.
//!
//! Each is opened in a link map of its own, on top of what the start mapped: one that is opened does not make another
//! findable, unless it opens that itself. Source: `dl_open_worker`, `elf/dl-open.c`.

use std::rc::Rc;

use super::{Closure, Elf, Error, Executed, Kind, LinkMap, Mapped, Tracer};
use crate::elf::Priority;
use coracle_core::path::Spelled;

/// Something that is to be opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opening {
    /// Who opens it, on whose behalf it is searched for.
    pub by: Opener,
    /// Alternatives: the first that can be had counts. Names without a slash are searched for.
    pub names: Vec<Vec<u8>>,
    /// What for, for people.
    pub why: String,
    /// What it means when none can be had.
    pub priority: Priority,
}

/// Who opens a library.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Opener {
    /// The program.
    Program,
    /// The library that answers to this name.
    Library(Vec<u8>),
}

/// A library that was opened.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Who opened it.
    pub by: Opener,
    /// The name that led to it.
    pub name: Vec<u8>,
    /// What for, for people.
    pub why: String,
    /// What the best CPU maps then, then what lesser ones map, where that differs.
    pub maps: Vec<Rc<LinkMap>>,
}

/// Something that could not be opened, or not with everything that it needs.
#[derive(Debug)]
pub struct NotOpened {
    /// What it was.
    pub opening: Opening,
    /// The map of its first name, with what is missing.
    pub map: Rc<LinkMap>,
}

impl Tracer<'_> {
    /// Opens `openings` in the ELF program `executed`, one of a closure's, and remembers what could be had; what could
    /// not is handed back.
    ///
    /// # Errors
    /// When a file can't be read.
    pub fn open(&self, executed: &mut Executed, openings: Vec<Opening>) -> Result<Vec<NotOpened>, Error> {
        let program = super::tracer::mapped(executed)?;
        let Kind::Elf(elf) = &mut executed.kind else { return Ok(Vec::new()) };
        let mut failed = Vec::new();
        for opening in openings {
            // A static program's own `dlopen` is not to be relied on.
            let has_loader = elf.objects.loader.is_some();
            match if has_loader { self.open_one(elf, &program, &opening)? } else { Err(elf.objects.clone()) }
            {
                // What is mapped already brings nothing.
                Ok(opened) if opened.brings_nothing(&elf.objects) => {}
                Ok(opened) => elf.opened.push(opened),
                Err(map) => failed.push(NotOpened { opening, map }),
            }
        }
        Ok(failed)
    }

    /// The first alternative that can be had, or the map of the first that can't.
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

    /// Whether opening `name` for `by` in `executed` would map something that is not mapped yet.
    ///
    /// # Errors
    /// When a file can't be read.
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

    /// Opens in `closure` what was opened in `other`: the same program elsewhere.
    ///
    /// # Errors
    /// When something of it can't be had.
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

/// What has to be opened for `by` to be mapped: nothing when the start maps it, else what led to it, the first first.
fn opened_before<'a>(elf: &'a Elf, mut by: &'a Opener) -> Vec<(&'a Opener, &'a [u8])> {
    let mut way = Vec::new();
    let mut earlier = elf.opened.as_slice();
    while let Opener::Library(name) = by
        && !elf.objects.objects.iter().any(|object| object.answers_to(name))
        && let Some(at) = earlier.iter().position(|opened| opened.brings(name))
        && let Some((before, [opened, ..])) = earlier.split_at_checked(at)
    {
        way.push((&opened.by, opened.name.as_slice()));
        (by, earlier) = (&opened.by, before);
    }
    way.reverse();
    way
}

impl Opened {
    /// Whether the object that is called `name` is new in its maps.
    fn brings(&self, name: &[u8]) -> bool {
        self.maps.iter().any(|map| map.news().any(|(_, mapped)| mapped.answers_to(name)))
    }

    /// Whether `start` had mapped all of it.
    fn brings_nothing(&self, start: &LinkMap) -> bool {
        let is_empty =
            |map: &Rc<LinkMap>| map.news().next().is_none() && map.aliases.len() == start.aliases.len();
        self.maps.iter().all(is_empty)
    }
}

impl NotOpened {
    /// The names that were tried, for people.
    pub fn names(&self) -> String {
        let names: Vec<String> =
            self.opening.names.iter().map(|name| format!("`{}`", Spelled::new(name.as_slice()))).collect();
        names.join(" or ")
    }

    /// Why the first of them can't be had.
    pub fn reason(&self) -> String {
        let Some(missing) = self.map.missing.first() else {
            return "the program is static, so it has no loader that could open it".into();
        };
        let name = Spelled::new(missing.name.as_slice());
        let by = self.map.objects.get(missing.by).map(|by| by.spelled.to_string()).unwrap_or_default();
        match missing.missed.refused.last() {
            Some((path, refusal)) => format!("{path}: {refusal}"),
            None if self.opening.names.contains(&missing.name) => "it is not there".into(),
            None => format!("`{name}`, needed by `{by}`, is not there"),
        }
    }
}
