//! The dependencies between the files of an image, as the dynamic loader of the image resolves them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use coracle_core::file_system::{FileSystem as _, FsNode, PathResolution, ResolutionStep};
use coracle_core::path::{ImagePath, RawPath};
use coracle_ld::closure::{Closure, ExecutedKind, LinkMap, MapReason, Resolver};
use coracle_ld::elf;
use coracle_oci::layout::{ImageEntryKind, ImageFs};
use serde::Serialize;

use crate::run_config::RunConfigReport;

/// The maximum number of programs that are resolved besides the image's entrypoint.
const MAX_PROGRAMS: usize = 2000;

/// The files of an image that programs need, and which of them needs which.
#[derive(Debug, Default)]
pub struct DependencyGraph {
    /// The files. Programs that nothing in the image starts have no dependents.
    pub nodes: Vec<GraphNode>,
    /// The dependencies.
    pub edges: Vec<GraphEdge>,
    /// The libraries that are missing: the index of the file, and the name that it needs.
    pub missing: Vec<(usize, String)>,
    by_path: BTreeMap<ImagePath, usize>,
    /// Symbolic links that are followed on the way to a file.
    links: BTreeMap<ImagePath, usize>,
    edge_keys: BTreeSet<(usize, usize)>,
}

/// A file in the graph.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GraphNode {
    /// The path, without links.
    pub path: ImagePath,
    /// Why it is a starting point; `None` for a file that another one needs.
    pub root: Option<RootKind>,
}

/// Why a file is a starting point.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RootKind {
    /// The image's config starts it.
    Entrypoint,
    /// It is another program in the image.
    Program,
}

/// A dependency between two files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GraphEdge {
    /// The index of the file that needs the other.
    pub from: usize,
    /// The index of the needed file.
    pub to: usize,
    /// The name by which it is needed.
    pub name: String,
    /// The rule that found it.
    pub rule: String,
}

/// One file of a chain from a starting point to a file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ChainStep {
    /// The path.
    pub path: String,
    /// The name by which the file before needs it; `None` for the first.
    pub name: Option<String>,
    /// The rule that found it, or why the first is a starting point.
    pub rule: String,
}

impl DependencyGraph {
    /// Resolves the program of `config` in `file_system`, and all other programs in it. Programs
    /// that cannot be resolved have no dependencies.
    pub fn resolve(file_system: &ImageFs, config: &RunConfigReport) -> Self {
        let options = config.resolve_options();
        let resolver = Resolver::new(file_system, &options);
        let mut graph = Self::default();
        if let Some(program) = config.find_program(file_system)
            && let Ok(closure) = resolver.resolve_partial(&program)
        {
            graph.add_closure(&closure, RootKind::Entrypoint);
        }
        graph.add_dlopened(file_system, &resolver);
        for path in other_programs(file_system) {
            if !graph.by_path.contains_key(&path)
                && let Ok(closure) = resolver.resolve_partial(&RawPath::from(&path))
            {
                graph.add_closure(&closure, RootKind::Program);
            }
        }
        graph.add_dlopened(file_system, &resolver);
        graph
    }

    /// Returns the index of the file at `path`, or of the file that the link at `path` leads to.
    pub fn index_of(&self, path: &ImagePath) -> Option<usize> {
        self.by_path.get(path).or_else(|| self.links.get(path)).copied()
    }

    /// Returns whether `path` is a link that leads to a file of the graph.
    pub fn is_link(&self, path: &ImagePath) -> bool {
        !self.by_path.contains_key(path) && self.links.contains_key(path)
    }

    /// Returns the shortest chain from a starting point to the file with this index. Chains from
    /// the image's entrypoint are preferred.
    pub fn chain_to(&self, target: usize) -> Option<Vec<ChainStep>> {
        [RootKind::Entrypoint, RootKind::Program].into_iter().find_map(|kind| self.chain_from(kind, target))
    }

    fn chain_from(&self, kind: RootKind, target: usize) -> Option<Vec<ChainStep>> {
        let roots = self.nodes.iter().enumerate().filter(|(_, node)| node.root == Some(kind));
        let mut pending: VecDeque<usize> = roots.map(|(index, _)| index).collect();
        let mut reached_by: BTreeMap<usize, Option<&GraphEdge>> =
            pending.iter().map(|index| (*index, None)).collect();
        while let Some(index) = pending.pop_front() {
            if index == target {
                return Some(self.chain_steps(target, &reached_by, kind));
            }
            for edge in self.edges.iter().filter(|edge| edge.from == index) {
                reached_by.entry(edge.to).or_insert_with(|| {
                    pending.push_back(edge.to);
                    Some(edge)
                });
            }
        }
        None
    }

