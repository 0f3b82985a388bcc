//! Problems of a closure in which no file is missing. The caller decides what to do about them.

use std::fmt;

use crate::elf;
use coracle_core::fs;
use coracle_core::path::RawPath;

/// A fault that keeps, or may keep, a program from starting.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Problem {
    /// The kind of problem.
    pub kind: ProblemKind,
    /// How the loader reacts to the problem.
    pub severity: Severity,
    /// The affected object: its path as the loader builds it.
    pub object: RawPath,
    /// The version, symbol, library or CPU level that the object needs.
    pub needed_name: String,
    /// The message for the user.
    pub message: String,
}

/// The kinds of [`Problem`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ProblemKind {
    /// A missing symbol version.
    MissingVersion,
    /// An object needs symbol versions of a library that has none.
    UnversionedLibrary,
    /// The loader fails an assertion when it binds a versioned symbol to a library without versions.
    LoaderAssertion,
    /// An object has `DT_RELR` but does not require the version that marks it.
    MissingRelrMarker,
    /// Version tables that can't be read.
    DamagedVersions,
    /// A symbol that no object defines.
    MissingSymbol,
    /// Symbol tables that can't be read.
    DamagedSymbols,
    /// A search path that depends on the working directory or the CPU.
    EnvironmentDependence,
    /// An object that was linked against another C library than the loader's.
    MixedCLibraries,
    /// A CPU level above the baseline.
    CpuLevel,
}

impl ProblemKind {
    /// Returns whether the problem is about symbol versions.
    pub fn concerns_versions(self) -> bool {
        matches!(
            self,
            Self::MissingVersion
                | Self::UnversionedLibrary
                | Self::LoaderAssertion
                | Self::MissingRelrMarker
                | Self::DamagedVersions
        )
    }
}

/// The reaction of a loader to a [`Problem`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// The loader fails; the program does not start.
    Error,
    /// The program starts, but may fail later.
    Warning,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Returns the value in `read`. An error about damaged tables is added to `problems` instead, and
/// `None` is returned.
///
/// # Errors
/// Fails if a file can't be read.
pub(super) fn record_if_damaged<T>(
    read: elf::Result<T>,
    kind: ProblemKind,
    severity: Severity,
    object: &RawPath,
    problems: &mut Vec<Problem>,
) -> fs::Result<Option<T>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(elf::Error::Io(error)) => Err(error),
        Err(error) => {
            let what = if kind == ProblemKind::DamagedVersions { "versions" } else { "symbols" };
            let message = format!("cannot read the {what} of `{object}`: {error}");
            problems.push(Problem {
                kind,
                severity,
                object: object.clone(),
                needed_name: String::new(),
                message,
            });
            Ok(None)
        }
    }
}
