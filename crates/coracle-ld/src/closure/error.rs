//! Why a program can't be resolved, with everything that was searched.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::link_map::{Absence, LinkMap, Missing};
use super::mixed;
use crate::elf::{self, Machine};
use coracle_core::fs;
use crate::ldso::conf::Listed;
use crate::ldso::{self, Refusal};
use coracle_core::path::{Spelled, printable};

/// Why a closure can't be resolved.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program does not exist, or is not a regular file.
    #[error("cannot use `{program}` as a program: {what}")]
    Program {
        /// The path as given.
        program: Spelled,
        /// What is at that path.
        what: String,
        /// The path of a program with that name in `PATH`.
        elsewhere: Option<Spelled>,
    },
    /// The program is not ELF, or damaged.
    #[error("cannot use `{program}` as a program")]
    Elf {
        /// The path as given.
        program: Spelled,
        /// What is wrong with the file.
        source: elf::Error,
    },
    /// The file is ELF, but not a program.
    #[error("cannot use `{program}` as a program: it is {what}")]
    NotExecutable {
        /// The path as given.
        program: Spelled,
        /// What kind of file it is.
        what: &'static str,
    },
    /// The `#!` line has no interpreter, or can't be parsed.
    #[error("cannot parse the first line of the script `{script}`: {why}")]
    Script {
        /// The path as given.
        script: Spelled,
        /// What is wrong with the line.
        why: String,
    },
    /// Scripts are nested deeper than the kernel allows.
    #[error("cannot start `{0}`: its script interpreters are nested deeper than the kernel allows")]
    ScriptDepth(Spelled),
    /// The interpreter of a program does not exist.
    #[error("cannot find the interpreter `{interpreter}` of `{program}`: {why}")]
    Interpreter {
        /// The program.
        program: Spelled,
        /// `PT_INTERP`.
        interpreter: Spelled,
        /// Why it can't be used.
        why: String,
        /// The program's machine.
        wanted: Machine,
    },
    /// The kernel or `env` would not find the interpreter of a script.
    #[error("cannot find the interpreter `{interpreter}` of the script `{script}`: {why}")]
    ScriptInterpreter {
        /// The script.
        script: Spelled,
        /// The interpreter in the first line.
        interpreter: Spelled,
        /// Why it can't be used, or where it was searched.
        why: String,
        /// Whether `env` searched for it in `PATH`.
        by_env: bool,
    },
    /// The interpreter is for another machine than the program.
    #[error("the interpreter `{interpreter}` of `{program}` is for {found}, but the program is for {wanted}")]
    InterpreterMachine {
        /// The program.
        program: Spelled,
        /// `PT_INTERP`.
        interpreter: Spelled,
        /// The interpreter's machine.
        found: Machine,
        /// The program's machine.
        wanted: Machine,
    },
    /// The interpreter can't be read as a dynamic loader.
    #[error("cannot read the loader `{interpreter}` of `{program}`")]
    Loader {
        /// The program.
        program: Spelled,
        /// `PT_INTERP`.
        interpreter: Spelled,
        /// Why it can't be read.
        source: ldso::Error,
    },
    /// The loader would load filter libraries without end.
    #[error("cannot resolve `{program}`: the loader would map filter libraries without end, `{name}` next")]
    Endless {
        /// The path as given.
        program: Spelled,
        /// The name of the next library.
        name: Spelled,
    },
    /// The link maps with missing libraries.
    #[error("{}", missing_text(.0))]
    Missing(Vec<Rc<LinkMap>>),
    /// A file can't be read.
    #[error(transparent)]
    Io(#[from] fs::Error),
}

impl Error {
    /// Returns the next step for the user.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Program { elsewhere: Some(path), .. } => {
                format!("did you mean `{path}`? `PATH` is not searched")
            }
            Self::Program { .. } => "check the path, and build the program first".into(),
            Self::Elf { source: elf::Error::NotElf, .. } => {
                "a program is an ELF file or starts with `#!`; if this is a script, write `#!/bin/sh` or \
                 the like as its first line"
                    .into()
            }
            Self::Elf { .. } => "build or copy the program again".into(),
            Self::NotExecutable { .. } => {
                "name the linked program, not one of its inputs".into()
            }
            Self::Script { .. } => {
                "write `#!/path/to/interpreter [argument]`, and end the line with a line feed only".into()
            }
            Self::ScriptDepth(_) => "name an ELF program as the interpreter".into(),
            Self::Interpreter { .. } | Self::InterpreterMachine { .. } => {
                "install it, pass `--sysroot <DIR>` with the loader and libraries of its platform, or link the program statically"
                    .into()
            }
            Self::ScriptInterpreter { by_env: true, .. } => {
                "install it where the image is built, or set its directory with `--env PATH=…`".into()
            }
            Self::ScriptInterpreter { .. } => {
                "install it where the image is built, or write its absolute path in the first line".into()
            }
            Self::Loader { source, .. } => source.hint().into(),
            Self::Endless { .. } => "link the program without `--filter` and `--auxiliary`".into(),
            Self::Missing(maps) => missing_hint(maps),
            Self::Io(error) => return error.hint(),
        })
    }
}

