//! Why a program can't be started, with everything that was tried.

use std::fmt::{self, Write as _};
use std::rc::Rc;

use super::link_map::{Absence, LinkMap, Missing};
use crate::elf::{self, Machine};
use crate::fs;
use crate::loader;
use crate::path::{Spelled, printable};

/// Why there is no closure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program itself can't be had.
    #[error("cannot use `{program}` as a program: {what}")]
    Program {
        /// As it was named.
        program: Spelled,
        /// What stands there instead.
        what: &'static str,
        /// A program of that name in `PATH`.
        elsewhere: Option<Spelled>,
    },
    /// It is no sound ELF file.
    #[error("cannot use `{program}` as a program")]
    Elf {
        /// As it was named.
        program: Spelled,
        /// What is wrong with it.
        source: elf::Error,
    },
    /// It is an ELF file that nobody can start.
    #[error("cannot use `{program}` as a program: it is {what}")]
    NotExecutable {
        /// As it was named.
        program: Spelled,
        /// What it is.
        what: &'static str,
    },
    /// The `#!` line names nothing, or something that can't be followed.
    #[error("cannot follow the first line of the script `{script}`: {why}")]
    Script {
        /// As it was named.
        script: Spelled,
        /// What is wrong with it.
        why: String,
    },
    /// Scripts that name scripts, more than the kernel follows.
    #[error("cannot start `{0}`: its interpreter is a script, whose interpreter is a script, and so on")]
    ScriptDepth(Spelled),
    /// The kernel would not find the interpreter.
    #[error("cannot find the interpreter `{interpreter}` of `{program}`: {why}")]
    Interpreter {
        /// The program or script.
        program: Spelled,
        /// `PT_INTERP`, or what the first line says.
        interpreter: Spelled,
        /// What stands there instead.
        why: String,
    },
    /// The interpreter is not for the program's machine.
    #[error("the interpreter `{interpreter}` of `{program}` is for {found}, the program for {wanted}")]
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
    /// The interpreter could not be read as a loader.
    #[error("cannot read the loader `{interpreter}` of `{program}`")]
    Loader {
        /// The program.
        program: Spelled,
        /// `PT_INTERP`.
        interpreter: Spelled,
        /// What is wrong with it.
        source: loader::Error,
    },
    /// Libraries that no rule finds, all of them.
    #[error("{}", missing_text(.0))]
    Missing(Vec<Rc<LinkMap>>),
    /// Something could not be read.
    #[error(transparent)]
    Io(#[from] fs::Error),
}

impl Error {
    /// The next step.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Program { elsewhere: Some(path), .. } => {
                format!("did you mean `{path}`? PATH is not searched")
            }
            Self::Program { .. } => "name a file that is there; build the program first".into(),
            Self::Elf { source: elf::Error::NotElf, .. } => {
                "a program is an ELF file or starts with `#!`; if this is a script, add the line".into()
            }
            Self::Elf { .. } => "build or copy the program again".into(),
            Self::NotExecutable { .. } => {
                "name the program that was linked, not what it was linked from".into()
            }
            Self::Script { .. } => "write `#!/path/to/interpreter [argument]`".into(),
            Self::ScriptDepth(_) => "name a program as the interpreter".into(),
            Self::Interpreter { .. } | Self::InterpreterMachine { .. } => {
                "install it where the image is built, build there where it is, or link the program statically"
                    .into()
            }
            Self::Loader { .. } => "build or install the loader again".into(),
            Self::Missing(maps) => missing_hint(maps),
            Self::Io(error) => return error.hint(),
        })
    }
}

fn missing_text(maps: &[Rc<LinkMap>]) -> String {
    let mut text = String::new();
    for map in maps {
        for missing in map.missing.iter().filter(|missing| missing.absence == Absence::Fatal) {
            // Writing to a string can't fail.
            let _ = write_missing(&mut text, map, missing);
        }
    }
    text.trim_end().to_owned()
}

fn write_missing(text: &mut String, map: &LinkMap, missing: &Missing) -> fmt::Result {
    let name = printable(&missing.name);
    let by =
        map.chain(missing.by).map(|object| format!("`{object}`")).collect::<Vec<_>>().join(", needed by ");
    writeln!(text, "cannot find `{name}`, needed by {by}")?;
    writeln!(text, "  searched, in order:")?;
    let places =
        missing.missed.places.iter().map(|place| (place.directory.to_string(), place.rule.to_string()));
    let places: Vec<(String, String)> = places.collect();
    let width = places.iter().map(|(place, _)| place.len()).max().unwrap_or_default();
    for (place, rule) in places {
        writeln!(text, "    {place:width$}  {rule}")?;
    }
    if !missing.missed.refused.is_empty() {
        writeln!(text, "  found but refused:")?;
    }
    for (path, refusal) in &missing.missed.refused {
        writeln!(text, "    {path}  {refusal}")?;
    }
    Ok(())
}

fn missing_hint(maps: &[Rc<LinkMap>]) -> String {
    let refused = maps.iter().flat_map(|map| &map.missing).any(|missing| !missing.missed.refused.is_empty());
    if refused {
        "install the library for the program's machine, or link the program statically".into()
    } else {
        "install the package that has the library, give the program a RUNPATH that leads to it, or link it statically"
            .into()
    }
}
