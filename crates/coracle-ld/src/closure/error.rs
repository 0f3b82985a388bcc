//! Why a program can't be resolved, with everything that was searched.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::checks::mixed_c_libraries;
use super::link_map::{DependencyKind, LinkMap, MissingLibrary};
use crate::elf::{self, Machine};
use crate::ldso::ld_so_conf::ConfDirectory;
use crate::ldso::{self, Rejection};
use coracle_core::escape::column_width;
use coracle_core::fs;
use coracle_core::hint::Hint;
use coracle_core::path::{RawPath, escape_bytes};

/// Why a closure can't be resolved.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program does not exist, or is not a regular file.
    #[error("cannot use `{program}` as a program: {reason}")]
    UnusableProgram {
        /// The path as given.
        program: RawPath,
        /// The reason, such as `it is a directory`.
        reason: String,
        /// The path of a program with that name in `PATH`.
        found_in_path: Option<RawPath>,
    },
    /// The program is not ELF, or damaged.
    #[error("cannot use `{program}` as a program")]
    InvalidElf {
        /// The path as given.
        program: RawPath,
        /// The problem of the file.
        source: elf::Error,
    },
    /// The file is ELF, but not a program.
    #[error("cannot use `{program}` as a program: it is {file_kind}")]
    NotExecutable {
        /// The path as given.
        program: RawPath,
        /// The kind of file.
        file_kind: &'static str,
    },
    /// The `#!` line has no interpreter, or can't be parsed.
    #[error("cannot parse the first line of the script `{script}`: {why}")]
    InvalidShebang {
        /// The path as given.
        script: RawPath,
        /// The problem of the line.
        why: String,
    },
    /// Scripts are nested deeper than the kernel allows.
    #[error("cannot start `{0}`: its script interpreters are nested deeper than the kernel allows")]
    ScriptsNestedTooDeep(RawPath),
    /// The interpreter of a program does not exist.
    #[error("cannot find the interpreter `{interpreter}` of `{program}`: {why}")]
    MissingInterpreter {
        /// The program.
        program: RawPath,
        /// `PT_INTERP`.
        interpreter: RawPath,
        /// Why it can't be used.
        why: String,
        /// The program's machine.
        wanted: Machine,
    },
    /// A shared library has no interpreter, and no default loader is known for its machine.
    #[error("cannot determine the loader of `{library}`: no loader is known for {machine}")]
    UnknownLoader {
        /// The library.
        library: RawPath,
        /// The library's machine.
        machine: Machine,
    },
    /// The kernel or `env` would not find the interpreter of a script.
    #[error("cannot find the interpreter `{interpreter}` of the script `{script}`: {why}")]
    MissingScriptInterpreter {
        /// The script.
        script: RawPath,
        /// The interpreter in the first line.
        interpreter: RawPath,
        /// Why it can't be used, or where it was searched.
        why: String,
        /// `true` if `env` searched for it in `PATH`.
        is_env_lookup: bool,
    },
    /// The interpreter is for another machine than the program.
    #[error("the interpreter `{interpreter}` of `{program}` is for {found}, but the program is for {wanted}")]
    InterpreterMachineMismatch {
        /// The program.
        program: RawPath,
        /// `PT_INTERP`.
        interpreter: RawPath,
        /// The interpreter's machine.
        found: Machine,
        /// The program's machine.
        wanted: Machine,
    },
    /// The interpreter can't be read as a dynamic loader.
    #[error("cannot read the loader `{interpreter}` of `{program}`")]
    InvalidLoader {
        /// The program.
        program: RawPath,
        /// `PT_INTERP`.
        interpreter: RawPath,
        /// Why it can't be read.
        source: ldso::Error,
    },
    /// The loader would load filter libraries without end.
    #[error("cannot resolve `{program}`: the loader would map filter libraries without end, `{name}` next")]
    EndlessFilters {
        /// The path as given.
        program: RawPath,
        /// The name of the next library.
        name: RawPath,
    },
    /// The link maps with missing libraries.
    #[error("{}", format_missing(.0))]
    MissingLibraries(Vec<Rc<LinkMap>>),
    /// A file can't be read.
    #[error(transparent)]
    Io(#[from] fs::Error),
    /// A broken invariant of this crate.
    #[error("internal error: {0}; please report it")]
    Internal(&'static str),
}

/// Why a directory is not a program.
pub(super) const IS_DIRECTORY: &str = "it is a directory";

impl Hint for Error {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::UnusableProgram { found_in_path: Some(path), .. } => {
                format!("did you mean `{path}`? `PATH` is not searched")
            }
            Self::UnusableProgram { reason, .. } if reason == IS_DIRECTORY => {
                "name the program in it; neither a Dockerfile nor sources are read".into()
            }
            Self::UnusableProgram { .. } => "check the path, and build the program first".into(),
            Self::InvalidElf { source: elf::Error::NotElf, .. } => {
                "a program is an ELF file or starts with `#!`; if this is a script, write `#!/bin/sh` or \
                 the like as its first line"
                    .into()
            }
            Self::InvalidElf { .. } => "build or copy the program again".into(),
            Self::NotExecutable { .. } => {
                "name the linked program, not one of its inputs".into()
            }
            Self::InvalidShebang { .. } => {
                "write `#!/path/to/interpreter [argument]`, and end the line with a line feed only".into()
            }
            Self::ScriptsNestedTooDeep(_) => "name an ELF program as the interpreter".into(),
            Self::MissingInterpreter { .. } | Self::InterpreterMachineMismatch { .. } => {
                "install it, pass `--sysroot <DIR>` with the loader and libraries of its platform, or link the program statically"
                    .into()
            }
            Self::UnknownLoader { .. } => "give it a loader with `-Wl,-dynamic-linker=PATH`".into(),
            Self::MissingScriptInterpreter { is_env_lookup: true, .. } => {
                "install it where the image is built, or set its directory with `--env PATH=…`".into()
            }
            Self::MissingScriptInterpreter { .. } => {
                "install it where the image is built, or write its absolute path in the first line".into()
            }
            Self::InvalidLoader { source, .. } => return source.hint(),
            Self::EndlessFilters { .. } => "link the program without `--filter` and `--auxiliary`".into(),
            Self::MissingLibraries(maps) => hint_for_missing(maps),
            Self::Io(error) => return error.hint(),
            Self::Internal(_) => return None,
        })
    }
}

