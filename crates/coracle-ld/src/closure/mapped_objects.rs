//! The objects that a loader has mapped so far: their names, their files, and the order in which symbols
//! are looked up in them.
//!
//! Source: `_dl_map_object` and `_dl_map_object_from_fd`, `elf/dl-load.c`; `load_library`,
//! `ldso/dynlink.c`.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::dlopen_request::DlopenCaller;
use super::error::Error;
use super::link_map::{MapReason, MappedObject};
use crate::ldso::{Dependent, Loader};
use coracle_core::fs::FileId;
use coracle_core::path::RawPath;

/// The index of the program.
pub(super) const PROGRAM: usize = 0;

/// The mapped objects of one program. Objects keep their indices; the search list grows and is
/// reordered.
#[derive(Clone)]
pub(super) struct MappedObjects {
    pub(super) loader: Rc<Loader>,
    /// The directory that relative paths start at.
    working_dir: RawPath,
    objects: Vec<MappedObject>,
    /// The same objects, in the form that searches for their dependencies take.
    dependents: Vec<Rc<Dependent>>,
    /// The indices of the objects in the order of symbol lookup.
    search_list: Vec<usize>,
    /// Number of objects that later lookups do not find.
    pub(super) hidden_count: usize,
    by_name: BTreeMap<Vec<u8>, usize>,
    by_identity: BTreeMap<FileId, usize>,
    /// The interpreter, until an object needs it.
    unused_interpreter: Option<MappedObject>,
}

/// The objects in the order of symbol lookup.
pub(super) struct SortedObjects {
    pub(super) objects: Vec<MappedObject>,
    /// The position of each object by its former index.
    positions: Vec<usize>,
    pub(super) loader: Rc<Loader>,
}

const UNKNOWN_INDEX: Error = Error::Internal("an index is not that of a mapped object");

impl MappedObjects {
    /// Starts with `program` as the only object. `interpreter` is added when an object needs it.
    pub(super) fn new(
        loader: Rc<Loader>,
        working_dir: RawPath,
        program: MappedObject,
        interpreter: MappedObject,
    ) -> Self {
        let mut mapped = Self {
            loader,
            working_dir,
            objects: Vec::new(),
            dependents: Vec::new(),
            search_list: Vec::new(),
            hidden_count: 0,
            by_name: BTreeMap::new(),
            by_identity: BTreeMap::new(),
            unused_interpreter: Some(interpreter),
        };
        mapped.add_object(program, None);
        mapped
    }

    /// Returns the number of objects.
    pub(super) fn len(&self) -> usize {
        self.objects.len()
    }

    /// Returns the object at `index`.
    pub(super) fn object(&self, index: usize) -> Result<&MappedObject, Error> {
        self.objects.get(index).ok_or(UNKNOWN_INDEX)
    }

    /// Returns the object at `index` in the form that searches for its dependencies take.
    pub(super) fn dependent(&self, index: usize) -> Result<Rc<Dependent>, Error> {
        self.dependents.get(index).cloned().ok_or(UNKNOWN_INDEX)
    }

    /// Returns the index of the object at this position of the search list.
    pub(super) fn index_at(&self, position: usize) -> Option<usize> {
        self.search_list.get(position).copied()
    }

    /// Returns the index of the object that calls `dlopen`; `None` if it is not mapped. An
    /// interpreter that no object needs has no position yet: its searches are the program's.
    pub(super) fn caller_index(&self, caller: &DlopenCaller) -> Option<usize> {
        let DlopenCaller::Library(name) = caller else { return Some(PROGRAM) };
        let has_name = || self.objects.iter().position(|object| object.has_name(name));
        let is_interpreter = self.unused_interpreter.as_ref().is_some_and(|object| object.has_name(name));
        self.by_name.get(name).copied().or_else(has_name).or(is_interpreter.then_some(PROGRAM))
    }

