//! `deps --why NAME`: which objects need an object, which rule found it, what was searched, its
//! size.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use coracle_core::escape::column_width;
use coracle_core::hint::most_similar;
use coracle_core::path::RawPath;
use coracle_ld::closure::{Closure, DependencyEdge, ElfProgram, LinkMap, MapReason, MissingLibrary};
use coracle_ld::ldso::SearchTrace;
use serde::Serialize;

use super::dependency_chains::{self, DependencyChains};
use super::object_sizes::{SizeAndCompressed, SizeCache};
use crate::cli::console_output::{BOLD, DIM, count_noun};
use crate::cli::error::CliError;

/// The report of one object, or of one missing name.
#[derive(Serialize)]
pub(super) struct WhyReport {
    /// `None` if it is missing.
    path: Option<String>,
    /// The first needed name; `None` for the program.
    name: Option<String>,
    /// The rule that found it.
    rule: Option<String>,
    /// The searched directories, in order. The last one contains the object if it was found.
    searched: Vec<SearchedDirectory>,
    /// The files that were found but refused.
    refused: Vec<RefusedFile>,
    chains: Vec<Vec<ChainStep>>,
    /// `true` if there are more chains than these.
    more_chains: bool,
    /// `None` if it is missing.
    #[serde(flatten)]
    sizes: Option<WhySizes>,
}

#[derive(Serialize)]
struct SearchedDirectory {
    directory: String,
    rule: String,
}

#[derive(Serialize)]
struct RefusedFile {
    path: String,
    message: String,
}

/// One object of a chain from the program to the explained object.
#[derive(Serialize)]
struct ChainStep {
    /// The object's path; `None` for a missing name.
    path: Option<String>,
    /// The name by which the object before needs it; `None` for the program.
    name: Option<String>,
    rule: Option<String>,
}

/// The size of an object, and of what is mapped only because of it.
#[derive(Serialize)]
struct WhySizes {
    #[serde(flatten)]
    own: SizeAndCompressed,
    alone: ExclusiveDependencies,
}

/// The objects that only the explained object needs.
#[derive(Serialize)]
struct ExclusiveDependencies {
    libs: Vec<String>,
    size: u64,
    compressed: u64,
}

/// An object, or a missing name, that `--why` names in one link map.
pub(super) struct ExplainedObject<'a> {
    map: &'a LinkMap,
    /// The index of the object; for a missing name, of the object that needs it.
    index: usize,
    /// The needed name, and the trace of the search for it.
    search: Option<(&'a [u8], &'a SearchTrace)>,
    missing: Option<&'a MissingLibrary>,
}

/// Returns everything in `closure` that `wanted` names: by path, file name, soname or needed name.
pub(super) fn explained_objects<'a>(closure: &'a Closure, wanted: &str) -> Vec<ExplainedObject<'a>> {
    let wanted = wanted.as_bytes();
    // The link maps of less capable CPUs are searched if the best one has no match.
    let in_elf = |elf: &'a ElfProgram| {
        let mut matches = elf.all_link_maps().map(|map| explained_in_map(map, wanted));
        matches.find(|objects| !objects.is_empty()).unwrap_or_default()
    };
    closure.elf_programs().flat_map(in_elf).collect()
}

fn explained_in_map<'a>(map: &'a LinkMap, wanted: &[u8]) -> Vec<ExplainedObject<'a>> {
    let objects = (0..map.objects.len()).filter(|index| matches_name(map, *index, wanted)).map(|index| {
        let first = map.edges.iter().find(|edge| edge.to == index && edge.resolved.is_some());
        let search = first.map(|edge| (edge.name.as_slice(), &*edge.trace));
        ExplainedObject { map, index, search, missing: None }
    });
    let missing = map.missing.iter().filter(|missing| missing.name == wanted);
    let missing = missing.map(|missing| ExplainedObject {
        map,
        index: missing.needed_by,
        search: Some((&missing.name, &missing.trace)),
        missing: Some(missing),
    });
    objects.chain(missing).collect()
}

