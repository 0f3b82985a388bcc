//! The objects that a loader maps for one program, as its link map lists them.

use std::cell::OnceCell;
use std::rc::Rc;

use super::References;
use crate::elf;
use coracle_core::fs;
use crate::ldso::conf::Listed;
use crate::ldso::{Loader, Missed, Rule};
use coracle_core::path::{ImagePath, Spelled};
use coracle_core::file_system::{TreeFile, Walk};

/// The program and everything that is mapped for it.
#[derive(Debug)]
pub struct LinkMap {
    /// The program first, then libraries in the order in which they are searched for symbols. The interpreter stands
    /// where an object first needs it, else last.
    pub objects: Vec<Mapped>,
    /// Who asked for what, and which rule found it.
    pub edges: Vec<Edge>,
    /// Names that no rule finds.
    pub missing: Vec<Missing>,
    /// Second paths to objects that are mapped already: opened all the same, so they must exist.
    pub aliases: Vec<Alias>,
    /// What the opening of a library added to what the start had mapped, that library first; none for the map of a
    /// start.
    pub added: Option<Vec<usize>>,
    /// The loader, as it was read; none for a static program.
    pub loader: Option<Rc<Loader>>,
    pub(super) references: OnceCell<References>,
}

/// One object in the link map.
#[derive(Clone, Debug)]
pub struct Mapped {
    /// Its path as the loader spells it.
    pub spelled: Spelled,
    /// How that path leads to the file.
    pub walk: Walk,
    /// The file's own path.
    pub path: ImagePath,
    /// Its identity and content.
    pub file: TreeFile,
    /// What it says of itself.
    pub object: Rc<elf::Object>,
    /// How it came in.
    pub found: Found,
}

/// How an object came in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// It is the program.
    Program,
    /// It is the program's `PT_INTERP`.
    Interpreter,
    /// An object needed it.
    Needed {
        /// Index of that object.
        by: usize,
        /// The rule that found it.
        rule: Rule,
        /// The directory that `$ORIGIN` stood for, when it was found from there.
        origin: Option<Spelled>,
    },
}

/// One name that one object asked for.
#[derive(Clone, Debug)]
pub struct Edge {
    /// Index of the object that asked.
    pub from: usize,
    /// Index of the object that it got.
    pub to: usize,
    /// The name.
    pub name: Vec<u8>,
    /// The rule that found it and the path that it gave; none when the object was in the link map already.
    pub found: Option<(Rule, Spelled)>,
    /// Where was searched for it, and what was passed over; nothing when the object was in the link map already.
    pub passed: Rc<Missed>,
}

/// A second path to an object.
#[derive(Clone, Debug)]
pub struct Alias {
    /// Index of the object.
    pub of: usize,
    /// The other path.
    pub walk: Walk,
    /// How it came in.
    pub found: Found,
}

/// A name that no rule finds.
#[derive(Clone, Debug)]
pub struct Missing {
    /// What was asked for.
    pub name: Vec<u8>,
    /// Who asked: an index into the objects.
    pub by: usize,
    /// What it means for the program.
    pub absence: Absence,
    /// Where was searched, and what was refused.
    pub missed: Rc<Missed>,
    /// A directory of `ld.so.conf` that has it all the same: the loader never reads that file.
    pub listed: Option<Listed>,
}

/// What it means that a library is not there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Absence {
    /// The program does not start.
    Fatal,
    /// `DT_AUXILIARY`: it starts all the same.
    Auxiliary,
    /// A preload: it starts all the same, with a warning of the loader.
    Preload,
}

impl Mapped {
    /// Whether it is the object that opens libraries under this name: its soname, or what its file is called, wherever
    /// that is in the image.
    pub(super) fn answers_to(&self, name: &[u8]) -> bool {
        self.object.dynamic.soname.as_deref() == Some(name)
            || self.spelled.name() == Spelled::new(name).name()
    }

    /// Whether it stands below `glibc-hwcaps`.
    pub(super) fn is_variant(&self) -> bool {
        let part = b"/glibc-hwcaps/";
        self.spelled.as_bytes().windows(part.len()).any(|bytes| bytes == part)
    }
}

impl LinkMap {
    /// A program without interpreter, for which nothing is mapped.
    pub(super) fn of_static(program: Mapped) -> Self {
        Self {
            objects: vec![program],
            edges: Vec::new(),
            missing: Vec::new(),
            aliases: Vec::new(),
            added: None,
            loader: None,
            references: OnceCell::new(),
        }
    }

    /// The objects that are new in this map, with their indices: all of a start's, what an opening added to one.
    pub fn news(&self) -> impl Iterator<Item = (usize, &Mapped)> {
        let is_new = |index: &usize| self.added.as_ref().is_none_or(|added| added.contains(index));
        self.objects.iter().enumerate().filter(move |(index, _)| is_new(index))
    }

    /// What the new objects want of others, read once.
    ///
    /// # Errors
    /// When a file can't be read.
    pub fn references(&self) -> fs::Result<&References> {
        if let Some(references) = self.references.get() {
            return Ok(references);
        }
        let read = References::read(self)?;
        Ok(self.references.get_or_init(|| read))
    }

    /// Whether the program would not start for want of a library.
    pub fn is_incomplete(&self) -> bool {
        self.missing.iter().any(|missing| missing.absence == Absence::Fatal)
    }

    /// Whether the first object is no program but a library: needs something, or has no entry, but no interpreter.
    pub fn is_library(&self) -> bool {
        self.objects.first().is_some_and(|first| {
            let object = &first.object;
            object.interpreter.is_none()
                && (object.dynamic.needed().next().is_some() || !object.header.has_entry)
        })
    }

    /// Whether an object is a variant for some CPUs, or may be.
    pub fn has_variants(&self) -> bool {
        self.objects.iter().any(Mapped::is_variant)
            || self.loader.as_ref().is_some_and(|loader| loader.varies())
    }

    /// Whether both map the same files.
    pub(super) fn same_files(&self, other: &Self) -> bool {
        self.objects
            .iter()
            .map(|object| &object.spelled)
            .eq(other.objects.iter().map(|object| &object.spelled))
    }

    /// Whether the file at `path` is mapped.
    pub fn maps(&self, path: &ImagePath) -> bool {
        self.objects.iter().any(|object| object.path == *path)
    }

    /// Whether some object asked for the one at `index`.
    pub fn is_needed(&self, index: usize) -> bool {
        self.edges.iter().any(|edge| edge.to == index)
    }

    /// Names that the loader's cache led to an object, with the path that it gave.
    pub fn by_cache(&self) -> impl Iterator<Item = (&[u8], &Spelled)> {
        self.edges.iter().filter_map(|edge| match &edge.found {
            Some((Rule::Cache, path)) => Some((edge.name.as_slice(), path)),
            _ => None,
        })
    }

    /// Whether an object was found in a directory of the loader's path file.
    pub fn uses_path_file(&self) -> bool {
        self.edges.iter().any(|edge| matches!(edge.found, Some((Rule::PathFile, _))))
    }

    /// `index` and who brought it in, up to the program.
    pub fn chain(&self, index: usize) -> impl Iterator<Item = &Spelled> {
        let by = |object: &&Mapped| match object.found {
            Found::Needed { by, .. } => self.objects.get(by),
            _ => None,
        };
        std::iter::successors(self.objects.get(index), by).map(|object| &object.spelled)
    }
}
