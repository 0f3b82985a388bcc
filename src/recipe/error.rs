//! Errors of a recipe, with their positions in the file.

use std::fmt;
use std::path::PathBuf;

use coracle_core::fs;
use coracle_core::hint::Hint;

/// Why a recipe could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] fs::Error),
    /// The file is too large to be a recipe.
    #[error("`{}` is larger than {limit} bytes, which is too large for a recipe", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The maximum size, in bytes.
        limit: u64,
    },
    /// Some values or keys are invalid.
    #[error("{}", format_problems(.0))]
    Invalid(Vec<RecipeProblem>),
    /// Neither the file nor the command line names a program.
    #[error("no program is specified{}", .recipe.as_ref().map(|path| format!(": `{}` names none", path.display())).unwrap_or_default())]
    NoProgram {
        /// The file, if there is one.
        recipe: Option<PathBuf>,
    },
}

/// One invalid value or key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecipeProblem {
    /// The message, without the position.
    pub message: String,
    /// The text to write instead.
    pub hint: Option<String>,
    /// The position in the file. `None` for a flag, which the message names.
    pub position: Option<SourcePosition>,
}

/// A position in a recipe, with its line for display.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourcePosition {
    /// The file.
    pub path: PathBuf,
    /// The line number, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The line's text; of a long line, the part around the position.
    pub text: String,
    /// Start and length of the marked part of [`SourcePosition::text`], in characters.
    pub marker: (usize, usize),
}

impl RecipeProblem {
    /// Returns the sort key: the position. Problems without one come first.
    pub(super) fn sort_key(&self) -> Option<(PathBuf, usize, usize)> {
        self.position.as_ref().map(|place| (place.path.clone(), place.line, place.column))
    }
}

impl Hint for RecipeError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Read(error) if error.kind() == std::io::ErrorKind::IsADirectory => {
                Some(format!("name the file in it, such as `{}`", super::recipe_paths::DEFAULT_FILE_NAME))
            }
            Self::Read(error) => error.hint(),
            Self::TooLarge { .. } => Some("check which file is named".into()),
            Self::Invalid(problems) => {
                let mut hints: Vec<&str> = Vec::new();
                for hint in problems.iter().filter_map(|problem| problem.hint.as_deref()) {
                    if !hints.contains(&hint) {
                        hints.push(hint);
                    }
                }
                if hints.is_empty() { None } else { Some(hints.join("\n")) }
            }
            Self::NoProgram { recipe: None } => Some("name one, as in `coracle build ./app`".into()),
            Self::NoProgram { recipe: Some(recipe) } if super::recipe_paths::is_cargo_toml(recipe) => Some(
                "write `programs = [\"target/release/app\"]` below `[package.metadata.coracle.image]` of a package, name \
                 one on the command line, or run `cargo coracle build`, which builds the package's programs"
                    .into(),
            ),
            Self::NoProgram { recipe: Some(_) } => Some(
                "write `programs = [\"path/to/app\"]` below `[image]`, or name one on the command line"
                    .into(),
            ),
        }
    }
}

/// Formats one problem alone, several as a list. Problems with a position span lines, so empty
/// lines separate them.
fn format_problems(problems: &[RecipeProblem]) -> String {
    if let [problem] = problems {
        return problem.to_string();
    }
    let placed = problems.iter().any(|problem| problem.position.is_some());
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

impl fmt::Display for RecipeProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.position.iter().try_for_each(|place| write!(f, "\n{place}"))
    }
}

impl fmt::Display for SourcePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, column, text, marker: (before, width) } = self;
        let gutter = line.to_string().len();
        writeln!(f, "  {:gutter$}--> {}:{line}:{column}", "", path.display())?;
        writeln!(f, "  {line} | {text}")?;
        write!(f, "  {:gutter$} | {:before$}{}", "", "", "^".repeat((*width).max(1)))
    }
}
