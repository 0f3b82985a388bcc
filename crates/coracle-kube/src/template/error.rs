//! Template errors with file and line, and syntax errors of rendered files.

use std::error::Error as _;
use std::path::PathBuf;

use coracle_core::hint::Hint;
use minijinja::ErrorKind;
use serde_json::Value;

use super::template_source::TemplateSource;
use super::unclosed_parts::{UnclosedPart, find_unclosed_part};
use super::{foreign_syntax, key_expression};
use crate::values::{KeyPath, similar_key};

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
        /// What to write instead of what other template languages have.
        advice: Option<&'static str>,
        /// The template.
        file: String,
        /// The line, from 1.
        line: usize,
    },
    /// IncludedTemplates that are nested too deeply, most likely a cycle.
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
        /// What to write instead of what other template languages have.
        advice: Option<&'static str>,
        /// The template.
        file: String,
        /// The line, from 1.
        line: usize,
    },
    /// A comment, a tag or a block without an end.
    #[error("`{part}` is not closed\n   --> {file}:{line}")]
    Unclosed {
        /// Its start, as in the template.
        part: String,
        /// The template.
        file: String,
        /// The line where it begins, from 1.
        line: usize,
    },
    /// The values have the key `values`, which is the name of the table of all values.
    #[error("`{}`: the key `values` is reserved: it is the table of all values", .path.display())]
    ReservedKey {
        /// The template.
        path: PathBuf,
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
        let source = deepest.template_source().unwrap_or(&template.text);
        let delimiters = &template.syntax.delimiters;
        if let Some(UnclosedPart { name: part, line }) =
            deepest.detail().and_then(|detail| find_unclosed_part(source, delimiters, detail))
        {
            return Self::Unclosed { part, file, line };
        }
        match (deepest.kind(), undefined_expression(deepest, source)) {
            (_, Some(name)) => {
                let suggestion = similar_name(&name, values, source);
                let advice = line_of(source, line).and_then(foreign_syntax::advice_for_line);
                Self::Undefined { name, suggestion, advice, file, line }
            }
            (kind, _) => {
                let advice = foreign_syntax_advice(deepest, source, line);
                let message = match (kind, deepest.detail()) {
                    (ErrorKind::OutOfFuel, _) => {
                        "the template takes too many steps; a loop may not end".to_owned()
                    }
                    (kind, Some(detail)) => format!("{kind}: {detail}"),
                    (kind, None) => kind.to_string(),
                };
                Self::Other { message, advice, file, line }
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
            Self::Other { message, advice, file, line } => {
                let message = message.split(": ").next().unwrap_or_default();
                let message = format!("{message} (details hidden: the template uses a secret)");
                Self::Other { message, advice, file, line }
            }
            other => other,
        }
    }
}

impl Hint for TemplateError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Undefined { name, suggestion: Some(suggestion), .. }
                if suggestion.contains("[\"") && !name.contains('[') =>
            {
                format!("`-` is a minus sign in a template: write `{suggestion}`")
            }
            Self::Undefined { suggestion: None, advice: Some(advice), .. } => (*advice).to_owned(),
            Self::Undefined { .. } => {
                "set a value, add a default to the schema, or test it with `is defined`".into()
            }
            Self::Other { advice: Some(advice), .. } => (*advice).to_owned(),
            Self::Unclosed { .. } => "close it, or remove its start".into(),
            Self::ReservedKey { .. } => "rename the key in the values".into(),
            Self::TooDeep { .. } => "remove one of these includes, or make one conditional with `if`".into(),
            Self::Other { .. } => "fix the template".into(),
            Self::Delimiters { .. } => "use three distinct pairs, such as `<<` and `>>`".into(),
        })
    }
}

/// Returns the expression that is undefined; `None` for any other error. An operator reports an
/// undefined operand as an invalid operation.
fn undefined_expression(error: &minijinja::Error, source: &str) -> Option<String> {
    let described = error.detail().and_then(described_expression).filter(|name| !name.contains("(...)"));
    let failing = || {
        let range = error.range().filter(|_| error.kind() == ErrorKind::UndefinedError)?;
        failing_expression(source, range)
    };
    described.or_else(failing).map(|name| name.trim().to_owned())
}

/// Returns the expression in the engine's message "`EXPRESSION` is undefined".
fn described_expression(detail: &str) -> Option<&str> {
    let (before, _) = detail.rsplit_once("` is undefined")?;
    before.rsplit_once('`').map(|(_, expression)| expression)
}

/// Returns a line, counted from 1.
fn line_of(source: &str, line: usize) -> Option<&str> {
    source.lines().nth(line.checked_sub(1)?)
}

/// Returns advice for a name or syntax that other template languages have.
fn foreign_syntax_advice(error: &minijinja::Error, source: &str, line: usize) -> Option<&'static str> {
    let detail = error.detail().unwrap_or_default();
    match error.kind() {
        ErrorKind::UnknownFilter | ErrorKind::UnknownTest | ErrorKind::UnknownFunction => {
            let name = detail.strip_suffix(" is unknown")?.rsplit(' ').next()?;
            foreign_syntax::advice_for_name(name)
        }
        ErrorKind::UnknownMethod => foreign_syntax::advice_for_name(detail.rsplit(' ').next()?),
        ErrorKind::SyntaxError => line_of(source, line).and_then(foreign_syntax::advice_for_line),
        _ => None,
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

/// Returns the expression for a value whose name is most similar to an undefined one. `source` is
/// the template: a key with hyphens in it may be meant.
fn similar_name(name: &str, values: &Value, source: &str) -> Option<String> {
    let names = key_expression::key_names(name);
    let (mut value, mut parents) = (values, Vec::new());
    for (index, part) in names.iter().enumerate() {
        if let Some(next) = KeyPath::new(std::slice::from_ref(part)).find(value) {
            (value, parents) = (next, [parents, vec![part.as_str()]].concat());
            continue;
        }
        // The engine reports the first undefined part, so an earlier one is a local variable.
        let table = value.as_object().filter(|_| index + 1 == names.len())?;
        let has_part =
            |key: &&String| key.split('-').any(|word| word == part) && source.contains(key.as_str());
        let hyphenated = table.keys().filter(|key| key.contains('-')).find(has_part);
        let similar = hyphenated.or_else(|| similar_key(part, table.keys()))?;
        return Some(key_expression::expression_of(&[parents, vec![similar.as_str()]].concat()));
    }
    None
}