    /// Returns whether `name` means the interpreter, and no object has needed it yet.
    pub(super) fn names_unused_interpreter(&self, name: &[u8]) -> bool {
        self.unused_interpreter
            .as_ref()
            .is_some_and(|interpreter| names_interpreter(&self.loader, interpreter, name))
    }

    /// Returns the index of the object that is mapped as `name`. The interpreter is added when an
    /// object first needs it, here `dependent`.
    pub(super) fn resolve_mapped_name(&mut self, name: &[u8], dependent: &Rc<Dependent>) -> Option<usize> {
        let Some(interpreter) =
            self.unused_interpreter.take_if(|interpreter| names_interpreter(&self.loader, interpreter, name))
        else {
            let loaded_interpreter =
                || self.loaded_interpreter_index().filter(|_| self.loader.is_loader_name(name));
            return self.by_name.get(name).copied().or_else(loaded_interpreter);
        };
        let index = self.add_object(interpreter, Some(dependent.clone()));
        self.by_name.insert(name.to_vec(), index);
        Some(index)
    }

    /// Returns the index of the object whose file is `file_id`. Files that the loader did not open
    /// itself are unknown.
    pub(super) fn index_of_file(&self, file_id: FileId) -> Option<usize> {
        self.by_identity.get(&file_id).copied()
    }

    /// Returns the index of the interpreter, after adding it to the map if it is not there yet.
    pub(super) fn ensure_interpreter(&mut self, dependent: &Rc<Dependent>) -> Result<usize, Error> {
        if let Some(interpreter) = self.unused_interpreter.take() {
            return Ok(self.add_object(interpreter, Some(dependent.clone())));
        }
        self.loaded_interpreter_index().ok_or(Error::Internal("the loader is missing from its link map"))
    }

    fn loaded_interpreter_index(&self) -> Option<usize> {
        self.objects.iter().position(|object| object.reason == MapReason::Interpreter)
    }

    /// Appends a library that was found as `name`, and returns its index.
    pub(super) fn add_library(&mut self, name: &[u8], mapped: MappedObject, parent: Rc<Dependent>) -> usize {
        let index = self.add_object(mapped, Some(parent));
        self.by_name.entry(name.to_vec()).or_insert(index);
        index
    }

    /// Records another name of an object. With musl an object has at most one short name
    /// (`shortname` in `load_library`): an object that was found by its path gets its file name.
    pub(super) fn add_name(&mut self, index: usize, name: &[u8]) {
        let is_short = |name: &[u8]| !name.contains(&b'/');
        let has_short = || self.by_name.iter().any(|(name, named)| *named == index && is_short(name));
        let name = match self.objects.get(index) {
            _ if self.loader.is_glibc() || !is_short(name) => name,
            Some(object) if !has_short() => object.raw_path.file_name(),
            _ => return,
        };
        self.by_name.entry(name.to_vec()).or_insert(index);
    }

