//! The objects that a loader maps for one program: its link map.

use std::cell::OnceCell;
use std::rc::Rc;

use super::problem::{Problem, ProblemKind, Severity, record_if_damaged};
use crate::elf::{self, SymbolReference};
use crate::ldso::ld_so_conf::ConfDirectory;
use crate::ldso::{Loader, SearchRule, SearchTrace};
use coracle_core::file_system::{FsFile, PathResolution};
use coracle_core::fs;
use coracle_core::path::{ImagePath, RawPath};

/// A program and the objects that are mapped for it.
#[derive(Debug)]
pub struct LinkMap {
    /// The objects in symbol lookup order: the program, then libraries. The interpreter is at the
    /// position where an object first needs it, else last.
    pub objects: Vec<MappedObject>,
    /// Which object needed which name, and the rule that found it.
    pub edges: Vec<DependencyEdge>,
    /// Needed libraries that were not found.
    pub missing: Vec<MissingLibrary>,
    /// Additional paths to objects that are mapped already. The loader opens them, so they must
    /// exist in an image.
    pub aliases: Vec<AliasPath>,
    /// The objects that a `dlopen` added, the opened library first. `None` for the link map of a
    /// program's start.
    pub opened_objects: Option<Vec<usize>>,
    /// The parsed loader; `None` for a static program.
    pub loader: Option<Rc<Loader>>,
    pub(super) references: OnceCell<SymbolReferences>,
}

/// An object in the link map.
#[derive(Clone, Debug)]
pub struct MappedObject {
    /// The path as the loader builds it.
    pub raw_path: RawPath,
    /// The directories and links that the path passes through.
    pub walk: PathResolution,
    /// The file's own path, without links.
    pub path: ImagePath,
    /// The file's identity and content.
    pub file: FsFile,
    /// The parsed ELF object.
    pub object: Rc<elf::ElfObject>,
    /// Why it is mapped.
    pub reason: MapReason,
}

/// Why an object is mapped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MapReason {
    /// The object is the program.
    Program,
    /// The object is the program's `PT_INTERP`.
    Interpreter,
    /// Another object needed it.
    Needed {
        /// Index of the object that needs it.
        by: usize,
        /// The rule that found it.
        rule: SearchRule,
        /// The value of `$ORIGIN` in the directory where it was found, if any.
        origin: Option<RawPath>,
    },
}

/// A dependency of one object on another.
#[derive(Clone, Debug)]
pub struct DependencyEdge {
    /// Index of the object that needs the name.
    pub from: usize,
    /// Index of the object that was found for the name.
    pub to: usize,
    /// The needed name.
    pub name: Vec<u8>,
    /// The rule that found the object and the resulting path. `None` if the object was mapped
    /// already.
    pub resolved: Option<(SearchRule, RawPath)>,
    /// The search that found it. Empty if the object was mapped already.
    pub trace: Rc<SearchTrace>,
}

/// Another path to a mapped object.
#[derive(Clone, Debug)]
pub struct AliasPath {
    /// Index of the object.
    pub object: usize,
    /// The additional path.
    pub walk: PathResolution,
    /// Why the path was opened.
    pub reason: MapReason,
}

/// A needed library that was not found.
#[derive(Clone, Debug)]
pub struct MissingLibrary {
    /// The needed name.
    pub name: Vec<u8>,
    /// Index of the object that needs it.
    pub needed_by: usize,
    /// The consequence for the program.
    pub kind: DependencyKind,
    /// The failed search.
    pub trace: Rc<SearchTrace>,
    /// A directory of `ld.so.conf` that has the library although the loader's cache does not.
    pub listed_in_conf: Option<ConfDirectory>,
    /// A file of this name that the image adds where the loader does not search.
    pub added_at: Option<ImagePath>,
}

/// The kinds of dependencies, by the consequence of a missing library.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DependencyKind {
    /// `DT_NEEDED` or `DT_FILTER`: the program does not start.
    Required,
    /// `DT_AUXILIARY`: the program starts.
    Auxiliary,
    /// A preload: the program starts, with a warning from the loader.
    Preload,
}

impl MappedObject {
    /// Returns whether `name` is this object's soname or file name, in whatever directory.
    pub(super) fn has_name(&self, name: &[u8]) -> bool {
        self.object.dynamic.soname.as_deref() == Some(name)
            || self.raw_path.file_name() == RawPath::new(name).file_name()
    }

    /// Returns whether the object is below `glibc-hwcaps`.
    pub(super) fn is_below_glibc_hwcaps(&self) -> bool {
        let part = b"/glibc-hwcaps/";
        self.raw_path.as_bytes().windows(part.len()).any(|bytes| bytes == part)
    }
}

impl LinkMap {
    /// Returns the link map of a static program.
    pub(super) fn new_static(program: MappedObject) -> Self {
        Self {
            objects: vec![program],
            edges: Vec::new(),
            missing: Vec::new(),
            aliases: Vec::new(),
            opened_objects: None,
            loader: None,
            references: OnceCell::new(),
        }
    }