    fn chain_steps(
        &self,
        target: usize,
        reached_by: &BTreeMap<usize, Option<&GraphEdge>>,
        kind: RootKind,
    ) -> Vec<ChainStep> {
        let (mut steps, mut at) = (Vec::new(), Some(target));
        while let Some((index, edge)) = at.and_then(|index| Some((index, *reached_by.get(&index)?))) {
            let (name, rule) = match (edge, kind) {
                (Some(edge), _) => (Some(edge.name.clone()), edge.rule.clone()),
                (None, RootKind::Entrypoint) => (None, "the image starts it".to_owned()),
                (None, RootKind::Program) => (None, "a program in the image".to_owned()),
            };
            steps.push(ChainStep { path: self.path_text(index), name, rule });
            at = edge.map(|edge| edge.from);
        }
        steps.reverse();
        steps
    }

    /// Returns one line about why the file at `path` is needed; `None` if no program needs it.
    pub fn reason(&self, path: &ImagePath) -> Option<String> {
        let index = self.index_of(path)?;
        let target = self.nodes.get(index)?;
        if self.is_link(path) {
            return Some(format!("link on the way to {}", target.path));
        }
        match (target.root, self.edges.iter().find(|edge| edge.to == index)) {
            (Some(RootKind::Entrypoint), _) => Some("the image starts it".into()),
            (_, Some(edge)) => Some(format!("needed by {}, {}", self.path_text(edge.from), edge.rule)),
            (Some(RootKind::Program), None) => Some("program".into()),
            (None, None) => None,
        }
    }

    fn path_text(&self, index: usize) -> String {
        self.nodes.get(index).map(|node| node.path.to_string()).unwrap_or_default()
    }

    fn add_closure(&mut self, closure: &Closure, kind: RootKind) {
        let mut starter: Option<usize> = None;
        for executed in &closure.executed {
            let index = self.add_node(&executed.path, &executed.walk);
            match starter {
                None => self.set_root(index, kind),
                Some(from) => self.add_edge(from, index, executed.raw_path.to_string(), "its `#!` line"),
            }
            starter = Some(index);
            if let ExecutedKind::Elf(elf) = &executed.kind {
                elf.all_link_maps().for_each(|map| self.add_link_map(map));
            }
        }
    }

    fn add_link_map(&mut self, map: &LinkMap) {
        let indices: Vec<usize> =
            map.objects.iter().map(|object| self.add_node(&object.path, &object.walk)).collect();
        let node = |object: usize| indices.get(object).copied();
        for alias in &map.aliases {
            node(alias.object).into_iter().for_each(|index| self.add_links(&alias.walk, index));
        }
        let interpreter = map.objects.iter().position(|object| object.reason == MapReason::Interpreter);
        if let (Some(from), Some(to)) = (node(0), interpreter.and_then(node)) {
            let name = map.objects.first().and_then(|program| program.object.interpreter.as_ref());
            self.add_edge(from, to, name.map(ToString::to_string).unwrap_or_default(), "its interpreter");
        }
        for edge in &map.edges {
            let rule = match &edge.resolved {
                Some((rule, _)) => rule.to_string(),
                None => "mapped already".to_owned(),
            };
            if let (Some(from), Some(to)) = (node(edge.from), node(edge.to)) {
                self.add_edge(from, to, RawPath::new(edge.name.as_slice()).to_string(), &rule);
            }
        }
        for missing in &map.missing {
            let entry = node(missing.needed_by)
                .map(|index| (index, RawPath::new(missing.name.as_slice()).to_string()));
            self.missing.extend(entry.filter(|entry| !self.missing.contains(entry)));
        }
    }