    /// Appends an object and records its names.
    fn add_object(&mut self, mapped: MappedObject, parent: Option<Rc<Dependent>>) -> usize {
        let index = self.objects.len();
        let dynamic = &mapped.object.dynamic;
        let is_glibc = self.loader.is_glibc();
        // glibc records no name for the program but its soname: an object that needs its path gets
        // a second copy.
        let is_nameless = is_glibc && mapped.reason == MapReason::Program;
        let name = if is_nameless { &[] } else { mapped.raw_path.as_bytes() };
        self.by_name.entry(name.to_vec()).or_insert(index);
        if is_glibc && let Some(soname) = &dynamic.soname {
            self.by_name.entry(soname.clone()).or_insert(index);
        }
        // The kernel opened the program and its interpreter, so glibc does not know their inodes.
        // Nor does it record the inode of a library that it was given as the program
        // (`__RTLD_OPENEXEC` in `_dl_map_object_from_fd`).
        let has_known_identity = match mapped.reason {
            MapReason::Program => !is_glibc && mapped.object.interpreter.is_none(),
            MapReason::Interpreter => !is_glibc,
            MapReason::Needed { .. } => true,
        };
        if has_known_identity {
            self.by_identity.entry(mapped.file.stat.file_id).or_insert(index);
        }
        self.dependents.push(Rc::new(Dependent {
            raw_path: mapped.raw_path.clone(),
            origin: self.origin_of(&mapped),
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

    /// Returns the value of `$ORIGIN` for an object.
    fn origin_of(&self, mapped: &MappedObject) -> RawPath {
        match mapped.reason {
            // The kernel passes the file's real path; for a library given to a loader, the path as
            // given counts.
            MapReason::Program if mapped.object.interpreter.is_some() => {
                RawPath::from(&mapped.path).dirname()
            }
            // glibc prepends the working directory (`_dl_new_object`, `elf/dl-object.c`).
            _ if self.loader.is_glibc() => mapped.raw_path.absolute_from(&self.working_dir).dirname(),
            _ => mapped.raw_path.dirname(),
        }
    }

    /// Moves an object to `position` in the search list, unless it is already before `position`.
    /// Returns whether it moved.
    ///
    /// An object that a filter moves before the program is not found by later lookups: the loader
    /// searches its list from the program on.
    pub(super) fn move_before(&mut self, index: usize, position: usize) -> bool {
        let old_position = self.search_list.iter().position(|&other| other == index);
        let Some(old_position) = old_position.filter(|&old_position| old_position > position) else {
            return false;
        };
        self.search_list.remove(old_position);
        self.search_list.insert(position, index);
        if self.search_list.iter().skip(position).any(|&other| other == PROGRAM) {
            self.hidden_count += 1;
            self.by_name.retain(|_, named| *named != index);
            self.by_identity.retain(|_, known| *known != index);
        }
        true
    }

    /// Sorts the objects by the search list. An interpreter that no object needs is last.
    pub(super) fn into_sorted(mut self) -> Result<SortedObjects, Error> {
        if let Some(interpreter) = self.unused_interpreter.take() {
            self.add_object(interpreter, None);
        }
        let mut positions = vec![None; self.objects.len()];
        for (position, &index) in self.search_list.iter().enumerate() {
            *positions.get_mut(index).ok_or(UNKNOWN_INDEX)? = Some(position);
        }
        let positions: Vec<usize> = positions.into_iter().collect::<Option<_>>().ok_or(UNKNOWN_INDEX)?;
        let mut objects: Vec<(usize, MappedObject)> = positions.iter().copied().zip(self.objects).collect();
        objects.sort_unstable_by_key(|(position, _)| *position);
        let objects = objects.into_iter().map(|(_, object)| object).collect();
        let mut sorted = SortedObjects { objects, positions, loader: self.loader };
        for object in &mut sorted.objects {
            update_reason(&mut object.reason, &sorted.positions)?;
        }
        Ok(sorted)
    }
}

impl SortedObjects {
    /// Returns the position of the object that had this index.
    pub(super) fn position(&self, index: usize) -> Result<usize, Error> {
        self.positions.get(index).copied().ok_or(UNKNOWN_INDEX)
    }

    /// Replaces the index in `reason` by the position of that object.
    pub(super) fn update_reason(&self, reason: &mut MapReason) -> Result<(), Error> {
        update_reason(reason, &self.positions)
    }
}

fn update_reason(reason: &mut MapReason, positions: &[usize]) -> Result<(), Error> {
    if let MapReason::Needed { by, .. } = reason {
        *by = positions.get(*by).copied().ok_or(UNKNOWN_INDEX)?;
    }
    Ok(())
}

/// Returns whether `name` means the interpreter, which precedes all libraries in the list that the
/// loader compares names with.
fn names_interpreter(loader: &Loader, interpreter: &MappedObject, name: &[u8]) -> bool {
    let soname = interpreter.object.dynamic.soname.as_deref();
    interpreter.raw_path.as_bytes() == name
        || loader.is_glibc() && soname == Some(name)
        || loader.is_loader_name(name)
}
