//! The programs that run containers: OCI runtimes, which are preferred, and engines.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use coracle_core::hint::{Hint, most_similar};

use crate::RunError;

/// A kind of program that runs containers, the preferred ones first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuntimeKind {
    /// crun, an OCI runtime.
    Crun,
    /// runc, an OCI runtime.
    Runc,
    /// youki, an OCI runtime.
    Youki,
    /// Podman.
    Podman,
    /// Docker.
    Docker,
}

/// Every kind, in the order in which they are tried.
const KINDS: [RuntimeKind; 5] =
    [RuntimeKind::Crun, RuntimeKind::Runc, RuntimeKind::Youki, RuntimeKind::Podman, RuntimeKind::Docker];

/// A program that runs containers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Runtime {
    /// What it is.
    pub kind: RuntimeKind,
    /// Its file.
    pub program: PathBuf,
}

/// The error for a string that is not the name of a runtime.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a runtime that is supported")]
pub struct ParseRuntimeError(String);

impl Hint for ParseRuntimeError {
    fn hint(&self) -> Option<String> {
        Some(match most_similar(&self.0, KINDS.iter().map(|kind| kind.as_str())) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "use `crun`, `runc`, `youki`, `podman` or `docker`".into(),
        })
    }
}

impl RuntimeKind {
    /// Returns the name of the program.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Crun => "crun",
            Self::Runc => "runc",
            Self::Youki => "youki",
            Self::Podman => "podman",
            Self::Docker => "docker",
        }
    }

    /// Returns whether it is an engine, with images and a network of its own.
    pub fn is_engine(self) -> bool {
        matches!(self, Self::Podman | Self::Docker)
    }
}

impl FromStr for RuntimeKind {
    type Err = ParseRuntimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        KINDS.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| ParseRuntimeError(text.to_owned()))
    }
}

impl fmt::Display for RuntimeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

/// Returns the runtime that was asked for, or else the first that is in one of the directories of
/// PATH. `is_usable` is asked before an engine is chosen that was not asked for.
///
/// # Errors
/// Fails if it is not installed.
pub fn find_runtime(
    wanted: Option<RuntimeKind>,
    directories: &[PathBuf],
    is_usable: impl Fn(&Path) -> bool,
) -> Result<Runtime, RunError> {
    let find = |kind: RuntimeKind| {
        let mut files = directories.iter().map(|directory| directory.join(kind.as_str()));
        let program = files.find(|file| is_usable(file))?;
        Some(Runtime { kind, program })
    };
    match wanted {
        Some(kind) => find(kind).ok_or(RunError::MissingRuntime(kind)),
        None => KINDS.into_iter().find_map(find).ok_or(RunError::NoRuntime),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oci_runtimes_come_before_engines() {
        let path = ["/a".into(), "/b".into()];
        let among = |files: &'static [&'static str]| {
            move |file: &Path| files.iter().any(|known| file == Path::new(known))
        };
        let found = find_runtime(None, &path, among(&["/a/docker", "/b/runc", "/a/podman"])).unwrap();
        assert_eq!(found, Runtime { kind: RuntimeKind::Runc, program: "/b/runc".into() });
        let found = find_runtime(Some(RuntimeKind::Docker), &path, among(&["/a/docker", "/b/runc"])).unwrap();
        assert_eq!(found.program, Path::new("/a/docker"));
        let error = find_runtime(Some(RuntimeKind::Crun), &path, among(&["/b/runc"])).unwrap_err();
        assert_eq!(error.to_string(), "`--runtime crun`: there is no such program in PATH");
        let error = find_runtime(None, &path, |_| false).unwrap_err();
        assert!(error.hint().unwrap().contains("apt install crun"));
    }

    #[test]
    fn names_are_parsed_with_suggestions() {
        assert_eq!("youki".parse::<RuntimeKind>().unwrap(), RuntimeKind::Youki);
        assert_eq!("podmna".parse::<RuntimeKind>().unwrap_err().hint().unwrap(), "did you mean `podman`?");
        assert!("kata".parse::<RuntimeKind>().unwrap_err().hint().unwrap().contains("crun"));
    }
}
