//! The problems of a link map in the reports of `coracle deps`: refused files, missing versions and symbols, and others.

use coracle_core::path::RawPath;
use coracle_ld::closure::{
    DependencyKind, LinkMap, MissingLibrary, Problem, ProblemKind, Severity, check_c_libraries,
    check_environment_dependence, check_isa_level, check_symbol_versions, check_symbols,
};
use serde::Serialize;

use crate::cli::error::error_chain;

/// A problem of one object.
#[derive(Serialize)]
pub(super) struct ReportedProblem {
    pub(super) kind: ReportedKind,
    pub(super) severity: ReportedSeverity,
    /// The affected object.
    pub(super) object: Option<String>,
    /// The version, symbol or library that it needs.
    pub(super) name: Option<String>,
    pub(super) message: String,
}

/// The kinds of problems. Their names are a stable interface for scripts.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum ReportedKind {
    /// The loader refuses a file with a fatal error.
    #[serde(rename = "refused")]
    Refused,
    /// A preload is missing.
    #[serde(rename = "preload")]
    Preload,
    /// An object can't be read.
    #[serde(rename = "unreadable")]
    Unreadable,
    #[serde(rename = "version")]
    SymbolVersion,
    #[serde(rename = "symbol")]
    Symbol,
    #[serde(rename = "environment")]
    EnvironmentDependence,
    #[serde(rename = "c-library")]
    MixedCLibraries,
    #[serde(rename = "cpu")]
    CpuLevel,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ReportedSeverity {
    Error,
    Warning,
}

type ProblemCheck = fn(&LinkMap) -> coracle_core::fs::Result<Vec<Problem>>;

/// Returns all problems: files that the loader refuses, missing preloads, mixed C libraries,
/// missing symbol versions, undefined symbols (if requested), required CPU features, and paths that
/// depend on the environment.
pub(super) fn find_problems(map: &LinkMap, with_symbols: bool) -> Vec<ReportedProblem> {
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
            Ok(found) => problems.extend(found.iter().map(ReportedProblem::from)),
            Err(error) => problems.push(ReportedProblem {
                kind: ReportedKind::Unreadable,
                severity: ReportedSeverity::Error,
                object: None,
                name: None,
                message: error_chain(&error),
            }),
        }
    }
    problems
}

impl From<&Problem> for ReportedProblem {
    fn from(problem: &Problem) -> Self {
        Self {
            kind: match problem.kind {
                kind if kind.concerns_versions() => ReportedKind::SymbolVersion,
                ProblemKind::EnvironmentDependence => ReportedKind::EnvironmentDependence,
                ProblemKind::MixedCLibraries => ReportedKind::MixedCLibraries,
                ProblemKind::CpuLevel => ReportedKind::CpuLevel,
                _ => ReportedKind::Symbol,
            },
            severity: match problem.severity {
                Severity::Error => ReportedSeverity::Error,
                Severity::Warning => ReportedSeverity::Warning,
            },
            object: Some(problem.object.to_string()),
            name: Some(problem.needed_name.clone()),
            message: problem.message.clone(),
        }
    }
}

/// Returns the files that the loader refuses with a fatal error.
fn refused_files(map: &LinkMap) -> Vec<ReportedProblem> {
    let refused = map.missing.iter().filter(|missing| missing.trace.is_fatal);
    let problems = refused.flat_map(|missing| {
        let object = map.objects.get(missing.needed_by).map(|object| object.raw_path.to_string());
        missing.trace.rejected.iter().map(move |(path, why)| ReportedProblem {
            kind: ReportedKind::Refused,
            severity: ReportedSeverity::Error,
            object: object.clone(),
            name: Some(missing_name(missing)),
            message: format!("{path}: {why}"),
        })
    });
    problems.collect()
}

/// Returns the preloads that are missing, for which the loader only prints a warning.
fn missing_preloads(map: &LinkMap) -> impl Iterator<Item = ReportedProblem> {
    let preloads = map.missing.iter().filter(|missing| missing.kind == DependencyKind::Preload);
    preloads.filter(|missing| !missing.trace.is_fatal).map(|missing| {
        let name = missing_name(missing);
        ReportedProblem {
            kind: ReportedKind::Preload,
            severity: ReportedSeverity::Warning,
            object: None,
            message: format!("cannot find `{name}`, which is to be preloaded"),
            name: Some(name),
        }
    })
}

/// Returns the name of a missing library as text.
pub(super) fn missing_name(missing: &MissingLibrary) -> String {
    RawPath::new(missing.name.as_slice()).to_string()
}
