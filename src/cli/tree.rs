//! Formats a closure as a tree: each object once, below the first one that needs it.

use std::fmt::Write as _;

use coracle_ld::closure::{Closure, Edge, LinkMap, Missing};
use coracle_ld::ldso::Rule;
use coracle_core::path::Spelled;
use serde_json::Value;

use super::costs::Cost;
use super::dependencies;
use super::report::{FAINT, STRONG};
use super::table;

/// Returns the tree of the objects that `file` maps, with the rule that found each and its size;
/// then the problems in `value`, the file's JSON.
pub(super) fn text(file: &str, closure: &Closure, value: &Value, costs: &[Cost]) -> String {
    let mut text = String::new();
    let Some((_, elf)) = dependencies::program(closure) else { return text };
    let map = &*elf.objects;
    let own = costs.first().copied().unwrap_or_default();
    if closure.executed.len() == 1 {
        let _ = writeln!(text, "{STRONG}{file}{STRONG:#}  {FAINT}{}{FAINT:#}", own.text());
    } else {
        let _ = writeln!(text, "{STRONG}{file}{STRONG:#}  {FAINT}script{FAINT:#}");
        let _ = closure.executed.iter().skip(1).try_for_each(|executed| {
            let is_last = executed.spelled
                == map.objects.first().map(|first| first.spelled.clone()).unwrap_or_default();
            let cost = if is_last { own.text() } else { String::new() };
            writeln!(text, "{FAINT}runs{FAINT:#} {}  {FAINT}{cost}{FAINT:#}", executed.spelled)
        });
    }
    write_loader(&mut text, map, costs);
    let mut tree = Tree { text, map, costs, is_drawn: vec![false; map.objects.len()] };
    tree.below(0, "");
    let mut text = tree.text;
    for path in dependencies::alternatives(elf) {
        let _ = writeln!(text, "{FAINT}on an older CPU{FAINT:#} {path}");
    }
    let count = table::count(map.objects.len(), "object");
    let _ = writeln!(text, "{count}, {}", Cost::sum(costs).text());
    write_problems(&mut text, value);
    text
}

/// Writes the dynamic loader, which is part of the tree only if an object needs it.
fn write_loader(text: &mut String, map: &LinkMap, costs: &[Cost]) {
    let loader = map.objects.iter().zip(costs);
    let mut loader = loader.filter(|(object, _)| object.found == coracle_ld::closure::Found::Interpreter);
    let Some((object, cost)) = loader.next() else {
        let _ = writeln!(text, "{FAINT}static: no interpreter, and no other object is mapped{FAINT:#}");
        return;
    };
    let what = if map.is_library() { "a library; its interpreter would be" } else { "interpreter" };
    let _ = writeln!(text, "{FAINT}{what}{FAINT:#} {}  {FAINT}{}{FAINT:#}", object.spelled, cost.text());
}

/// Writes the problems that the tree does not show.
fn write_problems(text: &mut String, value: &Value) {
    for problem in value.get("problems").and_then(Value::as_array).into_iter().flatten() {
        let word = |key: &str| problem.get(key).and_then(Value::as_str).unwrap_or_default();
        if word("kind") != "refused" {
            let _ = writeln!(text, "{STRONG}{}{STRONG:#} {}", word("severity"), word("message"));
        }
    }
}

/// A tree that is being drawn.
struct Tree<'a> {
    text: String,
    map: &'a LinkMap,
    costs: &'a [Cost],
    /// Whether each object has been drawn; it is not repeated under a second name.
    is_drawn: Vec<bool>,
}

/// One line below an object.
enum Line<'a> {
    Found(&'a Edge, &'a Rule, &'a Spelled),
    Missing(&'a Missing),
}

impl Tree<'_> {
    fn below(&mut self, of: usize, indent: &str) {
        let map = self.map;
        let edges = map.edges.iter().filter(|edge| edge.from == of);
        let found = edges.filter_map(|edge| {
            let (rule, path) = edge.found.as_ref()?;
            Some(Line::Found(edge, rule, path))
        });
        let missing = map.missing.iter().filter(|missing| missing.by == of).map(Line::Missing);
        let lines: Vec<Line<'_>> = found.chain(missing).collect();
        let last = lines.len().saturating_sub(1);
        for (index, line) in lines.into_iter().enumerate() {
            let (corner, below) =
                if index == last { ("└── ", "    ") } else { ("├── ", "│   ") };
            let _ = write!(self.text, "{indent}{corner}");
            match line {
                Line::Missing(missing) => self.missing(missing),
                Line::Found(edge, rule, path) => {
                    if self.found(edge, rule, path) {
                        self.below(edge.to, &format!("{indent}{below}"));
                    }
                }
            }
        }
    }

    /// Writes a found object. Returns whether it was not drawn before.
    fn found(&mut self, edge: &Edge, rule: &Rule, path: &Spelled) -> bool {
        // The needed name differs from the file's, such as one with tokens or of a symbolic link.
        if edge.name != path.name() && edge.name != path.as_bytes() {
            let _ = write!(self.text, "{} → ", Spelled::new(edge.name.as_slice()));
        }
        let rule = match rule {
            Rule::Rpath(of) if self.is_at(edge.from, of) => "RPATH".into(),
            Rule::Runpath(of) if self.is_at(edge.from, of) => "RUNPATH".into(),
            rule => rule.to_string(),
        };
        let is_new = self.is_drawn.get_mut(edge.to).is_some_and(|drawn| !std::mem::replace(drawn, true));
        let cost = match self.costs.get(edge.to) {
            Some(cost) if is_new => cost.text(),
            _ => "mapped already".into(),
        };
        let _ = writeln!(self.text, "{path}  {FAINT}{cost}, {rule}{FAINT:#}");
        is_new
    }

    fn missing(&mut self, missing: &Missing) {
        let name = Spelled::new(missing.name.as_slice());
        let _ = match missing.missed.refused.last().filter(|_| missing.missed.fatal) {
            Some((path, refusal)) => {
                writeln!(self.text, "{STRONG}{name}  refused{STRONG:#}  {path}: {refusal}")
            }
            None => writeln!(self.text, "{STRONG}{name}  not found{STRONG:#}"),
        };
    }

    fn is_at(&self, index: usize, path: &Spelled) -> bool {
        self.map.objects.get(index).is_some_and(|object| object.spelled == *path)
    }
}
