//! The objects that a loader maps for one program, breadth first, as its link map lists them.
//!
//! Source: `_dl_map_object_deps`, `elf/dl-deps.c`, and `_dl_map_object`, `elf/dl-load.c`.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::{Error, Missing};
use crate::content::Reader;
use crate::elf::{self, Dependency};
use crate::fs::Identity;
use crate::loader::{self, Candidate, Loader, Requester, Rule};
use crate::path::{ImagePath, Spelled};
use crate::tree::{self, End, Tree, TreeFile, Walk};

/// The program and everything that is mapped for it.
#[derive(Debug)]
pub struct LinkMap {
    /// The program first, then libraries in the order in which they are mapped. The interpreter stands where an object
    /// first needs it, else last.
    pub objects: Vec<Mapped>,
    /// Who asked for what, and which rule found it.
    pub edges: Vec<Edge>,
    /// Names that no rule finds.
    pub missing: Vec<Missing>,
    /// Second paths to objects that are mapped already: opened all the same, so they must exist.
    pub aliases: Vec<Alias>,
    /// The loader, as it was read; none for a static program.
    pub loader: Option<Rc<Loader>>,
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
    pub object: elf::Object,
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

/// Names of the vDSO, which the kernel maps without a file.
const VDSO: [&[u8]; 3] = [b"linux-vdso.so.1", b"linux-gate.so.1", b"linux-vdso64.so.1"];

impl LinkMap {
    /// Maps what `program` needs.
    pub(super) fn load(tree: &dyn Tree, start: &ImagePath, program: Mapped) -> Result<Self, Error> {
        let Some(interpreter) = program.object.interpreter.clone() else {
            let (edges, missing, aliases) = (Vec::new(), Vec::new(), Vec::new());
            return Ok(Self { objects: vec![program], edges, missing, aliases, loader: None });
        };
        let (interpreter, loader) = read_interpreter(tree, start, &program, interpreter)?;
        let mut walker = Walker::new(tree, start, Rc::new(loader), interpreter);
        walker.add(program, None);
        walker.run()?;
        Ok(walker.finish())
    }

    /// Names that the loader's cache led to an object, with the path that it gave.
    pub fn by_cache(&self) -> impl Iterator<Item = (&[u8], &Spelled)> {
        self.edges.iter().filter_map(|edge| match &edge.found {
            Some((Rule::Cache, path)) => Some((edge.name.as_slice(), path)),
            _ => None,
        })
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

/// Finds and reads `PT_INTERP`, which the kernel opens as it is spelled.
fn read_interpreter(
    tree: &dyn Tree,
    start: &ImagePath,
    program: &Mapped,
    interpreter: Spelled,
) -> Result<(Mapped, Loader), Error> {
    let wanted = program.object.header.machine;
    let program = program.spelled.clone();
    let walk = tree::walk(tree, start, interpreter.as_bytes())?;
    let End::File(path, file) = walk.end.clone() else {
        let why = match wanted.platform() {
            Some(platform) => format!("there is no such file; the program is for {platform}"),
            None => "there is no such file".into(),
        };
        return Err(Error::Interpreter { program, interpreter, why });
    };
    let unreadable =
        |source| Error::Loader { program: program.clone(), interpreter: interpreter.clone(), source };
    let reader: Reader = file.content.open()?;
    let object = elf::Object::read(&reader).map_err(|e| unreadable(e.into()))?;
    let found = object.header.machine;
    if !found.is_kin_of(wanted) {
        return Err(Error::InterpreterMachine { program, interpreter, found, wanted });
    }
    let loader = Loader::read(tree, &interpreter, &reader, &object).map_err(unreadable)?;
    Ok((Mapped { spelled: interpreter, walk, path, file, object, found: Found::Interpreter }, loader))
}

/// The walk while it goes on.
struct Walker<'a> {
    tree: &'a dyn Tree,
    start: &'a ImagePath,
    map: LinkMap,
    loader: Rc<Loader>,
    requesters: Vec<Rc<Requester>>,
    names: BTreeMap<Vec<u8>, usize>,
    identities: BTreeMap<Identity, usize>,
    /// The interpreter until an object needs it.
    interpreter: Option<Mapped>,
}

impl<'a> Walker<'a> {
    fn new(tree: &'a dyn Tree, start: &'a ImagePath, loader: Rc<Loader>, interpreter: Mapped) -> Self {
        let (objects, edges, missing, aliases) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let map = LinkMap { objects, edges, missing, aliases, loader: Some(loader.clone()) };
        Self {
            tree,
            start,
            map,
            loader,
            requesters: Vec::new(),
            names: BTreeMap::new(),
            identities: BTreeMap::new(),
            interpreter: Some(interpreter),
        }
    }

