//! Formats a closure as a tree: each object once, below the first one that needs it.

use std::fmt::Write as _;

use coracle_core::escape::escape_text;
use coracle_core::path::RawPath;
use coracle_ld::closure::{Closure, DependencyEdge, LinkMap, MapReason, MissingLibrary};
use coracle_ld::ldso::SearchRule;

use super::deps_report::{DepsReport, mapped_program};
use super::object_sizes::SizeAndCompressed;
use super::problem_report::{ReportedKind, ReportedSeverity};
use crate::cli::console_output::{BOLD, DIM, count_noun};

/// Returns the tree of the objects that `file` maps, with the rule that found each and its size;
/// then the problems in `report`. `sizes` has one element for each object.
pub(super) fn tree_text(
    file: &str,
    closure: &Closure,
    report: &DepsReport,
    sizes: &[SizeAndCompressed],
) -> String {
    let mut text = String::new();
    let Some((_, elf)) = mapped_program(closure) else { return text };
    let map = &*elf.link_map;
    let file = escape_text(file);
    let program_size = sizes.first().copied().unwrap_or_default().to_text();
    if closure.executed.len() == 1 {
        let _ = writeln!(text, "{BOLD}{file}{BOLD:#}  {DIM}{program_size}{DIM:#}");
    } else {
        let _ = writeln!(text, "{BOLD}{file}{BOLD:#}  {DIM}script{DIM:#}");
        for executed in closure.executed.iter().skip(1) {
            let is_program = map.objects.first().is_some_and(|first| first.raw_path == executed.raw_path);
            let size = if is_program { program_size.as_str() } else { "" };
            let _ = writeln!(text, "{DIM}runs{DIM:#} {}  {DIM}{size}{DIM:#}", executed.raw_path);
        }
    }
    write_loader(&mut text, map, sizes);
    let mut tree = TreeDrawing { text, map, sizes, is_drawn: vec![false; map.objects.len()] };
    tree.write_children(0, "");
    let mut text = tree.text;
    for path in &report.alternatives {
        let _ = writeln!(text, "{DIM}on an older CPU{DIM:#} {path}");
    }
    let count = count_noun(map.objects.len(), "object");
    let _ = writeln!(text, "{count}, {}", SizeAndCompressed::sum(sizes).to_text());
    write_problems(&mut text, report);
    text
}

/// Writes the dynamic loader, which is part of the tree only if an object needs it.
fn write_loader(text: &mut String, map: &LinkMap, sizes: &[SizeAndCompressed]) {
    let mut objects = map.objects.iter().zip(sizes);
    let Some((object, size)) = objects.find(|(object, _)| object.reason == MapReason::Interpreter) else {
        let _ = writeln!(text, "{DIM}static: no interpreter, and no other object is mapped{DIM:#}");
        return;
    };
    let label = if map.is_library() { "a library; its interpreter would be" } else { "interpreter" };
    let _ = writeln!(text, "{DIM}{label}{DIM:#} {}  {DIM}{}{DIM:#}", object.raw_path, size.to_text());
}

/// Writes the problems that the tree does not show.
fn write_problems(text: &mut String, report: &DepsReport) {
    for problem in report.problems.iter().filter(|problem| problem.kind != ReportedKind::Refused) {
        let severity = match problem.severity {
            ReportedSeverity::Error => "error",
            ReportedSeverity::Warning => "warning",
        };
        let _ = writeln!(text, "{BOLD}{severity}{BOLD:#} {}", problem.message);
    }
}

/// A tree that is being drawn.
struct TreeDrawing<'a> {
    text: String,
    map: &'a LinkMap,
    sizes: &'a [SizeAndCompressed],
    /// `true` for each object that has been drawn; it is not repeated under a second name.
    is_drawn: Vec<bool>,
}

/// One line below an object.
enum TreeLine<'a> {
    Found(&'a DependencyEdge, &'a SearchRule, &'a RawPath),
    Missing(&'a MissingLibrary),
}

impl TreeDrawing<'_> {
    /// Writes the subtree below the object `parent`.
    fn write_children(&mut self, parent: usize, indent: &str) {
        let map = self.map;
        let edges = map.edges.iter().filter(|edge| edge.from == parent);
        let found = edges.filter_map(|edge| {
            let (rule, path) = edge.resolved.as_ref()?;
            Some(TreeLine::Found(edge, rule, path))
        });
        let missing = map.missing.iter().filter(|missing| missing.needed_by == parent).map(TreeLine::Missing);
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
    fn write_found(&mut self, edge: &DependencyEdge, rule: &SearchRule, path: &RawPath) -> bool {
        // The needed name differs from the file's, such as one with tokens or of a symbolic link.
        if edge.name != path.file_name() && edge.name != path.as_bytes() {
            let _ = write!(self.text, "{} → ", RawPath::new(edge.name.as_slice()));
        }
        let rule = match rule {
            SearchRule::Rpath(object) if self.has_path(edge.from, object) => "RPATH".into(),
            SearchRule::Runpath(object) if self.has_path(edge.from, object) => "RUNPATH".into(),
            rule => rule.to_string(),
        };
        let is_new = self.is_drawn.get_mut(edge.to).is_some_and(|drawn| !std::mem::replace(drawn, true));
        let size = match self.sizes.get(edge.to) {
            Some(size) if is_new => size.to_text(),
            _ => "mapped already".into(),
        };
        let _ = writeln!(self.text, "{path}  {DIM}{size}, {rule}{DIM:#}");
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