    /// Adds the libraries that files of the graph declare to open at run time.
    fn add_dlopened(&mut self, file_system: &ImageFs, resolver: &Resolver<'_>) {
        let mut next = 0;
        while let Some(node) = self.nodes.get(next).cloned() {
            for (soname, feature) in dlopen_notes(file_system, &node.path) {
                let Some(path) = find_by_name(file_system, &node.path, &soname) else { continue };
                let Ok(closure) = resolver.resolve_partial(&RawPath::from(&path)) else { continue };
                let Some(first) = closure.executed.first() else { continue };
                let index = self.add_node(&first.path, &first.walk);
                closure
                    .elf_programs()
                    .flat_map(coracle_ld::closure::ElfProgram::all_link_maps)
                    .for_each(|map| self.add_link_map(map));
                let rule = format!("opened at run time, {feature}");
                self.add_edge(next, index, RawPath::new(soname).to_string(), &rule);
            }
            next += 1;
        }
    }

    fn set_root(&mut self, index: usize, kind: RootKind) {
        if let Some(node) = self.nodes.get_mut(index) {
            node.root.get_or_insert(kind);
        }
    }

    fn add_node(&mut self, path: &ImagePath, walk: &PathResolution) -> usize {
        let index = match self.by_path.get(path) {
            Some(index) => *index,
            None => {
                self.nodes.push(GraphNode { path: path.clone(), root: None });
                self.by_path.insert(path.clone(), self.nodes.len() - 1);
                self.nodes.len() - 1
            }
        };
        self.add_links(walk, index);
        index
    }

    fn add_links(&mut self, walk: &PathResolution, index: usize) {
        for step in &walk.steps {
            if let ResolutionStep::Link { path, .. } = step {
                self.links.entry(path.clone()).or_insert(index);
            }
        }
    }

    fn add_edge(&mut self, from: usize, to: usize, name: String, rule: &str) {
        if from != to && self.edge_keys.insert((from, to)) {
            self.edges.push(GraphEdge { from, to, name, rule: rule.to_owned() });
        }
    }
}

/// Returns the ELF programs in the image: executable files with an interpreter, or at a fixed
/// address.
fn other_programs(file_system: &ImageFs) -> Vec<ImagePath> {
    let executables = file_system.files().iter().filter(|(_, entry)| {
        entry.mode & 0o111 != 0 && matches!(&entry.node, ImageEntryKind::File(extent) if extent.size > 0)
    });
    let programs = executables.map(|(path, _)| path).filter(|path| is_program(file_system, path));
    programs.take(MAX_PROGRAMS).cloned().collect()
}

fn is_program(file_system: &ImageFs, path: &ImagePath) -> bool {
    let Ok(Some(FsNode::File(file))) = file_system.node(path) else { return false };
    let object = file.content.open().ok().and_then(|content| elf::ElfObject::read(&content).ok());
    object.is_some_and(|object| {
        let is_fixed = object.header.elf_type == elf::ElfType::Executable;
        let is_static_pie = object.header.has_entry && object.dynamic.is_pie();
        object.interpreter.is_some() || is_fixed || is_static_pie
    })
}

/// Returns the libraries that the file at `path` declares to open, with the feature that needs it.
fn dlopen_notes(file_system: &ImageFs, path: &ImagePath) -> Vec<(Vec<u8>, String)> {
    let Ok(Some(FsNode::File(file))) = file_system.node(path) else { return Vec::new() };
    let Ok(content) = file.content.open() else { return Vec::new() };
    let notes = elf::ElfObject::read(&content).and_then(|object| elf::dlopen_notes(&content, &object));
    let notes = notes.unwrap_or_default().into_iter();
    notes
        .flat_map(|note| {
            let feature = match note.feature.as_str() {
                "" => "`.note.dlopen`".to_owned(),
                feature => feature.to_owned(),
            };
            note.sonames.into_iter().map(move |soname| (soname, feature.clone()))
        })
        .collect()
}

/// Returns the file called `name` in the directory of `caller`, or else anywhere in the image.
fn find_by_name(file_system: &ImageFs, caller: &ImagePath, name: &[u8]) -> Option<ImagePath> {
    let files = file_system.files();
    let here = caller.parent().map(|directory| directory.join(name));
    let here = here.filter(|path| files.get(path).is_some_and(|entry| !entry.is_directory()));
    here.or_else(|| {
        let mut named =
            files.iter().filter(|(path, entry)| path.file_name() == Some(name) && !entry.is_directory());
        named.next().map(|(path, _)| path.clone())
    })
}