    /// Breadth first: the objects are the queue.
    fn run(&mut self) -> Result<(), Error> {
        let mut next = 0;
        while let Some(object) = self.map.objects.get(next) {
            for dependency in object.object.dynamic.dependencies.clone() {
                self.want(next, &dependency)?;
            }
            next += 1;
        }
        Ok(())
    }

    fn finish(mut self) -> LinkMap {
        self.map.objects.extend(self.interpreter);
        self.map
    }

    /// Gets one name for the object `by`: from what is mapped, else from the tree.
    fn want(&mut self, by: usize, dependency: &Dependency) -> Result<(), Error> {
        let (Dependency::Needed(name) | Dependency::Filter(name) | Dependency::Auxiliary(name)) = dependency;
        if VDSO.contains(&name.as_slice()) {
            return Ok(());
        }
        if let Some(to) = self.known(name, by) {
            self.map.edges.push(Edge { from: by, to, name: name.clone(), found: None });
            return Ok(());
        }
        let Some(requester) = self.requesters.get(by).cloned() else { return Ok(()) };
        match self.loader.find(self.tree, self.start, name, &requester)? {
            Ok(found) => self.map_found(by, name, found, &requester),
            Err(_) if matches!(dependency, Dependency::Auxiliary(_)) => {}
            Err(missed) => self.map.missing.push(Missing { name: name.clone(), by, missed }),
        }
        Ok(())
    }

    /// The object that `name` means already; the interpreter joins the map when it is first meant.
    fn known(&mut self, name: &[u8], by: usize) -> Option<usize> {
        if let Some(&index) = self.names.get(name) {
            return Some(index);
        }
        let interpreter = self.interpreter.as_ref()?;
        let soname = interpreter.object.dynamic.soname.as_deref();
        let meant = interpreter.spelled.as_bytes() == name
            || self.loader.knows_sonames() && soname == Some(name)
            || self.loader.is_named(name);
        let interpreter = if meant { self.interpreter.take()? } else { return None };
        let parent = self.requesters.get(by).cloned();
        let index = self.add(interpreter, parent);
        self.names.insert(name.to_vec(), index);
        Some(index)
    }

    /// Adds what a search found, unless the file is mapped already under another path.
    fn map_found(&mut self, by: usize, name: &[u8], found: loader::Found, requester: &Rc<Requester>) {
        let loader::Found { candidate, rule, origin } = found;
        let Candidate { spelled, walk, path, file, object } = candidate;
        let given = (rule.clone(), spelled.clone());
        let reason = Found::Needed { by, rule, origin };
        let to = match self.identities.get(&file.stat.identity) {
            Some(&index) => {
                self.map.aliases.push(Alias { of: index, walk, found: reason });
                index
            }
            None => {
                let mapped = Mapped { spelled, walk, path, file, object, found: reason };
                self.add(mapped, Some(requester.clone()))
            }
        };
        self.names.entry(name.to_vec()).or_insert(to);
        self.map.edges.push(Edge { from: by, to, name: name.to_vec(), found: Some(given) });
    }

    /// Appends an object and remembers the names by which it answers.
    fn add(&mut self, mapped: Mapped, parent: Option<Rc<Requester>>) -> usize {
        let index = self.map.objects.len();
        let dynamic = &mapped.object.dynamic;
        let origin = match mapped.found {
            Found::Program => Spelled::from(&mapped.path).directory(),
            _ => mapped.spelled.directory(),
        };
        self.names.entry(mapped.spelled.as_bytes().to_vec()).or_insert(index);
        if self.loader.knows_sonames()
            && let Some(soname) = &dynamic.soname
        {
            self.names.entry(soname.clone()).or_insert(index);
        }
        self.identities.entry(mapped.file.stat.identity).or_insert(index);
        self.requesters.push(Rc::new(Requester {
            spelled: mapped.spelled.clone(),
            origin,
            rpath: dynamic.rpath.clone(),
            runpath: dynamic.runpath.clone(),
            no_default_directories: dynamic.no_default_directories(),
            parent,
        }));
        self.map.objects.push(mapped);
        index
    }
}
