//! Formats a closure as a tree: each object once, below the first one that needs it.

use std::fmt::Write as _;

use coracle_core::path::RawPath;
use coracle_ld::closure::{Closure, Edge, LinkMap, MissingLibrary};
use coracle_ld::ldso::Rule;
use serde_json::Value;

use super::costs::ObjectSize;
use super::dependencies;
use super::image_report;
use super::stderr::{BOLD, DIM};

/// Returns the tree of the objects that `file` maps, with the rule that found each and its size;
/// then the problems in `value`, the file's JSON.
pub(super) fn tree_text(file: &str, closure: &Closure, value: &Value, costs: &[ObjectSize]) -> String {
    let mut text = String::new();
    let Some((_, elf)) = dependencies::mapped_program(closure) else { return text };
    let map = &*elf.link_map;
    let own = costs.first().copied().unwrap_or_default();
    if closure.executed.len() == 1 {
        let _ = writeln!(text, "{BOLD}{file}{BOLD:#}  {DIM}{}{DIM:#}", own.to_text());
    } else {
        let _ = writeln!(text, "{BOLD}{file}{BOLD:#}  {DIM}script{DIM:#}");
        let _ = closure.executed.iter().skip(1).try_for_each(|executed| {
            let is_last = executed.raw_path
                == map.objects.first().map(|first| first.raw_path.clone()).unwrap_or_default();
            let cost = if is_last { own.to_text() } else { String::new() };
            writeln!(text, "{DIM}runs{DIM:#} {}  {DIM}{cost}{DIM:#}", executed.raw_path)
        });
    }
    write_loader(&mut text, map, costs);
    let mut tree = TreeWriter { text, map, sizes: costs, is_drawn: vec![false; map.objects.len()] };
    tree.write_children(0, "");
    let mut text = tree.text;
    for path in dependencies::hwcaps_alternatives(elf) {
        let _ = writeln!(text, "{DIM}on an older CPU{DIM:#} {path}");
    }
    let count = image_report::count_noun(map.objects.len(), "object");
    let _ = writeln!(text, "{count}, {}", ObjectSize::sum(costs).to_text());
    write_problems(&mut text, value);
    text
}

/// Writes the dynamic loader, which is part of the tree only if an object needs it.
fn write_loader(text: &mut String, map: &LinkMap, costs: &[ObjectSize]) {
    let loader = map.objects.iter().zip(costs);
    let mut loader =
        loader.filter(|(object, _)| object.reason == coracle_ld::closure::MapReason::Interpreter);
    let Some((object, cost)) = loader.next() else {
        let _ = writeln!(text, "{DIM}static: no interpreter, and no other object is mapped{DIM:#}");
        return;
    };
    let what = if map.is_library() { "a library; its interpreter would be" } else { "interpreter" };
    let _ = writeln!(text, "{DIM}{what}{DIM:#} {}  {DIM}{}{DIM:#}", object.raw_path, cost.to_text());
}

/// Writes the problems that the tree does not show.
fn write_problems(text: &mut String, value: &Value) {
    for problem in value.get("problems").and_then(Value::as_array).into_iter().flatten() {
        let word = |key: &str| problem.get(key).and_then(Value::as_str).unwrap_or_default();
        if word("kind") != "refused" {
            let _ = writeln!(text, "{BOLD}{}{BOLD:#} {}", word("severity"), word("message"));
        }
    }
}

/// A tree that is being drawn.
struct TreeWriter<'a> {
    text: String,
    map: &'a LinkMap,
    sizes: &'a [ObjectSize],
    /// Whether each object has been drawn; it is not repeated under a second name.
    is_drawn: Vec<bool>,
}

/// One line below an object.
enum TreeLine<'a> {
    Found(&'a Edge, &'a Rule, &'a RawPath),
    Missing(&'a MissingLibrary),
}

impl TreeWriter<'_> {
    fn write_children(&mut self, of: usize, indent: &str) {
        let map = self.map;
        let edges = map.edges.iter().filter(|edge| edge.from == of);
        let found = edges.filter_map(|edge| {
            let (rule, path) = edge.resolved.as_ref()?;
            Some(TreeLine::Found(edge, rule, path))
        });
        let missing = map.missing.iter().filter(|missing| missing.needed_by == of).map(TreeLine::Missing);
        let lines: Vec<TreeLine<'_>> = found.chain(missing).collect();
        let last = lines.len().saturating_sub(1);
        for (index, line) in lines.into_iter().enumerate() {
            let (corner, below) =
                if index == last { ("└── ", "    ") } else { ("├── ", "│   ") };
            let _ = write!(self.text, "{indent}{corner}");
            match line {
                TreeLine::Missing(missing) => self.write_missing(missing),
                TreeLine::Found(edge, rule, path) => {
                    if self.write_found(edge, rule, path) {
                        self.write_children(edge.to, &format!("{indent}{below}"));
                    }
                }
            }
        }
    }

    /// Writes a found object. Returns whether it was not drawn before.
    fn write_found(&mut self, edge: &Edge, rule: &Rule, path: &RawPath) -> bool {
        // The needed name differs from the file's, such as one with tokens or of a symbolic link.
        if edge.name != path.file_name() && edge.name != path.as_bytes() {
            let _ = write!(self.text, "{} → ", RawPath::new(edge.name.as_slice()));
        }
        let rule = match rule {
            Rule::Rpath(of) if self.has_path(edge.from, of) => "RPATH".into(),
            Rule::Runpath(of) if self.has_path(edge.from, of) => "RUNPATH".into(),
            rule => rule.to_string(),
        };
        let is_new = self.is_drawn.get_mut(edge.to).is_some_and(|drawn| !std::mem::replace(drawn, true));
        let cost = match self.sizes.get(edge.to) {
            Some(cost) if is_new => cost.to_text(),
            _ => "mapped already".into(),
        };
        let _ = writeln!(self.text, "{path}  {DIM}{cost}, {rule}{DIM:#}");
        is_new
    }

    fn write_missing(&mut self, missing: &MissingLibrary) {
        let name = RawPath::new(missing.name.as_slice());
        let _ = match missing.trace.rejected.last().filter(|_| missing.trace.is_fatal) {
            Some((path, refusal)) => {
                writeln!(self.text, "{BOLD}{name}  refused{BOLD:#}  {path}: {refusal}")
            }
            None => writeln!(self.text, "{BOLD}{name}  not found{BOLD:#}"),
        };
    }

    fn has_path(&self, index: usize, path: &RawPath) -> bool {
        self.map.objects.get(index).is_some_and(|object| object.raw_path == *path)
    }
}
