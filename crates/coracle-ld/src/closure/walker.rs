//! Walks breadth first from a program to all objects that are mapped for it.
//!
//! Source: `_dl_map_object_deps`, `elf/dl-deps.c`, and `dl_open_worker`, `elf/dl-open.c`; `load_deps`,
//! `ldso/dynlink.c`.

use std::cell::{Cell, OnceCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use super::dlopen_request::DlopenCaller;
use super::error::Error;
use super::interpreter::{LoaderCache, read_interpreter};
use super::link_map::{
    AliasPath, DependencyEdge, DependencyKind, LinkMap, MapReason, MappedObject, MissingLibrary,
};
use super::mapped_objects::{MappedObjects, PROGRAM};
use crate::elf::DynamicDependency;
use crate::ldso::{self, AcceptedFile, Dependent, HwcapsSelection, Loader};
use coracle_core::path::RawPath;

/// Names of the vDSO, which the kernel maps without a file.
const VDSO_NAMES: [&[u8]; 3] = [b"linux-vdso.so.1", b"linux-gate.so.1", b"linux-vdso64.so.1"];

/// Limit for filters that depend on themselves, which would be mapped again without end.
const MAX_HIDDEN_OBJECTS: usize = 100;

/// Starts a walk: maps the dependencies of `program`. Returns `None` for a static program.
pub(super) fn start_walk(
    loaders: &LoaderCache<'_>,
    hwcaps: &HwcapsSelection,
    program: MappedObject,
) -> Result<Option<Walker>, Error> {
    let Some((interpreter, loader)) = read_interpreter(loaders, hwcaps, &program)? else {
        return Ok(None);
    };
    let mut walker = Walker::new(loaders, loader, program, interpreter);
    walker.map_preloads_and_dependencies(loaders)?;
    Ok(Some(walker))
}

/// Starts a walk for an audit module of `program`: an own namespace, in which nothing is mapped yet. The
/// program searches for the module, as `dlopen` does. `None` for a static program. Source:
/// `load_audit_modules`, `elf/rtld.c`.
pub(super) fn start_audit_walk(
    loaders: &LoaderCache<'_>,
    hwcaps: &HwcapsSelection,
    program: MappedObject,
) -> Result<Option<Walker>, Error> {
    let Some((interpreter, loader)) = read_interpreter(loaders, hwcaps, &program)? else {
        return Ok(None);
    };
    let mut walker = Walker::new(loaders, loader, program, interpreter);
    walker.processed.insert(PROGRAM);
    Ok(Some(walker))
}

/// A walk in progress. Clones can continue independently.
#[derive(Clone)]
pub(super) struct Walker {
    mapped: MappedObjects,
    /// Objects whose dependencies were processed.
    processed: BTreeSet<usize>,
    /// Number of objects before the last `dlopen`.
    count_before_dlopen: Option<usize>,
    edges: Vec<DependencyEdge>,
    missing: Vec<MissingLibrary>,
    aliases: Vec<AliasPath>,
}

impl Walker {
    fn new(
        loaders: &LoaderCache<'_>,
        loader: Rc<Loader>,
        program: MappedObject,
        interpreter: MappedObject,
    ) -> Self {
        let working_dir = RawPath::from(&loaders.options.working_dir);
        Self {
            mapped: MappedObjects::new(loader, working_dir, program, interpreter),
            processed: BTreeSet::new(),
            count_before_dlopen: None,
            edges: Vec::new(),
            missing: Vec::new(),
            aliases: Vec::new(),
        }
    }

    fn loader(&self) -> &Rc<Loader> {
        &self.mapped.loader
    }

    /// Maps the preloads, then all dependencies.
    fn map_preloads_and_dependencies(&mut self, loaders: &LoaderCache<'_>) -> Result<(), Error> {
        for name in self.loader().clone().preloads() {
            self.map_name(loaders, PROGRAM, name, DependencyKind::Preload)?;
        }
        self.process_search_list(loaders)
    }

    /// Returns the index of the object that calls `dlopen`; `None` if it is not mapped.
    pub(super) fn caller_index(&self, caller: &DlopenCaller) -> Option<usize> {
        self.mapped.caller_index(caller)
    }

    /// Simulates `dlopen` of `name` by the object `caller`. The search is that for a dependency of
    /// the object. Earlier missing libraries are cleared from the map.
    pub(super) fn dlopen(
        &mut self,
        loaders: &LoaderCache<'_>,
        caller: usize,
        name: &[u8],
    ) -> Result<(), Error> {
        self.count_before_dlopen = Some(self.mapped.len());
        self.missing.clear();
        self.map_name(loaders, caller, name, DependencyKind::Required)?;
        self.process_search_list(loaders)
    }

    /// Processes the dependencies of the objects in the search list. An object that a filter moves
    /// before the current one is next.
    fn process_search_list(&mut self, loaders: &LoaderCache<'_>) -> Result<(), Error> {
        let mut position = 0;
        while let Some(index) = self.mapped.index_at(position) {
            if self.processed.insert(index) {
                self.map_dependencies(loaders, index, position)?;
            } else {
                position += 1;
            }
        }
        Ok(())
    }

    /// Maps the dependencies of the object `index`, at this position of the search list, in the
    /// order of its dynamic section.
    fn map_dependencies(
        &mut self,
        loaders: &LoaderCache<'_>,
        index: usize,
        mut position: usize,
    ) -> Result<(), Error> {
        let object = self.mapped.object(index)?.object.clone();
        for dependency in &object.dynamic.dependencies {
            let (name, kind) = match dependency {
                DynamicDependency::Needed(name) => {
                    self.map_name(loaders, index, name, DependencyKind::Required)?;
                    continue;
                }
                // musl ignores filters.
                _ if !self.loader().is_glibc() => continue,
                DynamicDependency::Filter(name) => (name, DependencyKind::Required),
                DynamicDependency::Auxiliary(name) => (name, DependencyKind::Auxiliary),
            };
            if let Some(filter) = self.map_name(loaders, index, name, kind)?
                && self.mapped.move_before(filter, position)
            {
                position += 1;
            }
        }
        Ok(())
    }

    /// Resolves a name for the object `by`, among the mapped objects or in the file system. Returns
    /// the index of the object. `None` if the library is missing, is the vDSO, or is the interpreter as a
    /// preload.
    fn map_name(
        &mut self,
        loaders: &LoaderCache<'_>,
        by: usize,
        name: &[u8],
        kind: DependencyKind,
    ) -> Result<Option<usize>, Error> {
        let dependent = self.dependent_of_search(by, kind)?;
        let expanded = self.loader().expand_name(name, &dependent);
        if VDSO_NAMES.contains(&expanded.as_slice()) {
            return Ok(None);
        }
        // A preload that is mapped already is ignored (`do_preload`, `elf/rtld.c`), so it does not
        // add the interpreter.
        if kind == DependencyKind::Preload
            && self.loader().is_glibc()
            && self.mapped.names_unused_interpreter(&expanded)
        {
            return Ok(None);
        }
        if let Some(to) = self.mapped.resolve_mapped_name(&expanded, &self.mapped.dependent(by)?) {
            self.edges.push(DependencyEdge {
                from: by,
                to,
                name: expanded,
                resolved: None,
                trace: Rc::default(),
            });
            return Ok(Some(to));
        }
        let (tree, start) = (loaders.tree, &loaders.options.working_dir);
        match self.loader().find_library(tree, start, name, &dependent)? {
            Ok(_) if self.mapped.hidden_count >= MAX_HIDDEN_OBJECTS => Err(self.endless_filters_error(name)?),
            Ok(found) => Ok(Some(self.add_found_library(by, &expanded, found, &dependent)?)),
            Err(trace) => {
                let listed_in_conf = loaders.find_in_ld_so_conf(self.loader(), &expanded, &dependent);
                if let Some(found) = loaders.find_library_for_new_cache(
                    self.loader(),
                    listed_in_conf.as_ref(),
                    &expanded,
                    &dependent,
                )? {
                    return Ok(Some(self.add_found_library(by, &expanded, found, &dependent)?));
                }
                self.missing.push(MissingLibrary {
                    added_at: loaders.options.added_file(&expanded),
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
        let program = self.mapped.object(PROGRAM)?.raw_path.clone();
        Ok(Error::EndlessFilters { program, name: RawPath::new(name) })
    }

    /// Returns the dependent that a search is for: the object `by`, or an empty dependent for
    /// preloads with musl.
    fn dependent_of_search(&self, by: usize, kind: DependencyKind) -> Result<Rc<Dependent>, Error> {
        if kind != DependencyKind::Preload || self.loader().is_glibc() {
            return self.mapped.dependent(by);
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

    /// Adds a found library, or an alias if its file is mapped already. Returns its index.
    fn add_found_library(
        &mut self,
        by: usize,
        name: &[u8],
        found: ldso::FoundLibrary,
        dependent: &Rc<Dependent>,
    ) -> Result<usize, Error> {
        let ldso::FoundLibrary { candidate, rule, origin, trace } = found;
        let AcceptedFile { raw_path, walk, path, file, object } = candidate;
        let resolved = Some((rule.clone(), raw_path.clone()));
        let reason = MapReason::Needed { by, rule, origin };
        let to = if !self.loader().is_glibc() && ldso::is_c_library(&file, &object)? {
            // musl's loader replaces any second C library with itself. The name is not recorded, so
            // musl searches for it again next time.
            self.mapped.ensure_interpreter(dependent)?
        } else if let Some(index) = self.mapped.index_of_file(file.stat.file_id) {
            self.aliases.push(AliasPath { object: index, walk, reason });
            self.mapped.add_name(index, name);
            index
        } else {
            let mapped = MappedObject { raw_path, walk, path, file, object, reason };
            self.mapped.add_library(name, mapped, dependent.clone())
        };
        self.edges.push(DependencyEdge {
            from: by,
            to,
            name: name.to_vec(),
            resolved,
            trace: Rc::new(trace),
        });
        Ok(to)
    }

    /// Returns the link map, with objects in search order. An interpreter that no object needs is
    /// last.
    pub(super) fn into_link_map(mut self) -> Result<LinkMap, Error> {
        let sorted = self.mapped.into_sorted()?;
        for alias in &mut self.aliases {
            alias.object = sorted.position(alias.object)?;
            sorted.update_reason(&mut alias.reason)?;
        }
        for edge in &mut self.edges {
            (edge.from, edge.to) = (sorted.position(edge.from)?, sorted.position(edge.to)?);
        }
        for missing in &mut self.missing {
            missing.needed_by = sorted.position(missing.needed_by)?;
        }
        let opened_objects = match self.count_before_dlopen {
            Some(count) => {
                let opened = count..sorted.objects.len();
                Some(opened.map(|index| sorted.position(index)).collect::<Result<_, _>>()?)
            }
            None => None,
        };
        Ok(LinkMap {
            objects: sorted.objects,
            edges: self.edges,
            missing: self.missing,
            aliases: self.aliases,
            opened_objects,
            loader: Some(sorted.loader),
            references: OnceCell::new(),
        })
    }
}
