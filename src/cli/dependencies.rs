//! A closure as a tree for people, as paths, and as JSON.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use coracle::closure::{
    Absence, Closure, Elf, Found, Kind, LinkMap, Missing, Problem, ProblemKind, Severity, isa, mixed,
    symbols, versions,
};
use coracle::path::Spelled;
use indicatif::DecimalBytes;
use serde_json::{Value, json};

use super::report::{FAINT, STRONG};

/// The program that is mapped in the end: the file itself, or the last interpreter of a script.
fn program(closure: &Closure) -> Option<(&Spelled, &Elf)> {
    closure.executed.iter().rev().find_map(|executed| match &executed.kind {
        Kind::Elf(elf) => Some((&executed.spelled, elf)),
        Kind::Script => None,
    })
}

/// One object, as ARCHITECTURE.md describes it.
pub(super) fn json(file: &str, closure: &Closure, with_symbols: bool) -> Value {
    let Some((path, elf)) = program(closure) else { return json!({ "file": file }) };
    let map = &elf.objects;
    let mut value = json!({
        "file": file,
        "interpreter": map.objects.first().and_then(|program| program.object.interpreter.as_ref()).map(Spelled::to_string),
        "libs": libs(map),
        "missing": missing(map),
        "alternatives": alternatives(elf),
        "problems": problems(map, with_symbols),
    });
    if closure.executed.len() > 1
        && let Some(members) = value.as_object_mut()
    {
        members.insert("program".into(), json!(path.to_string()));
    }
    value
}

/// The mapped objects in load order, the loader where an object needs it.
fn libs(map: &LinkMap) -> Vec<String> {
    let objects = map.objects.iter().enumerate();
    let mapped = objects.filter(|(index, object)| {
        !matches!(object.found, Found::Program)
            && (object.found != Found::Interpreter || map.is_needed(*index))
    });
    mapped.map(|(_, object)| object.spelled.to_string()).collect()
}

fn missing(map: &LinkMap) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let names = map.missing.iter().filter(|missing| missing.absence != Absence::Preload);
    names.map(name).filter(|name| seen.insert(name.clone())).collect()
}

fn name(missing: &Missing) -> String {
    Spelled::new(missing.name.as_slice()).to_string()
}

/// What lesser CPUs map in place of something else.
fn alternatives(elf: &Elf) -> Vec<String> {
    let best: BTreeSet<String> = libs(&elf.objects).into_iter().collect();
    let others = elf.lesser.iter().flat_map(|map| libs(map)).filter(|path| !best.contains(path));
    others.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Files that a loader refuses, C libraries that do not go together, versions that libraries lack, and, when asked for,
/// symbols that none defines; what CPU it takes.
fn problems(map: &LinkMap, with_symbols: bool) -> Vec<Value> {
    let mut problems = refused(map);
    let checks: [(bool, Check); 4] =
        [(true, mixed::check), (true, versions::check), (with_symbols, symbols::check), (true, isa::check)];
    for (_, check) in checks.iter().filter(|(is_wanted, _)| *is_wanted) {
        match check(map) {
            Ok(found) => problems.extend(found.iter().map(problem)),
            Err(error) => problems.push(json!({ "kind": "unreadable", "severity": "error", "object": null, "name": null, "message": super::failure::chain(&error) })),
        }
    }
    problems
}

type Check = fn(&LinkMap) -> coracle::fs::Result<Vec<Problem>>;

fn problem(problem: &Problem) -> Value {
    json!({
        "kind": match problem.kind {
            ProblemKind::Version => "version",
            ProblemKind::Symbol => "symbol",
            ProblemKind::Circumstances => "circumstances",
            ProblemKind::CLibrary => "c-library",
            ProblemKind::Cpu => "cpu",
        },
        "severity": match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        "object": problem.object.to_string(),
        "name": problem.name,
        "message": problem.message,
    })
}

/// Files at which a loader would stop.
fn refused(map: &LinkMap) -> Vec<Value> {
    let refused = map.missing.iter().filter(|missing| missing.missed.fatal);
    let problems = refused.flat_map(|missing| {
        let by = map.objects.get(missing.by).map(|object| object.spelled.to_string());
        missing.missed.refused.iter().map(move |(path, refusal)| {
            json!({
                "kind": "refused",
                "severity": "error",
                "object": by,
                "name": name(missing),
                "message": format!("{path}: {refusal}"),
            })
        })
    });
    problems.collect()
}

/// One path a line.
pub(super) fn paths(value: &Value) -> String {
    let libs = value.get("libs").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    libs.fold(String::new(), |text, path| text + path + "\n")
}

/// Each object below the one that brought it in, with the rule that found it and its size; then the problems in
/// `value`, its JSON.
pub(super) fn tree(file: &str, closure: &Closure, value: &Value) -> String {
    let mut text = format!("{STRONG}{file}{STRONG:#}\n");
    let Some((path, elf)) = program(closure) else { return text };
    if closure.executed.len() > 1 {
        let _ = writeln!(text, "{FAINT}runs{FAINT:#} {path}");
    }
    let map = &elf.objects;
    if let Some(interpreter) = map.objects.first().and_then(|program| program.object.interpreter.as_ref()) {
        let _ = writeln!(text, "{FAINT}interpreter{FAINT:#} {interpreter}");
    }
    branch(&mut text, map, 0, "");
    let size = map.objects.iter().map(|object| object.file.stat.size).sum();
    let _ = writeln!(text, "{} objects, {}", map.objects.len(), DecimalBytes(size));
    for problem in value.get("problems").and_then(Value::as_array).into_iter().flatten() {
        let word = |key: &str| problem.get(key).and_then(Value::as_str).unwrap_or_default();
        let _ = writeln!(text, "{STRONG}{}{STRONG:#} {}", word("severity"), word("message"));
    }
    text
}

fn branch(text: &mut String, map: &LinkMap, of: usize, indent: &str) {
    let found =
        map.edges.iter().filter(|edge| edge.from == of).filter_map(|edge| Some((edge, edge.found.as_ref()?)));
    let mut lines: Vec<(String, Option<usize>)> = found
        .map(|(edge, (rule, path))| {
            let size = map.objects.get(edge.to).map_or(0, |object| object.file.stat.size);
            let size = DecimalBytes(size);
            let name = Spelled::new(edge.name.as_slice());
            (format!("{name}  {path}  {FAINT}{size}, {rule}{FAINT:#}"), Some(edge.to))
        })
        .collect();
    let missing = map.missing.iter().filter(|missing| missing.by == of);
    lines.extend(missing.map(|missing| (format!("{STRONG}{}  not found{STRONG:#}", name(missing)), None)));
    let last = lines.len().saturating_sub(1);
    for (index, (line, to)) in lines.into_iter().enumerate() {
        let (corner, below) = if index == last { ("└── ", "    ") } else { ("├── ", "│   ") };
        let _ = writeln!(text, "{indent}{corner}{line}");
        // An alias leads to an object that has its own branch elsewhere.
        let own = |to: usize| matches!(map.objects.get(to).map(|object| &object.found), Some(Found::Needed { by, .. }) if *by == of);
        if let Some(to) = to.filter(|&to| own(to)) {
            branch(text, map, to, &format!("{indent}{below}"));
        }
    }
}
