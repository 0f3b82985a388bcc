//! Walks breadth first from a program to all objects that are mapped for it.
//!
//! Source: `_dl_map_object_deps`, `elf/dl-deps.c`, and `_dl_map_object`, `elf/dl-load.c`;
//! `load_deps`, `ldso/dynlink.c`.

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

/// Limit for filters that depend on themselves, which would be mapped again without end.
const MAX_FORGOTTEN: usize = 100;

/// Maps the dependencies of `program`. `None` for a static program.
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

/// Returns whether `name` means the interpreter, which precedes all libraries in the list that the
/// loader compares names with.
fn is_meant(loader: &Loader, interpreter: &Mapped, name: &[u8]) -> bool {
    let soname = interpreter.object.dynamic.soname.as_deref();
    interpreter.spelled.as_bytes() == name
        || loader.is_glibc() && soname == Some(name)
        || loader.is_named(name)
}

/// A walk in progress. Clones can continue independently. Objects keep their indices; `order` is
/// the search list, which grows and is reordered.
#[derive(Clone)]
pub(super) struct Walker {
    loader: Rc<Loader>,
    /// The directory that relative paths start at.
    working_dir: Spelled,
    objects: Vec<Mapped>,
    requesters: Vec<Rc<Requester>>,
    order: Vec<usize>,
    /// Objects whose dependencies were processed.
    done: BTreeSet<usize>,
    /// Number of objects that later lookups do not find.
    forgotten: usize,
    /// Number of objects before the last `dlopen`.
    started: Option<usize>,
    edges: Vec<Edge>,
    missing: Vec<Missing>,
    aliases: Vec<Alias>,
    names: BTreeMap<Vec<u8>, usize>,
    identities: BTreeMap<Identity, usize>,
    /// The interpreter, until an object needs it.
    interpreter: Option<Mapped>,
}

impl Walker {
    /// Maps the preloads, then all dependencies.
    fn start(&mut self, tracer: &Tracer<'_>) -> Result<(), Error> {
        for name in self.loader.clone().preloads() {
            self.want(tracer, 0, name, Absence::Preload)?;
        }
        self.run(tracer)
    }

    /// Simulates `dlopen` of `name` by a mapped object (`dl_open_worker`, `elf/dl-open.c`). The
    /// search is that for a dependency of the object. Earlier missing libraries are cleared from
    /// the map.
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

    /// Processes the dependencies of the objects in the search list. An object that a filter moves
    /// before the current one is next.
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

    /// Maps the dependencies of the object `index`, at position `at` of the search list, in the
    /// order of its dynamic section.
    fn want_all(&mut self, tracer: &Tracer<'_>, index: usize, mut at: usize) -> Result<(), Error> {
        let dependencies = self.objects.get(index).map(|object| object.object.dynamic.dependencies.clone());
        for dependency in dependencies.unwrap_or_default() {
            let (name, absence) = match &dependency {
                Dependency::Needed(name) => {
                    self.want(tracer, index, name, Absence::Fatal)?;
                    continue;
                }
                // musl ignores filters.
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

    /// Moves an object to `at` in the search list, unless it is before that. Returns whether it
    /// moved.
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

    /// Removes an object from later lookups, because a filter moved it before the program: the
    /// loader searches its list from the program on.
    fn forget(&mut self, index: usize) {
        self.forgotten += 1;
        self.names.retain(|_, named| *named != index);
        self.identities.retain(|_, known| *known != index);
    }

    /// Resolves a name for the object `by`, among the mapped objects or in the file system.
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
        // A preload that is mapped already is ignored (`do_preload`, `elf/rtld.c`), so it does not
        // add the interpreter.
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

    /// Returns the object to search for: `by`, or for preloads with musl an empty one.
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

    /// Returns the mapped object for `name`. Adds the interpreter to the map when it is first
    /// needed.
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

    /// Adds a found library, or an alias if its file is mapped already.
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
        // musl's loader replaces any second C library with itself. glibc does not know the inode of
        // its own loader.
        if !self.loader.is_glibc() && ldso::is_musl_libc(&file, &object) {
            // The name is not recorded, so musl searches for it again next time.
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

    /// Records another name of an object. With musl an object has at most one short name
    /// (`shortname` in `load_library`): an object that was found by its path gets its file name.
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

    /// Returns the index of the interpreter, which is added to the map if necessary.
    fn libc(&mut self, requester: &Rc<Requester>) -> usize {
        if let Some(interpreter) = self.interpreter.take() {
            return self.add(interpreter, Some(requester.clone()));
        }
        let place = self.objects.iter().position(|object| object.found == Found::Interpreter);
        place.unwrap_or_default()
    }

    /// Appends an object and records its names.
    fn add(&mut self, mapped: Mapped, parent: Option<Rc<Requester>>) -> usize {
        let index = self.objects.len();
        let dynamic = &mapped.object.dynamic;
        let origin = match mapped.found {
            // The kernel passes the file's real path; for a library given to a loader, the path as
            // given counts.
            Found::Program if mapped.object.interpreter.is_some() => Spelled::from(&mapped.path).directory(),
            // glibc prepends the working directory (`_dl_new_object`, `elf/dl-object.c`).
            _ if self.loader.is_glibc() => mapped.spelled.from_directory(&self.working_dir).directory(),
            _ => mapped.spelled.directory(),
        };
        // glibc records no name for the program but its soname: an object that needs its path gets
        // a second copy.
        let is_nameless = self.loader.is_glibc() && mapped.found == Found::Program;
        let name = if is_nameless { &[] } else { mapped.spelled.as_bytes() };
        self.names.entry(name.to_vec()).or_insert(index);
        if self.loader.is_glibc()
            && let Some(soname) = &dynamic.soname
        {
            self.names.entry(soname.clone()).or_insert(index);
        }
        // The kernel opened the program and its interpreter, so glibc does not know their inodes.
        // Nor does it record the inode of a library that it was given as the program
        // (`__RTLD_OPENEXEC` in `_dl_map_object_from_fd`).
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

    /// Returns the link map, with objects in search order. An interpreter that no object needs is
    /// last.
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