    /// Returns the objects that are new in this map, with their indices: all objects of a program's
    /// start, or the objects that a `dlopen` added.
    pub fn new_objects(&self) -> impl Iterator<Item = (usize, &MappedObject)> {
        let is_new = |index: &usize| self.opened_objects.as_ref().is_none_or(|added| added.contains(index));
        self.objects.iter().enumerate().filter(move |(index, _)| is_new(index))
    }

    /// Returns the symbols that the new objects refer to. They are read once.
    ///
    /// # Errors
    /// Fails if a file can't be read.
    pub fn symbol_references(&self) -> fs::Result<&SymbolReferences> {
        if let Some(references) = self.references.get() {
            return Ok(references);
        }
        let read = SymbolReferences::read(self)?;
        Ok(self.references.get_or_init(|| read))
    }

    /// Returns whether a missing library keeps the program from starting.
    pub fn lacks_required_library(&self) -> bool {
        self.missing.iter().any(|missing| missing.kind == DependencyKind::Required)
    }

    /// Returns whether the first object is a library: it has no interpreter, and it has
    /// dependencies or no entry point.
    pub fn is_library(&self) -> bool {
        self.objects.first().is_some_and(|first| {
            let object = &first.object;
            object.interpreter.is_none()
                && (object.dynamic.needed().next().is_some() || !object.header.has_entry)
        })
    }

    /// Returns whether the map may differ on another CPU.
    pub fn is_cpu_dependent(&self) -> bool {
        self.objects.iter().any(MappedObject::is_below_glibc_hwcaps)
            || self.loader.as_ref().is_some_and(|loader| loader.is_cpu_dependent())
    }

    /// Returns whether both maps have the same paths.
    pub(super) fn has_same_paths(&self, other: &Self) -> bool {
        self.objects
            .iter()
            .map(|object| &object.raw_path)
            .eq(other.objects.iter().map(|object| &object.raw_path))
    }

    /// Returns whether the file at `path` is mapped.
    pub fn maps_file(&self, path: &ImagePath) -> bool {
        self.objects.iter().any(|object| object.path == *path)
    }

    /// Returns whether an object needs the object at `index`.
    pub fn has_dependents(&self, index: usize) -> bool {
        self.edges.iter().any(|edge| edge.to == index)
    }

    /// Returns the names found in the loader's cache, with the paths from the cache.
    pub fn libraries_found_in_cache(&self) -> impl Iterator<Item = (&[u8], &RawPath)> {
        self.edges.iter().filter_map(|edge| match &edge.resolved {
            Some((SearchRule::Cache, path)) => Some((edge.name.as_slice(), path)),
            _ => None,
        })
    }

    /// Returns whether an object was found in a directory of musl's path file.
    pub fn uses_musl_path_file(&self) -> bool {
        self.edges.iter().any(|edge| matches!(edge.resolved, Some((SearchRule::PathFile, _))))
    }

    /// Returns the path of the object at `index`, then the paths of the objects through which it is
    /// needed, up to the program.
    pub fn dependency_chain(&self, index: usize) -> impl Iterator<Item = &RawPath> {
        let by = |object: &&MappedObject| match object.reason {
            MapReason::Needed { by, .. } => self.objects.get(by),
            _ => None,
        };
        std::iter::successors(self.objects.get(index), by).map(|object| &object.raw_path)
    }
}

/// The symbols that the new objects of a link map refer to.
#[derive(Debug)]
pub struct SymbolReferences {
    /// The symbols, sorted, each once.
    pub symbols: Vec<ReferencedSymbol>,
    /// Objects whose symbol tables are damaged.
    pub problems: Vec<Problem>,
}

/// A symbol and the objects that refer to it.
#[derive(Clone, Debug)]
pub struct ReferencedSymbol {
    /// The symbol.
    pub reference: SymbolReference,
    /// Indices of the objects.
    pub used_by: Vec<usize>,
}

impl SymbolReferences {
    /// Reads the references of all new objects except the loader, which relocates itself.
    fn read(map: &LinkMap) -> fs::Result<Self> {
        let (mut references, mut problems) = (Vec::new(), Vec::new());
        for (by, mapped) in map.new_objects().filter(|(_, mapped)| mapped.reason != MapReason::Interpreter) {
            let read = elf::symbol_references(&mapped.file.content.open()?, &mapped.object);
            let read = record_if_damaged(
                read,
                ProblemKind::DamagedSymbols,
                Severity::Warning,
                &mapped.raw_path,
                &mut problems,
            )?;
            references.extend(read.into_iter().flatten().map(|reference| (reference, by)));
        }
        references.sort_unstable();
        let mut symbols: Vec<ReferencedSymbol> = Vec::new();
        for (reference, by) in references {
            match symbols.last_mut() {
                Some(last) if last.reference == reference => last.used_by.push(by),
                _ => symbols.push(ReferencedSymbol { reference, used_by: vec![by] }),
            }
        }
        Ok(Self { symbols, problems })
    }
}
