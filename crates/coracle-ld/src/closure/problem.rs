//! What is wrong with a closure although every file of it is there: values, for whoever decides what becomes of it.

use std::fmt;

use crate::elf;
use coracle_core::fs;
use coracle_core::path::Spelled;

/// Something that keeps a program from starting, or may.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Problem {
    /// What it is about.
    pub kind: ProblemKind,
    /// Whether the loader stops there.
    pub severity: Severity,
    /// The object that wants something, as the loader spells it.
    pub object: Spelled,
    /// What it wants: a version, a symbol, a library, a level of CPUs.
    pub name: String,
    /// What, which and why, for people.
    pub message: String,
}

/// The kinds of [`Problem`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ProblemKind {
    /// A version of a library.
    Version,
    /// A symbol that no object defines.
    Symbol,
    /// A path that depends on the working directory or the CPU.
    Circumstances,
    /// A C library that is not the program's.
    CLibrary,
    /// A CPU that not everybody has.
    Cpu,
}

/// What a loader does about a [`Problem`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// It stops; the program never starts.
    Error,
    /// It goes on, at least for now.
    Warning,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// What could not be told because tables of a file are damaged is a problem of its own; what could not be read ends
/// the check.
pub(super) fn damaged<T>(
    read: elf::Result<T>,
    kind: ProblemKind,
    severity: Severity,
    object: &Spelled,
    problems: &mut Vec<Problem>,
) -> fs::Result<Option<T>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(elf::Error::Io(error)) => Err(error),
        Err(error) => {
            let what = if kind == ProblemKind::Version { "versions" } else { "symbols" };
            let message = format!("cannot read the {what} of `{object}`: {error}");
            problems.push(Problem { kind, severity, object: object.clone(), name: String::new(), message });
            Ok(None)
        }
    }
}
