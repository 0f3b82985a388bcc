//! Converts our problems and the loader's messages to a common form.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use coracle_core::file_system::HostFs;
use coracle_core::path::RawPath;
use coracle_ld::closure::{
    Closure, ExecutedKind, Problem, ProblemKind, ResolveOptions, Severity, check_symbol_versions,
    check_symbols,
};

/// Returns the program's interpreter and all of its problems.
pub(crate) fn problems(program: &Path) -> Option<(String, Vec<Problem>)> {
    problems_in(Path::new("/"), program)
}

/// Like [`problems`], for a program in another root file system.
pub(crate) fn problems_in(tree: &Path, program: &Path) -> Option<(String, Vec<Problem>)> {
    let options = ResolveOptions::default();
    let program = RawPath::new(program.to_str().unwrap());
    let closure = Closure::resolve(&HostFs::new(tree), &program, &options).ok()?;
    let ExecutedKind::Elf(elf) = &closure.executed[0].kind else { return None };
    let map = &elf.link_map;
    let interpreter = map.objects[0].object.interpreter.as_ref()?.to_string();
    let mut problems = check_symbol_versions(map).unwrap();
    problems.extend(check_symbols(map).unwrap());
    Some((interpreter, problems))
}

/// Returns our problems in the common form: `version NAME`, `symbol NAME`, `relr` and so on.
pub(crate) fn our_messages(problems: &[Problem]) -> BTreeSet<String> {
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

/// Returns the messages of `ldd -r` in the common form. Empty for a program that the loader rejects.
pub(crate) fn loader_messages(interpreter: &str, program: &Path) -> BTreeSet<String> {
    let mut trace = Command::new(interpreter);
    trace.arg(program).env_clear().env("LD_TRACE_LOADED_OBJECTS", "1");
    let output = trace.env("LD_WARN", "1").env("LD_BIND_NOW", "1").output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    text.lines().filter_map(parse_loader_message).collect()
}

pub(crate) fn parse_loader_message(line: &str) -> Option<String> {
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
        // The loader stops here, so this message replaces all later ones.
        return Some("assertion".into());
    }
    // musl's loader.
    let (_, symbol) = line.split_once("Error relocating ")?;
    Some(format!("symbol {}", symbol.split(": ").nth(1).unwrap()))
}

pub(crate) fn has_errors(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| problem.severity == Severity::Error)
}
