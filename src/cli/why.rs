//! `deps --why NAME`: which objects need an object, which rule found it, what was searched, its
//! size.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use coracle_ld::closure::{Closure, Edge, Found, LinkMap, Missing};
use coracle_ld::ldso::Missed;
use coracle_core::path::Spelled;
use serde_json::{Value, json};

use super::chains::{self, Chains};
use super::costs::{Cost, Costs};
use super::failure::Failure;
use super::report::{FAINT, STRONG};
use super::table;

/// An object, or a missing name, that `--why` names in one link map.
pub(super) struct Subject<'a> {
    map: &'a LinkMap,
    /// The object; for a missing name, the object that needs it.
    index: usize,
    /// The needed name, and the trace of the search for it.
    asked: Option<(&'a [u8], &'a Missed)>,
    missing: Option<&'a Missing>,
}

/// Returns everything in `closure` that `wanted` names: by path, file name, soname or needed name.
pub(super) fn subjects<'a>(closure: &'a Closure, wanted: &str) -> Vec<Subject<'a>> {
    let wanted = wanted.as_bytes();
    let in_map = |map: &'a LinkMap| {
        let objects = (0..map.objects.len()).filter(|index| is_meant(map, *index, wanted)).map(|index| {
            let first = map.edges.iter().find(|edge| edge.to == index && edge.found.is_some());
            let asked = first.map(|edge| (edge.name.as_slice(), &*edge.passed));
            Subject { map, index, asked, missing: None }
        });
        let missing = map.missing.iter().filter(|missing| missing.name == wanted).map(|missing| Subject {
            map,
            index: missing.by,
            asked: Some((&missing.name, &missing.missed)),
            missing: Some(missing),
        });
        objects.chain(missing).collect::<Vec<_>>()
    };
    // The link maps of less capable CPUs are searched if the best one has no match.
    let in_elf = |elf: &'a coracle_ld::closure::Elf| {
        elf.maps().map(|map| in_map(map)).find(|subjects| !subjects.is_empty()).unwrap_or_default()
    };
    closure.elves().flat_map(in_elf).collect()
}

fn is_meant(map: &LinkMap, index: usize, wanted: &[u8]) -> bool {
    let Some(object) = map.objects.get(index) else { return false };
    let asked = map.edges.iter().any(|edge| edge.to == index && edge.name == wanted);
    let soname = object.object.dynamic.soname.as_deref();
    let (spelled, own) = (&object.spelled, object.path.as_bytes());
    asked || [spelled.as_bytes(), spelled.name(), own].contains(&wanted) || soname == Some(wanted)
}

/// The least Jaro-Winkler similarity of suggested names.
const ALIKE: f64 = 0.85;

/// Returns up to three names in `closure` similar to `wanted`, most similar first.
pub(super) fn near(closure: &Closure, wanted: &str) -> Vec<String> {
    let text = |name: &[u8]| Spelled::new(name).to_string();
    let maps = closure.elves().flat_map(coracle_ld::closure::Elf::maps);
    let names: BTreeSet<String> = maps
        .flat_map(|map| {
            let asked = map.edges.iter().map(|edge| text(&edge.name));
            let missing = map.missing.iter().map(|missing| text(&missing.name));
            let files = map.objects.iter().map(|object| text(object.spelled.name()));
            asked.chain(missing).chain(files).collect::<Vec<_>>()
        })
        .collect();
    let likeness = |name: &String| {
        if name.contains(wanted) { 1.0 } else { strsim::jaro_winkler(name, wanted) }
    };
    let mut near: Vec<(f64, String)> = names.into_iter().map(|name| (likeness(&name), name)).collect();
    near.retain(|(likeness, _)| *likeness >= ALIKE);
    near.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    near.into_iter().map(|(_, name)| name).take(3).collect()
}