/// Formats one library as a sentence, several as a list.
fn format_missing(maps: &[Rc<LinkMap>]) -> String {
    let libraries: Vec<String> = maps
        .iter()
        .flat_map(|map| fatal_missing(map).map(|missing| format_missing_library(map, missing)))
        .collect();
    match &*libraries {
        [library] => format!("cannot find {library}"),
        several => {
            several.iter().fold(format!("cannot find {} libraries", several.len()), |text, library| {
                format!("{text}\n\n  {}", library.replace('\n', "\n  "))
            })
        }
    }
}

/// Returns the libraries without which the program does not start.
fn fatal_missing(map: &LinkMap) -> impl Iterator<Item = &MissingLibrary> {
    map.missing.iter().filter(|missing| missing.kind == DependencyKind::Required)
}

/// Describes a library with the objects that need it, where it was searched, and rejected files.
fn format_missing_library(
    map: &LinkMap,
    MissingLibrary { name, needed_by, trace, .. }: &MissingLibrary,
) -> String {
    let chain: Vec<String> = map.dependency_chain(*needed_by).map(|object| format!("`{object}`")).collect();
    let searched = trace.searched.iter().map(|step| (step.raw_path.to_string(), step.rule.to_string()));
    let rejected = trace.rejected.iter().map(|(path, rejection)| (path.to_string(), rejection.to_string()));
    let mut text = format!("`{}`, needed by {}", escape_bytes(name), chain.join(", needed by "));
    text.push_str(&format_table("searched, in order:", &searched.collect::<Vec<_>>()));
    text.push_str(&format_table("found but refused:", &rejected.collect::<Vec<_>>()));
    text
}

/// Formats a heading and two columns. Empty if there are no rows.
fn format_table(heading: &str, rows: &[(String, String)]) -> String {
    let heading = if rows.is_empty() { String::new() } else { format!("\n  {heading}") };
    let width = column_width(rows.iter().map(|(left, _)| left.as_str()));
    rows.iter().fold(heading, |text, (left, right)| format!("{text}\n    {left:width$}  {right}"))
}

impl MissingLibrary {
    /// Explains that the library is installed, but not in the loader's cache. `None` if it is not
    /// in a directory of `ld.so.conf`.
    pub fn stale_cache_hint(&self) -> Option<String> {
        let ConfDirectory { directory, listed_in: file } = self.listed_in_conf.as_ref()?;
        Some(format!(
            "`{}` is in `{directory}`, which `{file}` lists, but not in the loader's cache, which `ldconfig` writes",
            escape_bytes(&self.name)
        ))
    }
}

/// Returns the hints for all missing libraries, one per line.
fn hint_for_missing(maps: &[Rc<LinkMap>]) -> String {
    let missing = || maps.iter().flat_map(|map| fatal_missing(map));
    let rejected =
        || missing().flat_map(|missing| missing.trace.rejected.iter().map(|(_, rejection)| rejection));
    let other_machine = |rejection: &Rejection| matches!(rejection, Rejection::Machine { .. });
    if maps.iter().any(|map| {
        fatal_missing(map).any(|missing| mixed_c_libraries::belongs_to_other_libc(map, &missing.name))
    }) {
        return "a library is for another C library: build the program and all libraries against the same one".into();
    }
    let mut hints: Vec<String> = Vec::new();
    let added: BTreeSet<String> =
        missing().filter_map(|missing| Some(missing.added_at.as_ref()?.parent()?.to_string())).collect();
    if !added.is_empty() {
        hints.push(format!(
            "the loader does not search where it is included: pass `--env LD_LIBRARY_PATH={}`",
            added.into_iter().collect::<Vec<_>>().join(":")
        ));
    }
    if missing().any(|missing| {
        missing.trace.rejected.is_empty() && missing.listed_in_conf.is_none() && missing.added_at.is_none()
    }) {
        hints.push(
            "install the package that has the library, give the program a RUNPATH that leads to it, or link it \
             statically"
                .into(),
        );
    }
    let listed = missing().filter_map(MissingLibrary::stale_cache_hint).collect::<BTreeSet<_>>();
    hints.extend(listed);
    let directories =
        missing().filter_map(|missing| Some(missing.listed_in_conf.as_ref()?.directory.to_string()));
    let directories: Vec<String> = directories.collect::<BTreeSet<_>>().into_iter().collect();
    if !directories.is_empty() {
        hints.push(format!(
            "run `ldconfig`; if it skips the libraries because they are for another machine, pass `--env \
             LD_LIBRARY_PATH={}`",
            directories.join(":")
        ));
    }
    if rejected().any(other_machine) {
        hints.push("install the library for the program's machine, or link the program statically".into());
    }
    if rejected().any(|rejection| !other_machine(rejection)) {
        hints.push("replace the refused file with a shared library: the loader would stop there, too".into());
    }
    hints.join("\n")
}
