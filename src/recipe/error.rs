//! What can be wrong with a recipe, and where.

use std::fmt;
use std::path::PathBuf;

use crate::fs;

/// Why there is no recipe.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file can't be read.
    #[error(transparent)]
    Read(#[from] fs::Error),
    /// The file is too large to be a recipe.
    #[error("`{}` is larger than {limit} bytes, which is too large for a recipe", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What a recipe may have at most.
        limit: u64,
    },
    /// Something in it is not legal.
    #[error("{}", listed(.0))]
    Illegal(Vec<Problem>),
    /// Neither the file nor the command line names a program.
    #[error("no program to build an image of{}", .recipe.as_ref().map(|path| format!(": `{}` names none", path.display())).unwrap_or_default())]
    NoProgram {
        /// The file, if there is one.
        recipe: Option<PathBuf>,
    },
}

/// One thing that is not legal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// What is wrong, without its place.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
    /// Where it stands; a message about a flag names it.
    pub place: Option<Place>,
}

/// A place in a recipe.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The line's text, or the part of a long one that matters, for people.
    pub text: String,
    /// How many characters of [`Place::text`] stand before the place, and how many it has.
    pub mark: (usize, usize),
}

impl Problem {
    /// By place; those that have none come first.
    pub(super) fn order(&self) -> Option<(PathBuf, usize, usize)> {
        self.place.as_ref().map(|place| (place.path.clone(), place.line, place.column))
    }
}

impl Error {
    /// The next step.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Read(error) if error.kind() == std::io::ErrorKind::IsADirectory => {
                Some(format!("name the file in it, such as `{}`", super::FILE_NAME))
            }
            Self::Read(error) => error.hint(),
            Self::TooLarge { .. } => Some("check which file is named".into()),
            Self::Illegal(problems) => {
                let mut hints: Vec<&str> = Vec::new();
                for hint in problems.iter().filter_map(|problem| problem.hint.as_deref()) {
                    if !hints.contains(&hint) {
                        hints.push(hint);
                    }
                }
                if hints.is_empty() { None } else { Some(hints.join("\n")) }
            }
            Self::NoProgram { recipe: None } => Some("name one, as in `coracle build ./app`".into()),
            Self::NoProgram { recipe: Some(_) } => Some(
                "write `programs = [\"path/to/app\"]` below `[image]`, or name one on the command line"
                    .into(),
            ),
        }
    }
}

/// One problem as it is, several as a list; those with a place are longer than a line and need some air.
fn listed(problems: &[Problem]) -> String {
    if let [problem] = problems {
        return problem.to_string();
    }
    let placed = problems.iter().any(|problem| problem.place.is_some());
    let (place, gap) = if placed { ("in the recipe", "\n") } else { ("on the command line", "") };
    let mut text = format!("{} problems {place}", problems.len());
    for problem in problems {
        text.push_str(gap);
        for line in problem.to_string().lines() {
            text.push_str("\n  ");
            text.push_str(line);
        }
    }
    text
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.place.iter().try_for_each(|place| write!(f, "\n{place}"))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, column, text, mark: (before, width) } = self;
        let gutter = line.to_string().len();
        writeln!(f, "  {:gutter$}--> {}:{line}:{column}", "", path.display())?;
        writeln!(f, "  {line} | {text}")?;
        write!(f, "  {:gutter$} | {:before$}{}", "", "", "^".repeat((*width).max(1)))
    }
}
