//! The JSON and plain output of `coracle deps`.

use std::collections::BTreeSet;

use coracle::Error;
use coracle_core::path::RawPath;
use coracle_ld::closure::{
    self, Closure, DependencyKind, ElfProgram, ExecutedKind, LinkMap, MapReason, MissingLibrary, Problem,
    ProblemKind, Severity, check_c_libraries, check_environment_dependence, check_isa_level,
    check_symbol_versions, check_symbols,
};
use serde_json::{Value, json};

use super::costs::{ObjectSize, SizeCache};
use super::error::{CliError, error_chain};

/// Returns the ELF program that is mapped: the file itself, or the last interpreter of a script.
pub(super) fn mapped_program(closure: &Closure) -> Option<(&RawPath, &ElfProgram)> {
    closure.executed.iter().rev().find_map(|executed| match &executed.kind {
        ExecutedKind::Elf(elf) => Some((&executed.raw_path, elf)),
        ExecutedKind::Script => None,
    })
}

/// Returns the JSON object of one file, as described in ARCHITECTURE.md.
pub(super) fn closure_json(file: &str, closure: &Closure, with_symbols: bool) -> Value {
    let Some((path, elf)) = mapped_program(closure) else { return json!({ "file": file }) };
    let map = &elf.link_map;
    let mut value = json!({
        "file": file,
        "interpreter": map.objects.first().and_then(|program| program.object.interpreter.as_ref()).map(RawPath::to_string),
        "libs": mapped_libraries(map),
        "missing": missing_names(map),
        "alternatives": hwcaps_alternatives(elf),
        "problems": problems_json(map, with_symbols),
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
pub(super) fn error_json(file: &str, error: &Error) -> Value {
    use closure::Error as E;
    let mut value = json!({ "file": file, "error": error_chain(error) });
    let refused = |by: &RawPath, name: &RawPath| {
        json!([{
            "kind": "refused",
            "severity": "error",
            "object": by.to_string(),
            "name": name.to_string(),
            "message": error_chain(error),
        }])
    };
    let (key, found) = match error {
        Error::Closure(
            E::MissingInterpreter { interpreter, .. } | E::MissingScriptInterpreter { interpreter, .. },
        ) => ("missing", json!([interpreter.to_string()])),
        Error::Closure(
            E::InterpreterMachineMismatch { program, interpreter, .. }
            | E::InvalidLoader { program, interpreter, .. },
        ) => ("problems", refused(program, interpreter)),
        Error::PlatformMismatch { program, .. } => ("problems", refused(program, program)),
        _ => return value,
    };
    if let Some(members) = value.as_object_mut() {
        members.insert(key.into(), found);
    }
    value
}

/// Adds the size of each object, and their sum, to `value`.
pub(super) fn add_sizes(mut value: Value, closure: &Closure, costs: &SizeCache) -> Result<Value, CliError> {
    let Some((_, elf)) = mapped_program(closure) else { return Ok(value) };
    let each = costs.object_sizes(&elf.link_map, true)?;
    let objects = elf.link_map.objects.iter().zip(&each);
    let objects = objects.map(|(object, cost)| {
        json!({ "path": object.raw_path.to_string(), "size": cost.size, "compressed": cost.compressed })
    });
    let objects: Vec<Value> = objects.collect();
    let sum = ObjectSize::sum(&each);
    if let Some(members) = value.as_object_mut() {
        members.insert("objects".into(), json!(objects));
        members.insert("size".into(), json!(sum.size));
        members.insert("compressed".into(), json!(sum.compressed));
    }
    Ok(value)
}

/// Returns the mapped libraries in load order; the dynamic loader only if an object needs it.
fn mapped_libraries(map: &LinkMap) -> Vec<String> {
    let objects = map.objects.iter().enumerate();
    let mapped = objects.filter(|(index, object)| {
        !matches!(object.reason, MapReason::Program)
            && (object.reason != MapReason::Interpreter || map.is_depended_on(*index))
    });
    mapped.map(|(_, object)| object.raw_path.to_string()).collect()
}

fn missing_names(map: &LinkMap) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let names = map.missing.iter().filter(|missing| missing.kind != DependencyKind::Preload);
    names.map(missing_name).filter(|name| seen.insert(name.clone())).collect()
}

fn missing_name(missing: &MissingLibrary) -> String {
    RawPath::new(missing.name.as_slice()).to_string()
}

/// Returns the hwcaps variants that less capable CPUs map instead.
pub(super) fn hwcaps_alternatives(elf: &ElfProgram) -> Vec<String> {
    let best: BTreeSet<String> = mapped_libraries(&elf.link_map).into_iter().collect();
    let others =
        elf.older_cpu_maps.iter().flat_map(|map| mapped_libraries(map)).filter(|path| !best.contains(path));
    others.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Returns all problems: files that the loader refuses, missing preloads, mixed C libraries,
/// missing symbol versions, undefined symbols (if requested), required CPU features, and paths that
/// depend on the environment.
fn problems_json(map: &LinkMap, with_symbols: bool) -> Vec<Value> {
    let mut problems = refused_files(map);
    problems.extend(missing_preloads(map));
    let checks: [(bool, ProblemCheck); 5] = [
        (true, check_c_libraries),
        (true, check_symbol_versions),
        (with_symbols, check_symbols),
        (true, check_isa_level),
        (true, |map| Ok(check_environment_dependence(map))),
    ];
    for (_, check) in checks.iter().filter(|(is_wanted, _)| *is_wanted) {
        match check(map) {
            Ok(found) => problems.extend(found.iter().map(problem_json)),
            Err(error) => problems.push(json!({ "kind": "unreadable", "severity": "error", "object": null, "name": null, "message": error_chain(&error) })),
        }
    }
    problems
}

type ProblemCheck = fn(&LinkMap) -> coracle_core::fs::Result<Vec<Problem>>;

fn problem_json(problem: &Problem) -> Value {
    json!({
        "kind": match problem.kind {
            kind if kind.concerns_versions() => "version",
            ProblemKind::EnvironmentDependence => "circumstances",
            ProblemKind::MixedCLibraries => "c-library",
            ProblemKind::CpuLevel => "cpu",
            _ => "symbol",
        },
        "severity": match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        "object": problem.object.to_string(),
        "name": problem.needed_name,
        "message": problem.message,
    })
}

/// Returns the files that the loader refuses with a fatal error.
fn refused_files(map: &LinkMap) -> Vec<Value> {
    let refused = map.missing.iter().filter(|missing| missing.trace.is_fatal);
    let problems = refused.flat_map(|missing| {
        let by = map.objects.get(missing.needed_by).map(|object| object.raw_path.to_string());
        missing.trace.rejected.iter().map(move |(path, refusal)| {
            json!({
                "kind": "refused",
                "severity": "error",
                "object": by,
                "name": missing_name(missing),
                "message": format!("{path}: {refusal}"),
            })
        })
    });
    problems.collect()
}

/// Returns the preloads that are missing, for which the loader only prints a warning.
fn missing_preloads(map: &LinkMap) -> impl Iterator<Item = Value> {
    let preloads = map.missing.iter().filter(|missing| missing.kind == DependencyKind::Preload);
    preloads.filter(|missing| !missing.trace.is_fatal).map(|missing| {
        let name = missing_name(missing);
        let message = format!("cannot find `{name}`, which is to be preloaded");
        json!({ "kind": "preload", "severity": "warning", "object": null, "name": name, "message": message })
    })
}

/// Formats the libraries as one path per line.
pub(super) fn library_paths(value: &Value) -> String {
    let libs = value.get("libs").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    libs.fold(String::new(), |text, path| text + path + "\n")
}
