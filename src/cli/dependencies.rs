//! The JSON and plain output of `coracle deps`.

use std::collections::BTreeSet;

use coracle::Error;
use coracle_ld::closure::{
    self, Absence, Closure, Elf, Found, Kind, LinkMap, Missing, Problem, ProblemKind, Severity,
    circumstances, isa, mixed, symbols, versions,
};
use coracle_core::path::Spelled;
use serde_json::{Value, json};

use super::costs::{Cost, Costs};
use super::failure::{Failure, chain};

/// Returns the ELF program that is mapped: the file itself, or the last interpreter of a script.
pub(super) fn program(closure: &Closure) -> Option<(&Spelled, &Elf)> {
    closure.executed.iter().rev().find_map(|executed| match &executed.kind {
        Kind::Elf(elf) => Some((&executed.spelled, elf)),
        Kind::Script => None,
    })
}

/// Returns the JSON object of one file, as described in ARCHITECTURE.md.
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

/// Returns the JSON object of a file without a closure: the error, and what is missing or refused
/// if the file could be read.
pub(super) fn failed(file: &str, error: &Error) -> Value {
    use closure::Error as E;
    let mut value = json!({ "file": file, "error": chain(error) });
    let refused = |by: &Spelled, name: &Spelled| {
        json!([{
            "kind": "refused",
            "severity": "error",
            "object": by.to_string(),
            "name": name.to_string(),
            "message": chain(error),
        }])
    };
    let (key, found) = match error {
        Error::Closure(E::Interpreter { interpreter, .. } | E::ScriptInterpreter { interpreter, .. }) => {
            ("missing", json!([interpreter.to_string()]))
        }
        Error::Closure(
            E::InterpreterMachine { program, interpreter, .. } | E::Loader { program, interpreter, .. },
        ) => ("problems", refused(program, interpreter)),
        Error::Platform { program, .. } => ("problems", refused(program, program)),
        _ => return value,
    };
    if let Some(members) = value.as_object_mut() {
        members.insert(key.into(), found);
    }
    value
}

/// Adds the size of each object, and their sum, to `value`.
pub(super) fn with_costs(mut value: Value, closure: &Closure, costs: &Costs) -> Result<Value, Failure> {
    let Some((_, elf)) = program(closure) else { return Ok(value) };
    let each = costs.all(&elf.objects, true)?;
    let objects = elf.objects.objects.iter().zip(&each);
    let objects = objects.map(|(object, cost)| {
        json!({ "path": object.spelled.to_string(), "size": cost.size, "compressed": cost.compressed })
    });
    let objects: Vec<Value> = objects.collect();
    let sum = Cost::sum(&each);
    if let Some(members) = value.as_object_mut() {
        members.insert("objects".into(), json!(objects));
        members.insert("size".into(), json!(sum.size));
        members.insert("compressed".into(), json!(sum.compressed));
    }
    Ok(value)
}

/// Returns the mapped libraries in load order; the dynamic loader only if an object needs it.
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

/// Returns the hwcaps variants that less capable CPUs map instead.
pub(super) fn alternatives(elf: &Elf) -> Vec<String> {
    let best: BTreeSet<String> = libs(&elf.objects).into_iter().collect();
    let others = elf.lesser.iter().flat_map(|map| libs(map)).filter(|path| !best.contains(path));
    others.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Returns all problems: files that the loader refuses, missing preloads, mixed C libraries,
/// missing symbol versions, undefined symbols (if requested), required CPU features, and paths that
/// depend on the environment.
fn problems(map: &LinkMap, with_symbols: bool) -> Vec<Value> {
    let mut problems = refused(map);
    problems.extend(unloaded(map));
    let checks: [(bool, Check); 5] = [
        (true, mixed::check),
        (true, versions::check),
        (with_symbols, symbols::check),
        (true, isa::check),
        (true, circumstances::check),
    ];
    for (_, check) in checks.iter().filter(|(is_wanted, _)| *is_wanted) {
        match check(map) {
            Ok(found) => problems.extend(found.iter().map(problem)),
            Err(error) => problems.push(json!({ "kind": "unreadable", "severity": "error", "object": null, "name": null, "message": chain(&error) })),
        }
    }
    problems
}

type Check = fn(&LinkMap) -> coracle_core::fs::Result<Vec<Problem>>;

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

/// Returns the files that the loader refuses with a fatal error.
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

/// Returns the preloads that are missing, for which the loader only prints a warning.
fn unloaded(map: &LinkMap) -> impl Iterator<Item = Value> {
    let preloads = map.missing.iter().filter(|missing| missing.absence == Absence::Preload);
    preloads.filter(|missing| !missing.missed.fatal).map(|missing| {
        let name = name(missing);
        let message = format!("cannot find `{name}`, which is to be preloaded");
        json!({ "kind": "preload", "severity": "warning", "object": null, "name": name, "message": message })
    })
}

/// Formats the libraries as one path per line.
pub(super) fn paths(value: &Value) -> String {
    let libs = value.get("libs").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    libs.fold(String::new(), |text, path| text + path + "\n")
}
