//! The walk from a program to everything that is mapped for it, breadth first.
//!
//! Source: `_dl_map_object_deps`, `elf/dl-deps.c`, and `_dl_map_object`, `elf/dl-load.c`; `load_deps`, `ldso/dynlink.c`.

use std::cell::{Cell, OnceCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::link_map::{Absence, Alias, Edge, Found, LinkMap, Mapped, Missing};
use super::{Error, Opener, Tracer, interpreter};
use crate::elf::Dependency;
use coracle_core::fs::Identity;
use crate::ldso::{self, Candidate, Hwcaps, Loader, Requester};
use coracle_core::path::Spelled;

/// Names of the vDSO, which the kernel maps without a file.
const VDSO: [&[u8]; 3] = [b"linux-vdso.so.1", b"linux-gate.so.1", b"linux-vdso64.so.1"];

/// A filter of the program that needs itself is mapped again and again; no program has so many filters.
const MAX_FORGOTTEN: usize = 100;

/// Maps what `program` needs; nothing for a static program.
pub(super) fn start(tracer: &Tracer<'_>, hwcaps: &Hwcaps, program: Mapped) -> Result<Option<Walker>, Error> {
    let Some((interpreter, loader)) = interpreter::read(tracer, hwcaps, &program)? else { return Ok(None) };
    let mut walker = Walker {
        loader,
        working_dir: Spelled::from(&tracer.around.working_dir),
        objects: Vec::new(),
        requesters: Vec::new(),
        order: Vec::new(),
        done: BTreeSet::new(),
        forgotten: 0,
        started: None,
        edges: Vec::new(),
        missing: Vec::new(),
        aliases: Vec::new(),
        names: BTreeMap::new(),
        identities: BTreeMap::new(),
        interpreter: Some(interpreter),
    };
    walker.add(program, None);
    walker.start(tracer)?;
    Ok(Some(walker))
}

/// Whether `name` means the interpreter, which stands in front of every library in the list that the loader looks through.
fn is_meant(loader: &Loader, interpreter: &Mapped, name: &[u8]) -> bool {
    let soname = interpreter.object.dynamic.soname.as_deref();
    interpreter.spelled.as_bytes() == name
        || loader.is_glibc() && soname == Some(name)
        || loader.is_named(name)
}

/// The walk while it goes on; a copy of it can go another way. Objects keep their index; `order` is the search list that
/// grows and is reordered.
#[derive(Clone)]
pub(super) struct Walker {
    loader: Rc<Loader>,
    /// Where relative paths start.
    working_dir: Spelled,
    objects: Vec<Mapped>,
    requesters: Vec<Rc<Requester>>,
    order: Vec<usize>,
    /// Objects whose wants were followed.
    done: BTreeSet<usize>,
    /// How many objects are not found again.
    forgotten: usize,
    /// How many objects were mapped before the last opening.
    started: Option<usize>,
    edges: Vec<Edge>,
    missing: Vec<Missing>,
    aliases: Vec<Alias>,
    names: BTreeMap<Vec<u8>, usize>,
    identities: BTreeMap<Identity, usize>,
    /// The interpreter until an object needs it.
    interpreter: Option<Mapped>,
}

impl Walker {
    /// The preloads, then what the objects want.
    fn start(&mut self, tracer: &Tracer<'_>) -> Result<(), Error> {
        for name in self.loader.clone().preloads() {
            self.want(tracer, 0, name, Absence::Preload)?;
        }
        self.run(tracer)
    }

    /// `dlopen` of `name` by an object that is mapped (`dl_open_worker`, `elf/dl-open.c`): searched for as what that
    /// object needs, then everything that it brings. What was missed before is no matter of this map.
    pub(super) fn open(&mut self, tracer: &Tracer<'_>, by: &Opener, name: &[u8]) -> Result<(), Error> {
        self.started = Some(self.objects.len());
        self.missing.clear();
        let by = match by {
            Opener::Program => 0,
            Opener::Library(name) => {
                let answering = || self.objects.iter().position(|object| object.answers_to(name));
                self.names.get(name).copied().or_else(answering).unwrap_or_default()
            }
        };
        self.want(tracer, by, name, Absence::Fatal)?;
        self.run(tracer)
    }

    /// What each object in the search list wants. An object that a filter put in front of the one at hand comes next.
    fn run(&mut self, tracer: &Tracer<'_>) -> Result<(), Error> {
        let mut at = 0;
        while let Some(&index) = self.order.get(at) {
            if self.done.insert(index) {
                self.want_all(tracer, index, at)?;
            } else {
                at += 1;
            }
        }
        Ok(())
    }

    /// What the object `index`, which stands at `at` in the search list, wants: in the order of its dynamic section.
    fn want_all(&mut self, tracer: &Tracer<'_>, index: usize, mut at: usize) -> Result<(), Error> {
        let dependencies = self.objects.get(index).map(|object| object.object.dynamic.dependencies.clone());
        for dependency in dependencies.unwrap_or_default() {
            let (name, absence) = match &dependency {
                Dependency::Needed(name) => {
                    self.want(tracer, index, name, Absence::Fatal)?;
                    continue;
                }
                // musl has no filters.
                _ if !self.loader.is_glibc() => continue,
                Dependency::Filter(name) => (name, Absence::Fatal),
                Dependency::Auxiliary(name) => (name, Absence::Auxiliary),
            };
            if let Some(filter) = self.want(tracer, index, name, absence)?
                && self.put_in_front(filter, at)
            {
                at += 1;
            }
        }
        Ok(())
    }

    /// Moves an object to `at` in the search list, unless it stands in front of it already.
    fn put_in_front(&mut self, index: usize, at: usize) -> bool {
        let position = self.order.iter().position(|&other| other == index);
        let moved = position.filter(|&position| position > at);
        if let Some(position) = moved {
            self.order.remove(position);
            self.order.insert(at, index);
            if self.order.iter().skip(at).any(|&other| other == 0) {
                self.forget(index);
            }
        }
        moved.is_some()
    }

    /// What a filter put in front of the program is not found again: the loader looks through its list from the program
    /// on.
    fn forget(&mut self, index: usize) {
        self.forgotten += 1;
        self.names.retain(|_, named| *named != index);
        self.identities.retain(|_, known| *known != index);
    }

    /// Gets one name for the object `by`: from what is mapped, else from the tree.
    fn want(
        &mut self,
        tracer: &Tracer<'_>,
        by: usize,
        name: &[u8],
        absence: Absence,
    ) -> Result<Option<usize>, Error> {
        let Some(requester) = self.requester(by, absence) else { return Ok(None) };
        let meant = self.loader.meant(name, &requester);
        if VDSO.contains(&meant.as_slice()) {
            return Ok(None);
        }
        // A preload of what is there already is none (`do_preload`, `elf/rtld.c`), so nobody needs the interpreter yet.
        if absence == Absence::Preload
            && self.loader.is_glibc()
            && self
                .interpreter
                .as_ref()
                .is_some_and(|interpreter| is_meant(&self.loader, interpreter, &meant))
        {
            return Ok(None);
        }
        if let Some(to) = self.known(&meant, by) {
            self.edges.push(Edge { from: by, to, name: meant, found: None, passed: Rc::default() });
            return Ok(Some(to));
        }
        let (tree, start) = (tracer.tree, &tracer.around.working_dir);
        match self.loader.find(tree, start, name, &requester)? {
            Ok(_) if self.forgotten >= MAX_FORGOTTEN => Err(self.endless(name)),
            Ok(found) => Ok(Some(self.map_found(by, &meant, found, &requester))),
            Err(missed) => {
                let listed = tracer.listed(&self.loader, &meant, &requester);
                self.missing.push(Missing { name: meant, by, absence, missed: Rc::new(missed), listed });
                Ok(None)
            }
        }
    }

    fn endless(&self, name: &[u8]) -> Error {
        let program = self.objects.first().map(|program| program.spelled.clone()).unwrap_or_default();
        Error::Endless { program, name: Spelled::new(name) }
    }

    /// Who asks: the object `by`, but musl looks for preloads on nobody's behalf.
    fn requester(&self, by: usize, absence: Absence) -> Option<Rc<Requester>> {
        if absence != Absence::Preload || self.loader.is_glibc() {
            return self.requesters.get(by).cloned();
        }
        Some(Rc::new(Requester {
            spelled: Spelled::default(),
            origin: Spelled::default(),
            rpath: None,
            runpath: None,
            no_default_directories: false,
            parent: None,
            root: Cell::default(),
        }))
    }

    /// The object that `name` means already; the interpreter joins the map when it is first meant.
    fn known(&mut self, name: &[u8], by: usize) -> Option<usize> {
        let Some(interpreter) =
            self.interpreter.take_if(|interpreter| is_meant(&self.loader, interpreter, name))
        else {
            let is_interpreter = |object: &Mapped| object.found == Found::Interpreter;
            let again =
                || self.objects.iter().position(is_interpreter).filter(|_| self.loader.is_named(name));
            return self.names.get(name).copied().or_else(again);
        };
        let parent = self.requesters.get(by).cloned();
        let index = self.add(interpreter, parent);
        self.names.insert(name.to_vec(), index);
        Some(index)
    }

    /// Adds what a search found, unless the file is mapped already under another path.
    fn map_found(
        &mut self,
        by: usize,
        name: &[u8],
        found: ldso::Found,
        requester: &Rc<Requester>,
    ) -> usize {
        let ldso::Found { candidate, rule, origin, passed } = found;
        let passed = Rc::new(passed);
        let Candidate { spelled, walk, path, file, object } = candidate;
        let given = (rule.clone(), spelled.clone());
        let reason = Found::Needed { by, rule, origin };
        // A second C library gives way to musl's loader, under whatever path; glibc's does not know its own inode.
        if !self.loader.is_glibc() && ldso::is_musl_libc(&file, &object) {
            // The name is searched for again when it is wanted again.
            let to = self.libc(requester);
            self.edges.push(Edge { from: by, to, name: name.to_vec(), found: Some(given), passed });
            return to;
        }
        let to = match self.identities.get(&file.stat.identity) {
            Some(&index) => {
                self.aliases.push(Alias { of: index, walk, found: reason });
                self.name_again(index, name);
                index
            }
            None => {
                let mapped = Mapped { spelled, walk, path, file, object, found: reason };
                let index = self.add(mapped, Some(requester.clone()));
                self.names.entry(name.to_vec()).or_insert(index);
                index
            }
        };
        self.edges.push(Edge { from: by, to, name: name.to_vec(), found: Some(given), passed });
        to
    }

    /// Remembers a second name of an object. With musl an object has one name at most (`shortname` in `load_library`): what
    /// was found by its path gets the last part of that, whatever the name was.
    fn name_again(&mut self, index: usize, name: &[u8]) {
        let is_short = |name: &[u8]| !name.contains(&b'/');
        let has_short = || self.names.iter().any(|(name, named)| *named == index && is_short(name));
        let name = match self.objects.get(index) {
            _ if self.loader.is_glibc() || !is_short(name) => name,
            Some(object) if !has_short() => object.spelled.name(),
            _ => return,
        };
        self.names.entry(name.to_vec()).or_insert(index);
    }

    /// The interpreter's place in the map, which it joins now unless it has.
    fn libc(&mut self, requester: &Rc<Requester>) -> usize {
        if let Some(interpreter) = self.interpreter.take() {
            return self.add(interpreter, Some(requester.clone()));
        }
        let place = self.objects.iter().position(|object| object.found == Found::Interpreter);
        place.unwrap_or_default()
    }

    /// Appends an object and remembers the names by which it answers.
    fn add(&mut self, mapped: Mapped, parent: Option<Rc<Requester>>) -> usize {
        let index = self.objects.len();
        let dynamic = &mapped.object.dynamic;
        let origin = match mapped.found {
            // The kernel tells where the file is; a library given to a loader is where it was named.
            Found::Program if mapped.object.interpreter.is_some() => Spelled::from(&mapped.path).directory(),
            // glibc puts the working directory in front (`_dl_new_object`, `elf/dl-object.c`).
            _ if self.loader.is_glibc() => mapped.spelled.from_directory(&self.working_dir).directory(),
            _ => mapped.spelled.directory(),
        };
        // glibc calls the program by no name but its soname: whoever needs its path gets it once more.
        let is_nameless = self.loader.is_glibc() && mapped.found == Found::Program;
        let name = if is_nameless { &[] } else { mapped.spelled.as_bytes() };
        self.names.entry(name.to_vec()).or_insert(index);
        if self.loader.is_glibc()
            && let Some(soname) = &dynamic.soname
        {
            self.names.entry(soname.clone()).or_insert(index);
        }
        // The kernel opened the program and its interpreter: glibc does not know their inodes, nor that of a library
        // that it was given as its program (`__RTLD_OPENEXEC` in `_dl_map_object_from_fd`).
        let is_known = match mapped.found {
            Found::Program => !self.loader.is_glibc() && mapped.object.interpreter.is_none(),
            Found::Interpreter => !self.loader.is_glibc(),
            Found::Needed { .. } => true,
        };
        if is_known {
            self.identities.entry(mapped.file.stat.identity).or_insert(index);
        }
        self.requesters.push(Rc::new(Requester {
            spelled: mapped.spelled.clone(),
            origin,
            rpath: dynamic.rpath.clone(),
            runpath: dynamic.runpath.clone(),
            no_default_directories: dynamic.no_default_directories(),
            parent,
            root: Cell::default(),
        }));
        self.objects.push(mapped);
        self.order.push(index);
        index
    }

    /// The link map: objects in the order of the search list, an interpreter that nobody needs last.
    pub(super) fn finish(mut self) -> LinkMap {
        if let Some(interpreter) = self.interpreter.take() {
            self.add(interpreter, None);
        }
        let mut place = vec![0; self.order.len()];
        for (position, &index) in self.order.iter().enumerate() {
            if let Some(place) = place.get_mut(index) {
                *place = position;
            }
        }
        let moved = |index: usize| place.get(index).copied().unwrap_or_default();
        let found = |found: &mut Found| {
            if let Found::Needed { by, .. } = found {
                *by = moved(*by);
            }
        };
        self.objects.iter_mut().for_each(|object| found(&mut object.found));
        self.aliases.iter_mut().for_each(|alias| {
            alias.of = moved(alias.of);
            found(&mut alias.found);
        });
        self.edges.iter_mut().for_each(|edge| (edge.from, edge.to) = (moved(edge.from), moved(edge.to)));
        self.missing.iter_mut().for_each(|missing| missing.by = moved(missing.by));
        let added = self.started.map(|started| (started..self.objects.len()).map(moved).collect());
        let mut objects: Vec<(usize, Mapped)> = self.objects.into_iter().enumerate().collect();
        objects.sort_by_key(|(index, _)| moved(*index));
        LinkMap {
            objects: objects.into_iter().map(|(_, object)| object).collect(),
            edges: self.edges,
            missing: self.missing,
            aliases: self.aliases,
            added,
            loader: Some(self.loader),
            references: OnceCell::new(),
        }
    }
}
