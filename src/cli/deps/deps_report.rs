//! The report of one file of `coracle deps`: JSON, and one path per line.

use std::collections::BTreeSet;

use coracle::Error;
use coracle_core::path::RawPath;
use coracle_ld::closure::{self, Closure, DependencyKind, ElfProgram, ExecutedKind, LinkMap, MapReason};
use serde::Serialize;

use super::object_sizes::{SizeAndCompressed, SizeCache};
use super::problem_report::{ReportedKind, ReportedProblem, ReportedSeverity, find_problems, missing_name};
use super::why_report::WhyReport;
use crate::cli::error::{CliError, error_chain};

/// The report of one file. ARCHITECTURE.md describes its JSON.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum FileReport {
    Resolved(DepsReport),
    Failed(FailureReport),
    Explained(ExplainedReport),
}

/// The objects that the dynamic loader maps for one file.
#[derive(Serialize)]
pub(super) struct DepsReport {
    /// The file, as in the arguments.
    file: String,
    /// The mapped program, if the file is a script.
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<String>,
    interpreter: Option<String>,
    /// The mapped libraries in load order.
    libs: Vec<String>,
    missing: Vec<String>,
    /// The hwcaps variants that less capable CPUs map instead.
    pub(super) alternatives: Vec<String>,
    pub(super) problems: Vec<ReportedProblem>,
    #[serde(flatten)]
    sizes: Option<ClosureSizes>,
}

/// The report of a file that has no closure: the error and, if the file could be read, its missing
/// and refused libraries.
#[derive(Serialize)]
pub(super) struct FailureReport {
    file: String,
    error: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<ReportedProblem>,
}

/// The objects of one file that `--why` names.
#[derive(Serialize)]
pub(super) struct ExplainedReport {
    pub(super) file: String,
    pub(super) why: Vec<WhyReport>,
}

/// The sizes of all objects, and their sum.
#[derive(Serialize)]
struct ClosureSizes {
    objects: Vec<SizedObject>,
    #[serde(flatten)]
    sum: SizeAndCompressed,
}

#[derive(Serialize)]
struct SizedObject {
    path: String,
    #[serde(flatten)]
    size: SizeAndCompressed,
}

impl FileReport {
    /// Returns whether a dependency is missing, or a problem is an error.
    pub(super) fn has_findings(&self) -> bool {
        match self {
            Self::Resolved(report) => report.has_findings(),
            Self::Failed(report) => report.has_findings(),
            Self::Explained(_) => false,
        }
    }
}

impl DepsReport {
    /// Creates the report of a file's closure; `None` if no ELF program is mapped. Undefined symbols
    /// are reported only `with_symbols`.
    pub(super) fn new(file: &str, closure: &Closure, with_symbols: bool) -> Option<Self> {
        let (path, elf) = mapped_program(closure)?;
        let map = &elf.link_map;
        let interpreter = map.objects.first().and_then(|program| program.object.interpreter.as_ref());
        Some(Self {
            file: file.to_owned(),
            program: (closure.executed.len() > 1).then(|| path.to_string()),
            interpreter: interpreter.map(RawPath::to_string),
            libs: mapped_libraries(map),
            missing: missing_names(map),
            alternatives: hwcaps_alternatives(elf),
            problems: find_problems(map, with_symbols),
            sizes: None,
        })
    }

    /// Adds the size of each object, and their sum.
    pub(super) fn add_sizes(&mut self, closure: &Closure, cache: &SizeCache) -> Result<(), CliError> {
        let Some((_, elf)) = mapped_program(closure) else { return Ok(()) };
        let sizes = cache.object_sizes(&elf.link_map, true)?;
        let sum = SizeAndCompressed::sum(&sizes);
        let objects = elf.link_map.objects.iter().zip(sizes);
        let objects =
            objects.map(|(object, size)| SizedObject { path: object.raw_path.to_string(), size }).collect();
        self.sizes = Some(ClosureSizes { objects, sum });
        Ok(())
    }

    /// Formats the libraries as one path per line.
    pub(super) fn library_lines(&self) -> String {
        self.libs.iter().map(|path| format!("{path}\n")).collect()
    }

    pub(super) fn has_findings(&self) -> bool {
        let is_error = |problem: &ReportedProblem| problem.severity == ReportedSeverity::Error;
        !self.missing.is_empty() || self.problems.iter().any(is_error)
    }
}

impl FailureReport {
    pub(super) fn new(file: &str, error: &Error) -> Self {
        use closure::Error as E;
        let refused = |object: &RawPath, name: &RawPath| ReportedProblem {
            kind: ReportedKind::Refused,
            severity: ReportedSeverity::Error,
            object: Some(object.to_string()),
            name: Some(name.to_string()),
            message: error_chain(error),
        };
        let (missing, problem) = match error {
            Error::Closure(
                E::MissingInterpreter { interpreter, .. } | E::MissingScriptInterpreter { interpreter, .. },
            ) => (Some(interpreter.to_string()), None),
            Error::Closure(
                E::InterpreterMachineMismatch { program, interpreter, .. }
                | E::InvalidLoader { program, interpreter, .. },
            ) => (None, Some(refused(program, interpreter))),
            Error::PlatformMismatch { program, .. } => (None, Some(refused(program, program))),
            _ => (None, None),
        };
        Self {
            file: file.to_owned(),
            error: error_chain(error),
            missing: missing.into_iter().collect(),
            problems: problem.into_iter().collect(),
        }
    }

    /// Returns whether the file could be read, but the loader fails.
    pub(super) fn has_findings(&self) -> bool {
        !self.missing.is_empty() || !self.problems.is_empty()
    }
}

/// Returns the ELF program that is mapped: the file itself, or the last interpreter of a script.
pub(super) fn mapped_program(closure: &Closure) -> Option<(&RawPath, &ElfProgram)> {
    closure.executed.iter().rev().find_map(|executed| match &executed.kind {
        ExecutedKind::Elf(elf) => Some((&executed.raw_path, elf)),
        ExecutedKind::Script => None,
    })
}

/// Returns the mapped libraries in load order; the dynamic loader only if an object needs it.
fn mapped_libraries(map: &LinkMap) -> Vec<String> {
    let objects = map.objects.iter().enumerate();
    let mapped = objects.filter(|(index, object)| {
        !matches!(object.reason, MapReason::Program)
            && (object.reason != MapReason::Interpreter || map.has_dependents(*index))
    });
    mapped.map(|(_, object)| object.raw_path.to_string()).collect()
}

fn missing_names(map: &LinkMap) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let names = map.missing.iter().filter(|missing| missing.kind != DependencyKind::Preload);
    names.map(missing_name).filter(|name| seen.insert(name.clone())).collect()
}

/// Returns the hwcaps variants that less capable CPUs map instead.
fn hwcaps_alternatives(elf: &ElfProgram) -> Vec<String> {
    let best: BTreeSet<String> = mapped_libraries(&elf.link_map).into_iter().collect();
    let others =
        elf.older_cpu_maps.iter().flat_map(|map| mapped_libraries(map)).filter(|path| !best.contains(path));
    others.collect::<BTreeSet<_>>().into_iter().collect()
}