/// Formats one library as a sentence, several as a list.
fn missing_text(maps: &[Rc<LinkMap>]) -> String {
    let all: Vec<String> =
        maps.iter().flat_map(|map| fatal(map).map(|missing| describe(map, missing))).collect();
    match &*all {
        [one] => format!("cannot find {one}"),
        several => several.iter().fold(format!("cannot find {} libraries", several.len()), |text, one| {
            format!("{text}\n\n  {}", one.replace('\n', "\n  "))
        }),
    }
}

/// Returns the libraries without which the program does not start.
fn fatal(map: &LinkMap) -> impl Iterator<Item = &Missing> {
    map.missing.iter().filter(|missing| missing.absence == Absence::Fatal)
}

/// Describes a library with the objects that need it, where it was searched, and rejected files.
fn describe(map: &LinkMap, Missing { name, by, missed, .. }: &Missing) -> String {
    let chain: Vec<String> = map.chain(*by).map(|object| format!("`{object}`")).collect();
    let places = missed.places.iter().map(|place| (place.directory.to_string(), place.rule.to_string()));
    let refused = missed.refused.iter().map(|(path, refusal)| (path.to_string(), refusal.to_string()));
    let mut text = format!("`{}`, needed by {}", printable(name), chain.join(", needed by "));
    text.push_str(&table("searched, in order:", &places.collect::<Vec<_>>()));
    text.push_str(&table("found but refused:", &refused.collect::<Vec<_>>()));
    text
}

/// Formats a heading and two columns. Empty if there are no rows.
fn table(heading: &str, rows: &[(String, String)]) -> String {
    let width = rows.iter().map(|(left, _)| left.chars().count()).max();
    let heading = width.map(|_| format!("\n  {heading}")).unwrap_or_default();
    let width = width.unwrap_or_default();
    rows.iter().fold(heading, |text, (left, right)| format!("{text}\n    {left:width$}  {right}"))
}

impl Missing {
    /// Explains that the library is installed, but not in the loader's cache. `None` if it is not
    /// in a directory of `ld.so.conf`.
    pub fn listed_hint(&self) -> Option<String> {
        let Listed { directory, file } = self.listed.as_ref()?;
        Some(format!(
            "`{}` is in `{directory}`, which `{file}` lists, but not in the loader's cache, which `ldconfig` writes",
            printable(&self.name)
        ))
    }
}

/// Returns the hints for all missing libraries, one per line.
fn missing_hint(maps: &[Rc<LinkMap>]) -> String {
    let missing = || maps.iter().flat_map(|map| fatal(map));
    let refused = || missing().flat_map(|missing| missing.missed.refused.iter().map(|(_, refusal)| refusal));
    let other_machine = |refusal: &Refusal| matches!(refusal, Refusal::Machine { .. });
    if maps.iter().any(|map| fatal(map).any(|missing| mixed::is_of_another_libc(map, &missing.name))) {
        return "a library is for another C library: build the program and all libraries against the same one".into();
    }
    let mut hints: Vec<String> = Vec::new();
    if missing().any(|missing| missing.missed.refused.is_empty() && missing.listed.is_none()) {
        hints.push(
            "install the package that has the library, give the program a RUNPATH that leads to it, or link it \
             statically"
                .into(),
        );
    }
    let listed = missing().filter_map(Missing::listed_hint).collect::<BTreeSet<_>>();
    hints.extend(listed);
    let directories = missing().filter_map(|missing| Some(missing.listed.as_ref()?.directory.to_string()));
    let directories: Vec<String> = directories.collect::<BTreeSet<_>>().into_iter().collect();
    if !directories.is_empty() {
        hints.push(format!(
            "run `ldconfig`; if it skips the libraries because they are for another machine, pass `--env \
             LD_LIBRARY_PATH={}`",
            directories.join(":")
        ));
    }
    if refused().any(other_machine) {
        hints.push("install the library for the program's machine, or link the program statically".into());
    }
    if refused().any(|refusal| !other_machine(refusal)) {
        hints.push("replace the refused file with a shared library: the loader would stop there, too".into());
    }
    hints.join("\n")
}
