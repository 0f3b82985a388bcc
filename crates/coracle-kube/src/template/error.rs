//! Why a template makes no text: what, in which file, on which line.

use std::error::Error as _;
use std::path::PathBuf;

use minijinja::ErrorKind;
use serde_json::Value;

use super::Template;

/// What the engine says of templates in templates.
const TOO_DEEP: &str = "recursion limit exceeded";

/// Why a template makes no text.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name that no value has.
    #[error("`{name}` is undefined{}\n   --> {file}:{line}", near.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    Undefined {
        /// The name, or the expression that it is in.
        name: String,
        /// A name that is there.
        near: Option<String>,
        /// The template.
        file: String,
        /// From 1.
        line: usize,
    },
    /// Templates that include each other, most likely.
    #[error("{}, which goes on for too long\n   --> {file}:{line}", .chain.iter().map(|file| format!("`{file}`")).collect::<Vec<_>>().join(" includes "))]
    TooDeep {
        /// Each includes the next; of a loop one round.
        chain: Vec<String>,
        /// Where the last include stands.
        file: String,
        /// From 1.
        line: usize,
    },
    /// Anything else.
    #[error("{message}\n   --> {file}:{line}")]
    Wrong {
        /// What is wrong.
        message: String,
        /// The template.
        file: String,
        /// From 1.
        line: usize,
    },
    /// Delimiters that can't be told apart.
    #[error("cannot use the delimiters for `{}`: {message}", .path.display())]
    Delimiters {
        /// The template.
        path: PathBuf,
        /// What is wrong with them.
        message: String,
    },
}

impl Error {
    pub(super) fn of(error: &minijinja::Error, template: &Template, values: &Value) -> Self {
        // An error in an included template is the cause of one in the template that includes it.
        let chain: Vec<&minijinja::Error> =
            std::iter::successors(Some(error), |&error| error.source()?.downcast_ref()).collect();
        let deepest = chain.last().copied().unwrap_or(error);
        if deepest.detail() == Some(TOO_DEEP)
            && let Some(error) = Self::too_deep(&chain, template)
        {
            return error;
        }
        let file = template.file(deepest.name().or(error.name()).unwrap_or_default());
        let line = deepest.line().or(error.line()).unwrap_or(1);
        let expression = deepest
            .range()
            .and_then(|range| expression(deepest.template_source()?, range).map(str::to_owned));
        match (deepest.kind(), expression) {
            (ErrorKind::UndefinedError, Some(name)) => {
                let name = name.trim().to_owned();
                Self::Undefined { near: near(&name, values), name, file, line }
            }
            (kind, _) => {
                let message = match (kind, deepest.detail()) {
                    (ErrorKind::OutOfFuel, _) => {
                        "the template takes too many steps: does a loop end?".to_owned()
                    }
                    (kind, Some(detail)) => format!("{kind}: {detail}"),
                    (kind, None) => kind.to_string(),
                };
                Self::Wrong { message, file, line }
            }
        }
    }

    /// One round of a loop of includes, or all of them; nothing when the template includes none.
    fn too_deep(chain: &[&minijinja::Error], template: &Template) -> Option<Self> {
        if !chain.iter().any(|error| error.kind() == ErrorKind::BadInclude) {
            return None;
        }
        let places: Vec<(&str, usize)> =
            chain.iter().filter_map(|error| Some((error.name()?, error.line()?))).collect();
        let before = |end: usize| {
            let (last, before) = places.get(..=end)?.split_last()?;
            Some((before.iter().position(|(name, _)| *name == last.0)?, end))
        };
        let deepest = places.len().checked_sub(1)?;
        let (start, end, last) = match (0..=deepest).find_map(before) {
            Some((start, end)) => (start, end, end.checked_sub(1)?),
            None => (0, deepest, deepest),
        };
        let (name, line) = places.get(last)?;
        Some(Self::TooDeep {
            chain: places.get(start..=end)?.iter().map(|(name, _)| template.file(name)).collect(),
            file: template.file(name),
            line: *line,
        })
    }

    /// The same without anything that may be a value: for templates that use secrets.
    pub fn masked(self) -> Self {
        match self {
            Self::Wrong { message, file, line } => {
                let message = message.split(": ").next().unwrap_or_default();
                let message = format!("{message}; it uses a secret, so no more is shown");
                Self::Wrong { message, file, line }
            }
            other => other,
        }
    }

    /// The next step.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Undefined { .. } => {
                "give it a value, a default in the schema, or test it with `is defined`".into()
            }
            Self::TooDeep { .. } => {
                "take one of these includes out, or let an `if` around it end the loop".into()
            }
            Self::Wrong { .. } => "mend the template".into(),
            Self::Delimiters { .. } => "write three pairs that differ, such as `<<` and `>>`".into(),
        })
    }
}

/// The expression at `range` of a template; where that is the name of a filter, what is given to it.
fn expression(source: &str, range: std::ops::Range<usize>) -> Option<&str> {
    let Some(given) = source.get(..range.start)?.trim_end().strip_suffix('|') else {
        return source.get(range);
    };
    let is_part = |c: char| c.is_alphanumeric() || "_.[]'\"|".contains(c);
    let given = given.trim_end();
    let start = given.rfind(|c| !is_part(c)).and_then(|at| given.get(at..)).unwrap_or(given);
    start.trim_start_matches(|c| !is_part(c)).split('|').next()
}

/// The name in `values` that is most like the one that is undefined.
fn near(name: &str, values: &Value) -> Option<String> {
    let (mut value, mut above) = (values, Vec::new());
    for part in name.split('.') {
        let table = value.as_object()?;
        if let Some(next) = table.get(part) {
            (value, above) = (next, [above, vec![part]].concat());
            continue;
        }
        let near = table.keys().min_by_key(|key| strsim::damerau_levenshtein(key, part))?;
        return (strsim::damerau_levenshtein(near, part) <= 2)
            .then(|| [above, vec![near]].concat().join("."));
    }
    None
}
