//! `deps --why NAME`: which objects need an object, which rule found it, what was searched, its
//! size.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use coracle_core::path::RawPath;
use coracle_ld::closure::{Closure, Edge, LinkMap, MapReason, MissingLibrary};
use coracle_ld::ldso::SearchTrace;
use serde_json::{Value, json};

use super::chains::{self, DependencyChains};
use super::costs::{ObjectSize, SizeCache};
use super::error::CliError;
use super::image_report;
use super::stderr::{BOLD, DIM};

/// An object, or a missing name, that `--why` names in one link map.
pub(super) struct ExplainedObject<'a> {
    map: &'a LinkMap,
    /// The object; for a missing name, the object that needs it.
    index: usize,
    /// The needed name, and the trace of the search for it.
    search: Option<(&'a [u8], &'a SearchTrace)>,
    missing: Option<&'a MissingLibrary>,
}

/// Returns everything in `closure` that `wanted` names: by path, file name, soname or needed name.
pub(super) fn explained_objects<'a>(closure: &'a Closure, wanted: &str) -> Vec<ExplainedObject<'a>> {
    let wanted = wanted.as_bytes();
    let in_map = |map: &'a LinkMap| {
        let objects = (0..map.objects.len()).filter(|index| matches_name(map, *index, wanted)).map(|index| {
            let first = map.edges.iter().find(|edge| edge.to == index && edge.resolved.is_some());
            let asked = first.map(|edge| (edge.name.as_slice(), &*edge.trace));
            ExplainedObject { map, index, search: asked, missing: None }
        });
        let missing =
            map.missing.iter().filter(|missing| missing.name == wanted).map(|missing| ExplainedObject {
                map,
                index: missing.needed_by,
                search: Some((&missing.name, &missing.trace)),
                missing: Some(missing),
            });
        objects.chain(missing).collect::<Vec<_>>()
    };
    // The link maps of less capable CPUs are searched if the best one has no match.
    let in_elf = |elf: &'a coracle_ld::closure::ElfProgram| {
        elf.all_link_maps().map(|map| in_map(map)).find(|subjects| !subjects.is_empty()).unwrap_or_default()
    };
    closure.elf_programs().flat_map(in_elf).collect()
}

fn matches_name(map: &LinkMap, index: usize, wanted: &[u8]) -> bool {
    let Some(object) = map.objects.get(index) else { return false };
    let asked = map.edges.iter().any(|edge| edge.to == index && edge.name == wanted);
    let soname = object.object.dynamic.soname.as_deref();
    let (spelled, own) = (&object.raw_path, object.path.as_bytes());
    asked || [spelled.as_bytes(), spelled.file_name(), own].contains(&wanted) || soname == Some(wanted)
}

/// The least Jaro-Winkler similarity of suggested names.
const MIN_SIMILARITY: f64 = 0.85;

/// Returns up to three names in `closure` similar to `wanted`, most similar first.
pub(super) fn similar_names(closure: &Closure, wanted: &str) -> Vec<String> {
    let text = |name: &[u8]| RawPath::new(name).to_string();
    let maps = closure.elf_programs().flat_map(coracle_ld::closure::ElfProgram::all_link_maps);
    let names: BTreeSet<String> = maps
        .flat_map(|map| {
            let asked = map.edges.iter().map(|edge| text(&edge.name));
            let missing = map.missing.iter().map(|missing| text(&missing.name));
            let files = map.objects.iter().map(|object| text(object.raw_path.file_name()));
            asked.chain(missing).chain(files).collect::<Vec<_>>()
        })
        .collect();
    let likeness = |name: &String| {
        if name.contains(wanted) { 1.0 } else { strsim::jaro_winkler(name, wanted) }
    };
    let mut near: Vec<(f64, String)> = names.into_iter().map(|name| (likeness(&name), name)).collect();
    near.retain(|(likeness, _)| *likeness >= MIN_SIMILARITY);
    near.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    near.into_iter().map(|(_, name)| name).take(3).collect()
}

