//! Template errors with file and line, and syntax errors of rendered files.

use std::error::Error as _;
use std::path::PathBuf;

use coracle_core::hint::Hint;
use minijinja::ErrorKind;
use serde_json::Value;

use super::source::TemplateSource;
use crate::values::similar_key;

/// The engine's message when includes or macros are nested too deeply.
const RECURSION_LIMIT_MESSAGE: &str = "recursion limit exceeded";

/// Why a template cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// An undefined name.
    #[error("`{name}` is undefined{}\n   --> {file}:{line}", suggestion.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default())]
    Undefined {
        /// The name, or the expression around it.
        name: String,
        /// The most similar defined name.
        suggestion: Option<String>,
        /// The template.
        file: String,
        /// The line, from 1.
        line: usize,
    },
    /// Includes that are nested too deeply, most likely a cycle.
    #[error("includes are nested too deeply: {}\n   --> {file}:{line}", .chain.iter().map(|file| format!("`{file}`")).collect::<Vec<_>>().join(" includes "))]
    TooDeep {
        /// Each template includes the next; for a cycle, one round of it.
        chain: Vec<String>,
        /// The template with the last include.
        file: String,
        /// The line, from 1.
        line: usize,
    },
    /// Any other error.
    #[error("{message}\n   --> {file}:{line}")]
    Other {
        /// The reason.
        message: String,
        /// The template.
        file: String,
        /// The line, from 1.
        line: usize,
    },
    /// Delimiters that are not distinct.
    #[error("cannot use the delimiters for `{}`: {message}", .path.display())]
    Delimiters {
        /// The template.
        path: PathBuf,
        /// The reason.
        message: String,
    },
}

/// A syntax error with its position.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyntaxError {
    /// The reason.
    pub message: String,
    /// The byte offset where the error was detected.
    pub offset: usize,
}

impl TemplateError {
    pub(super) fn from_engine(error: &minijinja::Error, template: &TemplateSource, values: &Value) -> Self {
        // An error in an included template is the cause of one in the template that includes it.
        let chain: Vec<&minijinja::Error> =
            std::iter::successors(Some(error), |&error| error.source()?.downcast_ref()).collect();
        let deepest = chain.last().copied().unwrap_or(error);
        if deepest.detail() == Some(RECURSION_LIMIT_MESSAGE)
            && let Some(error) = Self::too_deep(&chain, template)
        {
            return error;
        }
        let file = template.path_of(deepest.name().or(error.name()).unwrap_or_default());
        let line = deepest.line().or(error.line()).unwrap_or(1);
        let expression = deepest
            .range()
            .and_then(|range| failing_expression(deepest.template_source()?, range).map(str::to_owned));
        match (deepest.kind(), expression) {
            (ErrorKind::UndefinedError, Some(name)) => {
                let name = name.trim().to_owned();
                Self::Undefined { suggestion: similar_name(&name, values), name, file, line }
            }
            (kind, _) => {
                let message = match (kind, deepest.detail()) {
                    (ErrorKind::OutOfFuel, _) => {
                        "the template takes too many steps; a loop may not end".to_owned()
                    }
                    (kind, Some(detail)) => format!("{kind}: {detail}"),
                    (kind, None) => kind.to_string(),
                };
                Self::Other { message, file, line }
            }
        }
    }

    /// Returns the error for one round of a cycle of includes, or for the whole chain; `None` if
    /// the template includes nothing.
    fn too_deep(chain: &[&minijinja::Error], template: &TemplateSource) -> Option<Self> {
        if !chain.iter().any(|error| error.kind() == ErrorKind::BadInclude) {
            return None;
        }
        let includes: Vec<(&str, usize)> =
            chain.iter().filter_map(|error| Some((error.name()?, error.line()?))).collect();
        let before = |end: usize| {
            let (last, before) = includes.get(..=end)?.split_last()?;
            Some((before.iter().position(|(name, _)| *name == last.0)?, end))
        };
        let deepest = includes.len().checked_sub(1)?;
        let (start, end, last) = match (0..=deepest).find_map(before) {
            Some((start, end)) => (start, end, end.checked_sub(1)?),
            None => (0, deepest, deepest),
        };
        let (name, line) = includes.get(last)?;
        Some(Self::TooDeep {
            chain: includes.get(start..=end)?.iter().map(|(name, _)| template.path_of(name)).collect(),
            file: template.path_of(name),
            line: *line,
        })
    }

    /// Removes everything that may be a value, for templates that use secrets.
    pub fn redacted(self) -> Self {
        match self {
            Self::Other { message, file, line } => {
                let message = message.split(": ").next().unwrap_or_default();
                let message = format!("{message} (details hidden: the template uses a secret)");
                Self::Other { message, file, line }
            }
            other => other,
        }
    }
}

impl Hint for TemplateError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Undefined { .. } => {
                "set a value, add a default to the schema, or test it with `is defined`".into()
            }
            Self::TooDeep { .. } => "remove one of these includes, or make one conditional with `if`".into(),
            Self::Other { .. } => "fix the template".into(),
            Self::Delimiters { .. } => "use three distinct pairs, such as `<<` and `>>`".into(),
        })
    }
}

/// Returns the expression at `range` of a template; for the name of a filter, the filter's input.
fn failing_expression(source: &str, range: std::ops::Range<usize>) -> Option<&str> {
    let Some(input) = source.get(..range.start)?.trim_end().strip_suffix('|') else {
        return source.get(range);
    };
    let is_part = |c: char| c.is_alphanumeric() || "_.[]'\"|".contains(c);
    let input = input.trim_end();
    let start = input.rfind(|c| !is_part(c)).and_then(|index| input.get(index..)).unwrap_or(input);
    start.trim_start_matches(|c| !is_part(c)).split('|').next()
}

/// Returns the name in `values` that is most similar to an undefined one.
fn similar_name(name: &str, values: &Value) -> Option<String> {
    let (mut value, mut parents) = (values, Vec::new());
    for part in name.split('.') {
        let table = value.as_object()?;
        if let Some(next) = table.get(part) {
            (value, parents) = (next, [parents, vec![part]].concat());
            continue;
        }
        let similar = similar_key(part, table.keys())?;
        return Some([parents, vec![similar]].concat().join("."));
    }
    None
}