impl Subject<'_> {
    fn spelled(&self, index: usize) -> String {
        self.map.objects.get(index).map(|object| object.spelled.to_string()).unwrap_or_default()
    }

    /// Returns the object's size, the objects that only it needs, and their size; `None` if it is
    /// missing.
    fn costs(&self, costs: &Costs) -> Result<Option<(Cost, Vec<usize>, Cost)>, Failure> {
        if self.missing.is_some() {
            return Ok(None);
        }
        let alone = if self.index == 0 { Vec::new() } else { chains::alone(self.map, self.index) };
        let each: Vec<Cost> =
            alone.iter().map(|&index| costs.compressed(self.map, index)).collect::<Result<_, _>>()?;
        Ok(Some((costs.compressed(self.map, self.index)?, alone, Cost::sum(&each))))
    }

    /// Returns the rule that found the object, as text.
    fn rule(&self) -> Option<String> {
        if self.missing.is_some() {
            return None;
        }
        match &self.map.objects.get(self.index)?.found {
            Found::Program => Some("the file itself".into()),
            Found::Interpreter => Some(format!("the interpreter of {}", self.spelled(0))),
            Found::Needed { rule, .. } => Some(rule.to_string()),
        }
    }

    /// Formats the object as text.
    pub(super) fn text(&self, costs: &Costs) -> Result<String, Failure> {
        let mut text = String::new();
        let asked = self.asked.map(|(name, _)| Spelled::new(name).to_string()).unwrap_or_default();
        match self.costs(costs)? {
            None => {
                let _ = writeln!(text, "{STRONG}{asked}{STRONG:#}  {STRONG}not found{STRONG:#}");
            }
            Some((own, alone, more)) => {
                let path = self.spelled(self.index);
                let _ = writeln!(text, "{STRONG}{path}{STRONG:#}  {}", own.text());
                let rule = self.rule().unwrap_or_default();
                let _ = writeln!(text, "  found: {rule}");
                if !alone.is_empty() {
                    let count = table::count(alone.len(), "more object");
                    let _ = writeln!(text, "  only it needs {count}: {}", more.text());
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
        let Some((_, missed)) = self.asked else { return };
        let places = missed.places.iter().map(|place| (place.directory.to_string(), place.rule.to_string()));
        let mut places: Vec<_> = places.collect();
        let heading = if self.missing.is_some() {
            "searched, in order:"
        } else {
            "searched before it was found, in order:"
        };
        if self.missing.is_none() {
            places.pop();
        }
        let refused = missed.refused.iter().map(|(path, refusal)| (path.to_string(), refusal.to_string()));
        for (heading, rows) in [(heading, places), ("found but refused:", refused.collect())] {
            let width = rows.iter().map(|(left, _)| left.chars().count()).max();
            let Some(width) = width else { continue };
            let _ = writeln!(text, "  {heading}");
            for (left, right) in rows {
                let _ = writeln!(text, "    {left:width$}  {FAINT}{right}{FAINT:#}");
            }
        }
    }

    fn write_chains(&self, text: &mut String) {
        let Chains { chains, is_cut } = chains::to(self.map, self.index);
        for chain in &chains {
            let mut before = None;
            for &index in chain {
                let path = self.spelled(index);
                let _ = match before.and_then(|from| edge(self.map, from, index)) {
                    None => writeln!(text, "  {path}"),
                    Some(edge) => {
                        let name = Spelled::new(edge.name.as_slice());
                        writeln!(text, "    needs {name}: {path}{FAINT}, {}{FAINT:#}", how(edge))
                    }
                };
                before = Some(index);
            }
            if let Some(missing) = self.missing {
                let _ = writeln!(text, "    needs {}", Spelled::new(missing.name.as_slice()));
            }
        }
        if is_cut {
            let count = table::count(chains.len(), "shortest chain");
            let _ = writeln!(text, "  {FAINT}and more; only the {count} are listed{FAINT:#}");
        }
    }

    /// Returns the object's JSON.
    pub(super) fn json(&self, costs: &Costs) -> Result<Value, Failure> {
        let Chains { chains, is_cut } = chains::to(self.map, self.index);
        let chains: Vec<Value> = chains.iter().map(|chain| self.chain_json(chain)).collect();
        let searched = self.asked.iter().flat_map(|(_, missed)| &missed.places);
        let searched = searched
            .map(|place| json!({ "directory": place.directory.to_string(), "rule": place.rule.to_string() }));
        let refused = self.asked.iter().flat_map(|(_, missed)| &missed.refused);
        let refused = refused
            .map(|(path, refusal)| json!({ "path": path.to_string(), "message": refusal.to_string() }));
        let mut value = json!({
            "path": self.missing.is_none().then(|| self.spelled(self.index)),
            "name": self.asked.map(|(name, _)| Spelled::new(name).to_string()),
            "rule": self.rule(),
            "searched": searched.collect::<Vec<_>>(),
            "refused": refused.collect::<Vec<_>>(),
            "chains": chains,
            "more_chains": is_cut,
        });
        if let Some((own, alone, more)) = self.costs(costs)?
            && let Some(members) = value.as_object_mut()
        {
            members.insert("size".into(), json!(own.size));
            members.insert("compressed".into(), json!(own.compressed));
            let paths: Vec<String> = alone.iter().map(|&index| self.spelled(index)).collect();
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
            let edge = before.and_then(|from| edge(self.map, from, index));
            steps.push(json!({
                "path": self.spelled(index),
                "name": edge.map(|edge| Spelled::new(edge.name.as_slice()).to_string()),
                "rule": edge.map(how),
            }));
            before = Some(index);
        }
        if let Some(missing) = self.missing {
            let name = Spelled::new(missing.name.as_slice()).to_string();
            steps.push(json!({ "path": null, "name": name, "rule": null }));
        }
        json!(steps)
    }
}

/// Returns the first dependency of `from` on `to`.
fn edge(map: &LinkMap, from: usize, to: usize) -> Option<&Edge> {
    map.edges.iter().find(|edge| edge.from == from && edge.to == to)
}

fn how(edge: &Edge) -> String {
    edge.found.as_ref().map_or_else(|| "mapped already".into(), |(rule, _)| rule.to_string())
}