impl ExplainedObject<'_> {
    fn object_path(&self, index: usize) -> String {
        self.map.objects.get(index).map(|object| object.raw_path.to_string()).unwrap_or_default()
    }

    /// Returns the object's size, the objects that only it needs, and their size; `None` if it is
    /// missing.
    fn sizes(&self, costs: &SizeCache) -> Result<Option<(ObjectSize, Vec<usize>, ObjectSize)>, CliError> {
        if self.missing.is_some() {
            return Ok(None);
        }
        let alone =
            if self.index == 0 { Vec::new() } else { chains::exclusive_dependencies(self.map, self.index) };
        let each: Vec<ObjectSize> =
            alone.iter().map(|&index| costs.compressed_size(self.map, index)).collect::<Result<_, _>>()?;
        Ok(Some((costs.compressed_size(self.map, self.index)?, alone, ObjectSize::sum(&each))))
    }

    /// Returns the rule that found the object, as text.
    fn rule_text(&self) -> Option<String> {
        if self.missing.is_some() {
            return None;
        }
        match &self.map.objects.get(self.index)?.reason {
            MapReason::Program => Some("the file itself".into()),
            MapReason::Interpreter => Some(format!("the interpreter of {}", self.object_path(0))),
            MapReason::Needed { rule, .. } => Some(rule.to_string()),
        }
    }

    /// Formats the object as text.
    pub(super) fn to_text(&self, costs: &SizeCache) -> Result<String, CliError> {
        let mut text = String::new();
        let asked = self.search.map(|(name, _)| RawPath::new(name).to_string()).unwrap_or_default();
        match self.sizes(costs)? {
            None => {
                let _ = writeln!(text, "{BOLD}{asked}{BOLD:#}  {BOLD}not found{BOLD:#}");
            }
            Some((own, alone, more)) => {
                let path = self.object_path(self.index);
                let _ = writeln!(text, "{BOLD}{path}{BOLD:#}  {}", own.to_text());
                let rule = self.rule_text().unwrap_or_default();
                let _ = writeln!(text, "  found: {rule}");
                if !alone.is_empty() {
                    let count = image_report::count_noun(alone.len(), "more object");
                    let _ = writeln!(text, "  only it needs {count}: {}", more.to_text());
                }
            }
        }
        self.write_search(&mut text);
        self.write_chains(&mut text);
        Ok(text)
    }

    /// Writes the directories that were searched before the object was found, and the refused
    /// files.
    fn write_search(&self, text: &mut String) {
        let Some((_, missed)) = self.search else { return };
        let places = missed.searched.iter().map(|place| (place.raw_path.to_string(), place.rule.to_string()));
        let mut places: Vec<_> = places.collect();
        let heading = if self.missing.is_some() {
            "searched, in order:"
        } else {
            "searched before it was found, in order:"
        };
        if self.missing.is_none() {
            places.pop();
        }
        let refused = missed.rejected.iter().map(|(path, refusal)| (path.to_string(), refusal.to_string()));
        for (heading, rows) in [(heading, places), ("found but refused:", refused.collect())] {
            let width = rows.iter().map(|(left, _)| left.chars().count()).max();
            let Some(width) = width else { continue };
            let _ = writeln!(text, "  {heading}");
            for (left, right) in rows {
                let _ = writeln!(text, "    {left:width$}  {DIM}{right}{DIM:#}");
            }
        }
    }

    fn write_chains(&self, text: &mut String) {
        let DependencyChains { chains, is_truncated: is_cut } = chains::chains_to(self.map, self.index);
        for chain in &chains {
            let mut before = None;
            for &index in chain {
                let path = self.object_path(index);
                let _ = match before.and_then(|from| find_edge(self.map, from, index)) {
                    None => writeln!(text, "  {path}"),
                    Some(edge) => {
                        let name = RawPath::new(edge.name.as_slice());
                        writeln!(text, "    needs {name}: {path}{DIM}, {}{DIM:#}", edge_rule(edge))
                    }
                };
                before = Some(index);
            }
            if let Some(missing) = self.missing {
                let _ = writeln!(text, "    needs {}", RawPath::new(missing.name.as_slice()));
            }
        }
        if is_cut {
            let count = image_report::count_noun(chains.len(), "shortest chain");
            let _ = writeln!(text, "  {DIM}and more; only the {count} are listed{DIM:#}");
        }
    }

    /// Returns the object's JSON.
    pub(super) fn to_json(&self, costs: &SizeCache) -> Result<Value, CliError> {
        let DependencyChains { chains, is_truncated: is_cut } = chains::chains_to(self.map, self.index);
        let chains: Vec<Value> = chains.iter().map(|chain| self.chain_json(chain)).collect();
        let searched = self.search.iter().flat_map(|(_, missed)| &missed.searched);
        let searched = searched
            .map(|place| json!({ "directory": place.raw_path.to_string(), "rule": place.rule.to_string() }));
        let refused = self.search.iter().flat_map(|(_, missed)| &missed.rejected);
        let refused = refused
            .map(|(path, refusal)| json!({ "path": path.to_string(), "message": refusal.to_string() }));
        let mut value = json!({
            "path": self.missing.is_none().then(|| self.object_path(self.index)),
            "name": self.search.map(|(name, _)| RawPath::new(name).to_string()),
            "rule": self.rule_text(),
            "searched": searched.collect::<Vec<_>>(),
            "refused": refused.collect::<Vec<_>>(),
            "chains": chains,
            "more_chains": is_cut,
        });
        if let Some((own, alone, more)) = self.sizes(costs)?
            && let Some(members) = value.as_object_mut()
        {
            members.insert("size".into(), json!(own.size));
            members.insert("compressed".into(), json!(own.compressed));
            let paths: Vec<String> = alone.iter().map(|&index| self.object_path(index)).collect();
            let compressed = more.compressed.unwrap_or_default();
            members.insert(
                "alone".into(),
                json!({ "libs": paths, "size": more.size, "compressed": compressed }),
            );
        }
        Ok(value)
    }

    fn chain_json(&self, chain: &[usize]) -> Value {
        let mut steps = Vec::new();
        let mut before = None;
        for &index in chain {
            let edge = before.and_then(|from| find_edge(self.map, from, index));
            steps.push(json!({
                "path": self.object_path(index),
                "name": edge.map(|edge| RawPath::new(edge.name.as_slice()).to_string()),
                "rule": edge.map(edge_rule),
            }));
            before = Some(index);
        }
        if let Some(missing) = self.missing {
            let name = RawPath::new(missing.name.as_slice()).to_string();
            steps.push(json!({ "path": null, "name": name, "rule": null }));
        }
        json!(steps)
    }
}

/// Returns the first dependency of `from` on `to`.
fn find_edge(map: &LinkMap, from: usize, to: usize) -> Option<&Edge> {
    map.edges.iter().find(|edge| edge.from == from && edge.to == to)
}

fn edge_rule(edge: &Edge) -> String {
    edge.resolved.as_ref().map_or_else(|| "mapped already".into(), |(rule, _)| rule.to_string())
}