fn matches_name(map: &LinkMap, index: usize, wanted: &[u8]) -> bool {
    let Some(object) = map.objects.get(index) else { return false };
    let is_needed_name = map.edges.iter().any(|edge| edge.to == index && edge.name == wanted);
    let soname = object.object.dynamic.soname.as_deref();
    let (raw_path, path) = (&object.raw_path, object.path.as_bytes());
    is_needed_name
        || [raw_path.as_bytes(), raw_path.file_name(), path].contains(&wanted)
        || soname == Some(wanted)
}

/// The maximum number of suggested names.
const MAX_SUGGESTED: usize = 3;

/// Returns names in `closure` that contain `wanted`, or else names that `wanted` misspells.
pub(super) fn similar_names(closure: &Closure, wanted: &str) -> Vec<String> {
    let text = |name: &[u8]| RawPath::new(name).to_string();
    let maps = closure.elf_programs().flat_map(ElfProgram::all_link_maps);
    let names: BTreeSet<String> = maps
        .flat_map(|map| {
            let needed = map.edges.iter().map(|edge| text(&edge.name));
            let missing = map.missing.iter().map(|missing| text(&missing.name));
            let files = map.objects.iter().map(|object| text(object.raw_path.file_name()));
            needed.chain(missing).chain(files).collect::<Vec<_>>()
        })
        .collect();
    let containing: Vec<&String> = names.iter().filter(|name| name.contains(wanted)).collect();
    let misspelled = most_similar(stem(wanted), names.iter().map(|name| stem(name)));
    let similar = match containing.as_slice() {
        [] => names.iter().filter(|name| Some(stem(name)) == misspelled).collect(),
        _ => containing,
    };
    similar.into_iter().take(MAX_SUGGESTED).cloned().collect()
}

/// Returns the distinctive part of a library's name: `ssl` of `libssl.so.3`.
fn stem(name: &str) -> &str {
    let name = name.strip_prefix("lib").unwrap_or(name);
    name.split_once(".so").map_or(name, |(stem, _)| stem)
}

impl ExplainedObject<'_> {
    /// Creates the report of the object. Compresses it to measure its size.
    pub(super) fn report(&self, cache: &SizeCache) -> Result<WhyReport, CliError> {
        let searched = self.search.iter().flat_map(|(_, trace)| &trace.searched);
        let searched = searched.map(|searched| SearchedDirectory {
            directory: searched.raw_path.to_string(),
            rule: searched.rule.to_string(),
        });
        let refused = self.search.iter().flat_map(|(_, trace)| &trace.rejected);
        let refused =
            refused.map(|(path, why)| RefusedFile { path: path.to_string(), message: why.to_string() });
        let DependencyChains { chains, is_truncated } = dependency_chains::chains_to(self.map, self.index);
        Ok(WhyReport {
            path: self.missing.is_none().then(|| self.object_path(self.index)),
            name: self.search.map(|(name, _)| RawPath::new(name).to_string()),
            rule: self.rule_text(),
            searched: searched.collect(),
            refused: refused.collect(),
            chains: chains.iter().map(|chain| self.chain_steps(chain)).collect(),
            more_chains: is_truncated,
            sizes: self.sizes(cache)?,
        })
    }

    fn object_path(&self, index: usize) -> String {
        self.map.objects.get(index).map(|object| object.raw_path.to_string()).unwrap_or_default()
    }

    /// Returns the object's size, and the objects that only it needs; `None` if it is missing.
    fn sizes(&self, cache: &SizeCache) -> Result<Option<WhySizes>, CliError> {
        if self.missing.is_some() {
            return Ok(None);
        }
        let exclusive = match self.index {
            // The program needs all of them.
            0 => Vec::new(),
            index => dependency_chains::exclusive_dependencies(self.map, index),
        };
        let sizes: Vec<SizeAndCompressed> = exclusive
            .iter()
            .map(|&index| cache.compressed_size(self.map, index))
            .collect::<Result<_, _>>()?;
        let sum = SizeAndCompressed::sum(&sizes);
        Ok(Some(WhySizes {
            own: cache.compressed_size(self.map, self.index)?,
            alone: ExclusiveDependencies {
                libs: exclusive.iter().map(|&index| self.object_path(index)).collect(),
                size: sum.size,
                compressed: sum.compressed.unwrap_or_default(),
            },
        }))
    }

    /// Returns the rule that found the object, as text; `None` if it is missing.
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

    fn chain_steps(&self, chain: &[usize]) -> Vec<ChainStep> {
        let mut steps = Vec::new();
        let mut previous = None;
        for &index in chain {
            let edge = previous.and_then(|from| find_edge(self.map, from, index));
            steps.push(ChainStep {
                path: Some(self.object_path(index)),
                name: edge.map(|edge| RawPath::new(edge.name.as_slice()).to_string()),
                rule: edge.map(edge_rule),
            });
            previous = Some(index);
        }
        if let Some(missing) = self.missing {
            let name = RawPath::new(missing.name.as_slice()).to_string();
            steps.push(ChainStep { path: None, name: Some(name), rule: None });
        }
        steps
    }
}

