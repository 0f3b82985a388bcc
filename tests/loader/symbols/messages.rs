//! Problems of a program, in one form for our messages and the loader's.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use coracle_core::file_system::HostFs;
use coracle_core::path::RawPath;
use coracle_ld::closure::{
    Closure, ExecutedKind, Problem, ProblemKind, ResolveOptions, Severity, check_symbol_versions,
    check_symbols,
};

/// Every problem of a program, and the loader that it names.
pub(crate) fn problems(program: &Path) -> Option<(String, Vec<Problem>)> {
    problems_in(Path::new("/"), program)
}

/// As [`problems`], for a program inside of another root.
pub(crate) fn problems_in(tree: &Path, program: &Path) -> Option<(String, Vec<Problem>)> {
    let around = ResolveOptions::default();
    let program = RawPath::new(program.to_str().unwrap());
    let closure = Closure::resolve(&HostFs::new(tree), &program, &around).ok()?;
    let ExecutedKind::Elf(elf) = &closure.executed[0].kind else { return None };
    let objects = &elf.link_map;
    let interpreter = objects.objects[0].object.interpreter.as_ref()?.to_string();
    let mut problems = check_symbol_versions(objects).unwrap();
    problems.extend(check_symbols(objects).unwrap());
    Some((interpreter, problems))
}

/// What is wrong, in words that ours and the loader's messages have in common.
pub(crate) fn ours(problems: &[Problem]) -> BTreeSet<String> {
    let word = |problem: &Problem| match problem.kind {
        ProblemKind::LoaderAssertion => "assertion".into(),
        ProblemKind::UnversionedLibrary => "unversioned".into(),
        ProblemKind::MissingRelrMarker => "relr".into(),
        ProblemKind::MissingVersion => format!("version {}", problem.needed_name),
        ProblemKind::MissingSymbol => format!("symbol {}", problem.needed_name),
        other => format!("neither, but {other:?}: {problem}"),
    };
    problems.iter().map(word).collect()
}

/// What `ldd -r` says. Nothing for a program that the loader does not take.
pub(crate) fn loaders(interpreter: &str, program: &Path) -> BTreeSet<String> {
    let mut trace = Command::new(interpreter);
    trace.arg(program).env_clear().env("LD_TRACE_LOADED_OBJECTS", "1");
    let output = trace.env("LD_WARN", "1").env("LD_BIND_NOW", "1").output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    text.lines().filter_map(word_of).collect()
}

pub(crate) fn word_of(line: &str) -> Option<String> {
    let quoted = |line: &str| line.split(['`', '\'']).nth(1).unwrap().to_owned();
    if let Some((_, symbol)) = line.split_once("undefined symbol: ") {
        return Some(format!("symbol {}", symbol.split([',', '\t', ' ']).next().unwrap()));
    }
    if line.contains("version `") && line.contains("not found") {
        return Some(format!("version {}", quoted(line)));
    }
    if line.contains("no version information available") {
        return Some("unversioned".into());
    }
    if line.contains("DT_RELR without") {
        return Some("relr".into());
    }
    if line.contains("Inconsistency detected") {
        // The one word stands for all that the loader would have said had it gone on.
        return Some("assertion".into());
    }
    // musl's loader.
    let (_, symbol) = line.split_once("Error relocating ")?;
    Some(format!("symbol {}", symbol.split(": ").nth(1).unwrap()))
}

pub(crate) fn stops(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| problem.severity == Severity::Error)
}
