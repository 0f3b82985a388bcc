//! Errors of planning an image; problems of one kind are reported together.

use std::path::PathBuf;

use coracle_core::fs;
use coracle_core::hint::Hint;
use coracle_core::path::{ImagePath, RawPath};
use coracle_ld::closure;
use coracle_ld::elf;
use coracle_ld::implicit;

/// Why an image could not be planned.
#[derive(Debug, thiserror::Error)]
pub enum RootfsError {
    /// Different contents are planned for one path.
    #[error("{}", format_problems(.0, "different contents are planned for the same path of the image"))]
    Conflicts(Vec<Conflict>),
    /// The image would contain libraries at paths that exist only on this machine.
    #[error("{}", format_problems(.0, "the image would depend on paths that exist only on this machine"))]
    PrivatePaths(Vec<PrivatePath>),
    /// Some files cannot be included.
    #[error("{}", format_problems(.0, "cannot include some files"))]
    InvalidIncludes(Vec<IncludeProblem>),
    /// Entries whose names delete other files when an engine applies the layer.
    #[error("{}", format_problems(.0, "no layer can contain files whose names start with `.wh.`, which deletes files of the image"))]
    WhiteoutNames(Vec<WhiteoutName>),
    /// The requested path of a program has too few directories for the libraries relative to it.
    #[error("cannot place `{program}` at `{to}`: that path is not deep enough, because the program searches for libraries {levels_up} {} above its own", if *.levels_up == 1 { "directory" } else { "directories" })]
    TargetTooShallow {
        /// The program.
        program: RawPath,
        /// The requested path.
        to: ImagePath,
        /// The number of directories above the program's own that its libraries are in.
        levels_up: usize,
    },
    /// A program could not be stripped.
    #[error("cannot strip `{program}`")]
    Strip {
        /// The program.
        program: ImagePath,
        /// The cause.
        source: elf::Error,
    },
    /// The loader would map other files inside the image. The text says which.
    #[error("inside the image, the loader would map other files than here:\n  {0}")]
    ResolvesDifferently(String),
    /// The program would not start inside the image.
    #[error("inside the image `{program}` would not start")]
    WouldNotStart {
        /// The program's path in the image.
        program: ImagePath,
        /// The cause.
        source: Box<closure::Error>,
    },
    /// Implicit dependencies of included programs cannot be added.
    #[error(transparent)]
    Implicit(#[from] implicit::Error),
    /// Dependencies of included files cannot be resolved.
    #[error(transparent)]
    Closure(#[from] closure::Error),
    /// A file could not be read.
    #[error(transparent)]
    Io(#[from] fs::Error),
    /// A defect of Coracle.
    #[error("internal error: {0}; please report it")]
    Internal(&'static str),
}

/// Different contents for one path.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path} would be {first}, and also {second}")]
pub struct Conflict {
    /// The path.
    pub path: ImagePath,
    /// The first content and the reason for it.
    pub first: String,
    /// The second content and the reason for it.
    pub second: String,
}

/// An entry that no layer can contain.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path} would be {entry}")]
pub struct WhiteoutName {
    /// The path.
    pub path: ImagePath,
    /// The entry and the reason for it.
    pub entry: String,
}

/// A path that exists only on this machine, but that the image needs.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path} would be in the image: {reason}")]
pub struct PrivatePath {
    /// The path.
    pub path: ImagePath,
    /// The reason why it is needed.
    pub reason: String,
}

/// A file that cannot be included.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum IncludeProblem {
    /// The file does not exist.
    #[error("{}: there is no such file or directory", .0.display())]
    Missing(PathBuf),
    /// A symbolic link whose target is outside the included directory.
    #[error("{link}: it is a link to {target}, which is outside the included directory")]
    LinkOutside {
        /// The link.
        link: ImagePath,
        /// Its target.
        target: RawPath,
    },
    /// A device, a socket or a pipe.
    #[error("{path} cannot be included: it is a {kind}")]
    SpecialFile {
        /// The file.
        path: ImagePath,
        /// The type of the file.
        kind: &'static str,
    },
    /// The path in the image ends in a slash, or is the root, but the source is a file without a
    /// file name.
    #[error("{}: it is a file, but `{to}` has no file name for it", .from.display())]
    NoFileName {
        /// The source.
        from: PathBuf,
        /// The path in the image.
        to: RawPath,
    },
}

/// Returns the hints for all problems, without duplicates.
fn includes_hint(problems: &[IncludeProblem]) -> String {
    let hint = |problem: &IncludeProblem| match problem {
        IncludeProblem::Missing(_) => {
            "check the path: flags are relative to the working directory, a recipe's keys to the recipe"
        }
        IncludeProblem::LinkOutside { target, .. } if target.as_bytes().starts_with(b"/") => {
            "make the link relative: an absolute target is another path in the image"
        }
        IncludeProblem::LinkOutside { .. } => {
            "include a directory that contains both the link and its target"
        }
        IncludeProblem::SpecialFile { .. } => {
            "remove it from the directory: an image holds files, directories and links"
        }
        IncludeProblem::NoFileName { .. } => "write the full path in the image, such as `/srv/NAME`",
    };
    let mut hints: Vec<&str> = Vec::new();
    for hint in problems.iter().map(hint) {
        if !hints.contains(&hint) {
            hints.push(hint);
        }
    }
    hints.join("\n")
}

fn format_problems<T: std::fmt::Display>(problems: &[T], heading: &str) -> String {
    problems.iter().fold(heading.to_owned(), |text, problem| format!("{text}\n  {problem}"))
}

impl Hint for RootfsError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Conflicts(_) => "place one of them elsewhere with `FROM:TO`, or leave it out".into(),
            Self::WhiteoutNames(_) => {
                "rename them, or place them elsewhere with `FROM:TO`; a directory can leave them out with `exclude`".into()
            }
            Self::PrivatePaths(paths) if paths.iter().all(|path| path.reason.starts_with("interpreter of ")) => {
                "start the script with `#!/usr/bin/env NAME`, or build the interpreter with the script as its argument".into()
            }
            Self::PrivatePaths(_) => {
                "link with an RPATH that starts with `$ORIGIN`, or install the library in a system directory\n\
                 to accept it on purpose, write `\"/the/directory\" = \"the reason\"` below `[allow]` in a recipe, \
                 and name the recipe with `-f`"
                    .into()
            }
            Self::InvalidIncludes(problems) => includes_hint(problems),
            Self::TargetTooShallow { .. } => "choose a deeper path, or omit `:TO`: the default is below `/app`".into(),
            Self::Implicit(error) => return error.hint(),
            Self::Closure(error) => return error.hint(),
            Self::Strip { .. } => "build without `--strip`".into(),
            Self::ResolvesDifferently(_) | Self::WouldNotStart { .. } => {
                "an include or the base image may hide a library or a link: list all files with `--dry-run`".into()
            }
            Self::Io(error) => return error.hint(),
            Self::Internal(_) => return None,
        })
    }
}