impl WhyReport {
    /// Formats the report as text.
    pub(super) fn to_text(&self) -> String {
        let mut text = String::new();
        match (&self.path, &self.sizes) {
            (Some(path), Some(WhySizes { own, alone })) => {
                let _ = writeln!(text, "{BOLD}{path}{BOLD:#}  {}", own.to_text());
                let _ = writeln!(text, "  found: {}", self.rule.as_deref().unwrap_or_default());
                if !alone.libs.is_empty() {
                    let count = count_noun(alone.libs.len(), "more object");
                    let size = SizeAndCompressed { size: alone.size, compressed: Some(alone.compressed) };
                    let _ = writeln!(text, "  only it needs {count}: {}", size.to_text());
                }
            }
            _ => {
                let name = self.name.as_deref().unwrap_or_default();
                let _ = writeln!(text, "{BOLD}{name}{BOLD:#}  {BOLD}not found{BOLD:#}");
            }
        }
        self.write_search(&mut text);
        self.write_chains(&mut text);
        text
    }

    /// Writes the directories that were searched before the object was found, and the refused
    /// files.
    fn write_search(&self, text: &mut String) {
        let mut searched: Vec<(&str, &str)> =
            self.searched.iter().map(|searched| (&*searched.directory, &*searched.rule)).collect();
        let heading = match self.path {
            None => "searched, in order:",
            Some(_) => {
                // The last one contains the object.
                searched.pop();
                "searched before it was found, in order:"
            }
        };
        let refused = self.refused.iter().map(|refused| (&*refused.path, &*refused.message)).collect();
        for (heading, rows) in [(heading, searched), ("found but refused:", refused)] {
            if rows.is_empty() {
                continue;
            }
            let width = column_width(rows.iter().map(|(left, _)| *left));
            let _ = writeln!(text, "  {heading}");
            for (left, right) in rows {
                let _ = writeln!(text, "    {left:width$}  {DIM}{right}{DIM:#}");
            }
        }
    }

    fn write_chains(&self, text: &mut String) {
        for ChainStep { path, name, rule } in self.chains.iter().flatten() {
            let _ = match (path, name) {
                (Some(path), Some(name)) => {
                    let rule = rule.as_deref().unwrap_or_default();
                    writeln!(text, "    needs {name}: {path}{DIM}, {rule}{DIM:#}")
                }
                (Some(path), None) => writeln!(text, "  {path}"),
                (None, name) => writeln!(text, "    needs {}", name.as_deref().unwrap_or_default()),
            };
        }
        if self.more_chains {
            let count = count_noun(self.chains.len(), "shortest chain");
            let _ = writeln!(text, "  {DIM}and more; only the {count} are listed{DIM:#}");
        }
    }
}

/// Returns the first dependency of `from` on `to`.
fn find_edge(map: &LinkMap, from: usize, to: usize) -> Option<&DependencyEdge> {
    map.edges.iter().find(|edge| edge.from == from && edge.to == to)
}

fn edge_rule(edge: &DependencyEdge) -> String {
    edge.resolved.as_ref().map_or_else(|| "mapped already".into(), |(rule, _)| rule.to_string())
}
