//! Walks breadth first from a program to all objects that are mapped for it.
//!
//! Source: `_dl_map_object_deps`, `elf/dl-deps.c`, and `_dl_map_object`, `elf/dl-load.c`;
//! `load_deps`, `ldso/dynlink.c`.

use std::cell::{Cell, OnceCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::dlopen_request::DlopenCaller;
use super::error::Error;
use super::interpreter;
use super::link_map::{AliasPath, DependencyKind, Edge, LinkMap, MapReason, MappedObject, MissingLibrary};
use super::loader_cache::LoaderCache;
use crate::elf::DynamicDependency;
use crate::ldso::{self, Candidate, Dependent, HwcapsSelection, Loader};
use coracle_core::fs::FileId;
use coracle_core::path::RawPath;

/// Names of the vDSO, which the kernel maps without a file.
const VDSO_NAMES: [&[u8]; 3] = [b"linux-vdso.so.1", b"linux-gate.so.1", b"linux-vdso64.so.1"];

/// The index of the program.
const PROGRAM: usize = 0;

/// Limit for filters that depend on themselves, which would be mapped again without end.
const MAX_HIDDEN_OBJECTS: usize = 100;

/// Maps the dependencies of `program`. `None` for a static program.
pub(super) fn start_walk(
    loaders: &LoaderCache<'_>,
    hwcaps: &HwcapsSelection,
    program: MappedObject,
) -> Result<Option<Walker>, Error> {
    let Some((interpreter, loader)) = interpreter::read_interpreter(loaders, hwcaps, &program)? else {
        return Ok(None);
    };
    let mut walker = Walker {
        loader,
        working_dir: RawPath::from(&loaders.options.working_dir),
        objects: Vec::new(),
        dependents: Vec::new(),
        search_list: Vec::new(),
        processed: BTreeSet::new(),
        hidden_count: 0,
        count_before_dlopen: None,
        edges: Vec::new(),
        missing: Vec::new(),
        aliases: Vec::new(),
        by_name: BTreeMap::new(),
        by_identity: BTreeMap::new(),
        unused_interpreter: Some(interpreter),
    };
    walker.add_object(program, None);
    walker.map_start(loaders)?;
    Ok(Some(walker))
}

/// Returns whether `name` means the interpreter, which precedes all libraries in the list that the
/// loader compares names with.
fn names_interpreter(loader: &Loader, interpreter: &MappedObject, name: &[u8]) -> bool {
    let soname = interpreter.object.dynamic.soname.as_deref();
    interpreter.raw_path.as_bytes() == name
        || loader.is_glibc() && soname == Some(name)
        || loader.is_loader_name(name)
}

/// A walk in progress. Clones can continue independently. Objects keep their indices; the
/// search list grows and is reordered.
#[derive(Clone)]
pub(super) struct Walker {
    loader: Rc<Loader>,
    /// The directory that relative paths start at.
    working_dir: RawPath,
    objects: Vec<MappedObject>,
    dependents: Vec<Rc<Dependent>>,
    search_list: Vec<usize>,
    /// Objects whose dependencies were processed.
    processed: BTreeSet<usize>,
    /// Number of objects that later lookups do not find.
    hidden_count: usize,
    /// Number of objects before the last `dlopen`.
    count_before_dlopen: Option<usize>,
    edges: Vec<Edge>,
    missing: Vec<MissingLibrary>,
    aliases: Vec<AliasPath>,
    by_name: BTreeMap<Vec<u8>, usize>,
    by_identity: BTreeMap<FileId, usize>,
    /// The interpreter, until an object needs it.
    unused_interpreter: Option<MappedObject>,
}

impl Walker {
    /// Maps the preloads, then all dependencies.
    fn map_start(&mut self, loaders: &LoaderCache<'_>) -> Result<(), Error> {
        for name in self.loader.clone().preloads() {
            self.map_name(loaders, PROGRAM, name, DependencyKind::Preload)?;
        }
        self.process_search_list(loaders)
    }

    /// Returns the index of the object that calls `dlopen`; `None` if it is not mapped. An
    /// interpreter that no object needs has no position yet: its searches are the program's.
    pub(super) fn caller_index(&self, caller: &DlopenCaller) -> Option<usize> {
        let DlopenCaller::Library(name) = caller else { return Some(PROGRAM) };
        let has_name = || self.objects.iter().position(|object| object.has_name(name));
        let is_interpreter = self.unused_interpreter.as_ref().is_some_and(|object| object.has_name(name));
        self.by_name.get(name).copied().or_else(has_name).or(is_interpreter.then_some(PROGRAM))
    }

    /// Simulates `dlopen` of `name` by the object `caller` (`dl_open_worker`, `elf/dl-open.c`). The
    /// search is that for a dependency of the object. Earlier missing libraries are cleared from
    /// the map.
    pub(super) fn dlopen(
        &mut self,
        loaders: &LoaderCache<'_>,
        caller: usize,
        name: &[u8],
    ) -> Result<(), Error> {
        self.count_before_dlopen = Some(self.objects.len());
        self.missing.clear();
        self.map_name(loaders, caller, name, DependencyKind::Required)?;
        self.process_search_list(loaders)
    }

    /// Processes the dependencies of the objects in the search list. An object that a filter moves
    /// before the current one is next.
    fn process_search_list(&mut self, loaders: &LoaderCache<'_>) -> Result<(), Error> {
        let mut at = 0;
        while let Some(&index) = self.search_list.get(at) {
            if self.processed.insert(index) {
                self.map_dependencies(loaders, index, at)?;
            } else {
                at += 1;
            }
        }
        Ok(())
    }

    /// Maps the dependencies of the object `index`, at position `at` of the search list, in the
    /// order of its dynamic section.
    fn map_dependencies(
        &mut self,
        loaders: &LoaderCache<'_>,
        index: usize,
        mut at: usize,
    ) -> Result<(), Error> {
        let object = self.objects.get(index).ok_or(UNKNOWN_INDEX)?.object.clone();
        for dependency in &object.dynamic.dependencies {
            let (name, kind) = match dependency {
                DynamicDependency::Needed(name) => {
                    self.map_name(loaders, index, name, DependencyKind::Required)?;
                    continue;
                }
                // musl ignores filters.
                _ if !self.loader.is_glibc() => continue,
                DynamicDependency::Filter(name) => (name, DependencyKind::Required),
                DynamicDependency::Auxiliary(name) => (name, DependencyKind::Auxiliary),
            };
            if let Some(filter) = self.map_name(loaders, index, name, kind)?
                && self.move_before(filter, at)
            {
                at += 1;
            }
        }
        Ok(())
    }

    /// Moves an object to `at` in the search list, unless it is before that. Returns whether it
    /// moved.
    fn move_before(&mut self, index: usize, at: usize) -> bool {
        let position = self.search_list.iter().position(|&other| other == index);
        let moved = position.filter(|&position| position > at);
        if let Some(position) = moved {
            self.search_list.remove(position);
            self.search_list.insert(at, index);
            if self.search_list.iter().skip(at).any(|&other| other == PROGRAM) {
                self.hide_from_lookup(index);
            }
        }
        moved.is_some()
    }

    /// Removes an object from later lookups, because a filter moved it before the program: the
    /// loader searches its list from the program on.
    fn hide_from_lookup(&mut self, index: usize) {
        self.hidden_count += 1;
        self.by_name.retain(|_, named| *named != index);
        self.by_identity.retain(|_, known| *known != index);
    }

    /// Resolves a name for the object `by`, among the mapped objects or in the file system.
    fn map_name(
        &mut self,
        loaders: &LoaderCache<'_>,
        by: usize,
        name: &[u8],
        kind: DependencyKind,
    ) -> Result<Option<usize>, Error> {
        let dependent = self.search_dependent(by, kind)?;
        let expanded = self.loader.expand_name(name, &dependent);
        if VDSO_NAMES.contains(&expanded.as_slice()) {
            return Ok(None);
        }
        // A preload that is mapped already is ignored (`do_preload`, `elf/rtld.c`), so it does not
        // add the interpreter.
        if kind == DependencyKind::Preload
            && self.loader.is_glibc()
            && self
                .unused_interpreter
                .as_ref()
                .is_some_and(|interpreter| names_interpreter(&self.loader, interpreter, &expanded))
        {
            return Ok(None);
        }
        if let Some(to) = self.find_mapped(&expanded, by) {
            self.edges.push(Edge { from: by, to, name: expanded, resolved: None, trace: Rc::default() });
            return Ok(Some(to));
        }
        let (tree, start) = (loaders.tree, &loaders.options.working_dir);
        match self.loader.find_library(tree, start, name, &dependent)? {
            Ok(_) if self.hidden_count >= MAX_HIDDEN_OBJECTS => Err(self.endless_filters_error(name)?),
            Ok(found) => Ok(Some(self.add_found(by, &expanded, found, &dependent)?)),
            Err(trace) => {
                let listed_in_conf = loaders.find_in_ld_so_conf(&self.loader, &expanded, &dependent);
                self.missing.push(MissingLibrary {
                    name: expanded,
                    needed_by: by,
                    kind,
                    trace: Rc::new(trace),
                    listed_in_conf,
                });
                Ok(None)
            }
        }
    }

    fn endless_filters_error(&self, name: &[u8]) -> Result<Error, Error> {
        let program = self.objects.get(PROGRAM).ok_or(UNKNOWN_INDEX)?.raw_path.clone();
        Ok(Error::EndlessFilters { program, name: RawPath::new(name) })
    }

    /// Returns the object to search for: `by`, or for preloads with musl an empty one.
    fn search_dependent(&self, by: usize, kind: DependencyKind) -> Result<Rc<Dependent>, Error> {
        if kind != DependencyKind::Preload || self.loader.is_glibc() {
            return self.dependents.get(by).cloned().ok_or(UNKNOWN_INDEX);
        }
        Ok(Rc::new(Dependent {
            raw_path: RawPath::default(),
            origin: RawPath::default(),
            rpath: None,
            runpath: None,
            no_default_directories: false,
            parent: None,
            root_exists: Cell::default(),
        }))
    }

    /// Returns the mapped object for `name`. Adds the interpreter to the map when it is first
    /// needed.
    fn find_mapped(&mut self, name: &[u8], by: usize) -> Option<usize> {
        let Some(interpreter) =
            self.unused_interpreter.take_if(|interpreter| names_interpreter(&self.loader, interpreter, name))
        else {
            let is_interpreter = |object: &MappedObject| object.reason == MapReason::Interpreter;
            let loaded_interpreter =
                || self.objects.iter().position(is_interpreter).filter(|_| self.loader.is_loader_name(name));
            return self.by_name.get(name).copied().or_else(loaded_interpreter);
        };
        let parent = self.dependents.get(by).cloned();
        let index = self.add_object(interpreter, parent);
        self.by_name.insert(name.to_vec(), index);
        Some(index)
    }

    /// Adds a found library, or an alias if its file is mapped already.
    fn add_found(
        &mut self,
        by: usize,
        name: &[u8],
        found: ldso::FoundLibrary,
        dependent: &Rc<Dependent>,
    ) -> Result<usize, Error> {
        let ldso::FoundLibrary { candidate, rule, origin, trace } = found;
        let trace = Rc::new(trace);
        let Candidate { raw_path, walk, path, file, object } = candidate;
        let resolved = Some((rule.clone(), raw_path.clone()));
        let reason = MapReason::Needed { by, rule, origin };
        // musl's loader replaces any second C library with itself. glibc does not know the inode of
        // its own loader.
        if !self.loader.is_glibc() && ldso::is_c_library(&file, &object) {
            // The name is not recorded, so musl searches for it again next time.
            let to = self.interpreter_index(dependent)?;
            self.edges.push(Edge { from: by, to, name: name.to_vec(), resolved, trace });
            return Ok(to);
        }
        let to = match self.by_identity.get(&file.stat.file_id) {
            Some(&index) => {
                self.aliases.push(AliasPath { object: index, walk, reason });
                self.record_name(index, name);
                index
            }
            None => {
                let mapped = MappedObject { raw_path, walk, path, file, object, reason };
                let index = self.add_object(mapped, Some(dependent.clone()));
                self.by_name.entry(name.to_vec()).or_insert(index);
                index
            }
        };
        self.edges.push(Edge { from: by, to, name: name.to_vec(), resolved, trace });
        Ok(to)
    }

    /// Records another name of an object. With musl an object has at most one short name
    /// (`shortname` in `load_library`): an object that was found by its path gets its file name.
    fn record_name(&mut self, index: usize, name: &[u8]) {
        let is_short = |name: &[u8]| !name.contains(&b'/');
        let has_short = || self.by_name.iter().any(|(name, named)| *named == index && is_short(name));
        let name = match self.objects.get(index) {
            _ if self.loader.is_glibc() || !is_short(name) => name,
            Some(object) if !has_short() => object.raw_path.file_name(),
            _ => return,
        };
        self.by_name.entry(name.to_vec()).or_insert(index);
    }

    /// Returns the index of the interpreter, which is added to the map if necessary.
    fn interpreter_index(&mut self, dependent: &Rc<Dependent>) -> Result<usize, Error> {
        if let Some(interpreter) = self.unused_interpreter.take() {
            return Ok(self.add_object(interpreter, Some(dependent.clone())));
        }
        let index = self.objects.iter().position(|object| object.reason == MapReason::Interpreter);
        index.ok_or(Error::Internal("the loader is missing from its link map"))
    }

    /// Appends an object and records its names.
    fn add_object(&mut self, mapped: MappedObject, parent: Option<Rc<Dependent>>) -> usize {
        let index = self.objects.len();
        let dynamic = &mapped.object.dynamic;
        let origin = match mapped.reason {
            // The kernel passes the file's real path; for a library given to a loader, the path as
            // given counts.
            MapReason::Program if mapped.object.interpreter.is_some() => {
                RawPath::from(&mapped.path).dirname()
            }
            // glibc prepends the working directory (`_dl_new_object`, `elf/dl-object.c`).
            _ if self.loader.is_glibc() => mapped.raw_path.absolute_from(&self.working_dir).dirname(),
            _ => mapped.raw_path.dirname(),
        };
        // glibc records no name for the program but its soname: an object that needs its path gets
        // a second copy.
        let is_nameless = self.loader.is_glibc() && mapped.reason == MapReason::Program;
        let name = if is_nameless { &[] } else { mapped.raw_path.as_bytes() };
        self.by_name.entry(name.to_vec()).or_insert(index);
        if self.loader.is_glibc()
            && let Some(soname) = &dynamic.soname
        {
            self.by_name.entry(soname.clone()).or_insert(index);
        }
        // The kernel opened the program and its interpreter, so glibc does not know their inodes.
        // Nor does it record the inode of a library that it was given as the program
        // (`__RTLD_OPENEXEC` in `_dl_map_object_from_fd`).
        let is_known = match mapped.reason {
            MapReason::Program => !self.loader.is_glibc() && mapped.object.interpreter.is_none(),
            MapReason::Interpreter => !self.loader.is_glibc(),
            MapReason::Needed { .. } => true,
        };
        if is_known {
            self.by_identity.entry(mapped.file.stat.file_id).or_insert(index);
        }
        self.dependents.push(Rc::new(Dependent {
            raw_path: mapped.raw_path.clone(),
            origin,
            rpath: dynamic.rpath.clone(),
            runpath: dynamic.runpath.clone(),
            no_default_directories: dynamic.ignores_default_directories(),
            parent,
            root_exists: Cell::default(),
        }));
        self.objects.push(mapped);
        self.search_list.push(index);
        index
    }

    /// Returns the link map, with objects in search order. An interpreter that no object needs is
    /// last.
    pub(super) fn into_link_map(mut self) -> Result<LinkMap, Error> {
        if let Some(interpreter) = self.unused_interpreter.take() {
            self.add_object(interpreter, None);
        }
        let positions: BTreeMap<usize, usize> =
            self.search_list.iter().enumerate().map(|(position, &index)| (index, position)).collect();
        let moved = |index: usize| positions.get(&index).copied().ok_or(UNKNOWN_INDEX);
        let move_reason = |reason: &mut MapReason| {
            if let MapReason::Needed { by, .. } = reason {
                *by = moved(*by)?;
            }
            Ok::<(), Error>(())
        };
        for object in &mut self.objects {
            move_reason(&mut object.reason)?;
        }
        for alias in &mut self.aliases {
            alias.object = moved(alias.object)?;
            move_reason(&mut alias.reason)?;
        }
        for edge in &mut self.edges {
            (edge.from, edge.to) = (moved(edge.from)?, moved(edge.to)?);
        }
        for missing in &mut self.missing {
            missing.needed_by = moved(missing.needed_by)?;
        }
        let opened_objects = match self.count_before_dlopen {
            Some(count) => Some((count..self.objects.len()).map(moved).collect::<Result<_, _>>()?),
            None => None,
        };
        let mut objects = BTreeMap::new();
        for (index, object) in self.objects.into_iter().enumerate() {
            objects.insert(moved(index)?, object);
        }
        Ok(LinkMap {
            objects: objects.into_values().collect(),
            edges: self.edges,
            missing: self.missing,
            aliases: self.aliases,
            opened_objects,
            loader: Some(self.loader),
            references: OnceCell::new(),
        })
    }
}

const UNKNOWN_INDEX: Error = Error::Internal("an index is not that of a mapped object");
