//! The template engine: strict, bounded, and without access to anything but templates and values.

use std::ops::Range;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, ValueKind};
use minijinja::{
    AutoEscape, Environment, ErrorKind, Output, OutputSpan, State, UndefinedBehavior, escape_formatter,
};
use serde_json::Value;

use super::error::TemplateError;
use super::nesting::measure_nesting;
use super::source::{Includes, TemplateSource, UsedKeys};

/// The most steps of one rendering; a loop over 10,000 values takes about a tenth.
const MAX_STEPS: u64 = 10_000_000;
/// The same for templates with a namespace, in which each step of a loop can nest a value once more.
/// They are few enough for [`STACK_SIZE`].
const MAX_NAMESPACE_STEPS: u64 = 500_000;
/// The deepest nesting of includes and macros.
const MAX_NESTING: usize = 64;
/// The size of the engine's stack, in bytes. It prints and drops values recursively. The kernel provides only
/// the part that is used.
const STACK_SIZE: usize = 256 << 20;

pub(super) fn render_template(
    template: &TemplateSource,
    included: Includes,
    values: &Value,
) -> Result<RenderedText, TemplateError> {
    with_large_stack(template, || render_on_this_stack(template, Arc::new(included), values))
}

/// Runs `work` on a thread whose stack suffices for all that the limits allow.
fn with_large_stack<T: Send>(
    template: &TemplateSource,
    work: impl FnOnce() -> Result<T, TemplateError> + Send,
) -> Result<T, TemplateError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_SIZE).spawn_scoped(scope, work);
        let thread = thread.map_err(|error| TemplateError::Other {
            message: format!("cannot start a thread: {error}"),
            file: template.path.display().to_string(),
            line: 1,
        })?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn render_on_this_stack(
    template: &TemplateSource,
    included: Arc<Includes>,
    values: &Value,
) -> Result<RenderedText, TemplateError> {
    let environment = new_engine(template, &included)?;
    let template_error = |error| TemplateError::from_engine(&error, template, values);
    let name = template.file_name();
    let main = environment.template_from_named_str(&name, &template.text).map_err(template_error)?;
    let (text, spans) = main.render_with_spans(Serde(values)).map_err(template_error)?;
    Ok(from_spans(template, text, &spans, used_keys_with_includes(&environment, &main, &included)))
}

pub(super) fn find_used_keys(
    template: &TemplateSource,
    included: Includes,
) -> Result<UsedKeys, TemplateError> {
    let included = Arc::new(included);
    with_large_stack(template, || {
        let environment = new_engine(template, &included)?;
        let name = template.file_name();
        let main = environment
            .template_from_named_str(&name, &template.text)
            .map_err(|error| TemplateError::from_engine(&error, template, &Value::Null))?;
        Ok(used_keys_with_includes(&environment, &main, &included))
    })
}

/// Returns the keys that a template and its includes use.
fn used_keys_with_includes(
    environment: &Environment<'_>,
    main: &minijinja::Template<'_, '_>,
    included: &Includes,
) -> UsedKeys {
    let mut uses = used_keys_of(main);
    for name in included.keys() {
        // An invalid include is reported when it is rendered.
        uses.extend(
            environment.get_template(name).map(|template| used_keys_of(&template)).unwrap_or_default(),
        );
    }
    uses
}

fn used_keys_of(template: &minijinja::Template<'_, '_>) -> UsedKeys {
    template.undeclared_variables(true).into_iter().filter_map(|name| name.parse().ok()).collect()
}

fn new_engine<'a>(
    template: &'a TemplateSource,
    included: &Arc<Includes>,
) -> Result<Environment<'a>, TemplateError> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_debug(true);
    environment.set_recursion_limit(MAX_NESTING);
    let syntax = engine_syntax(template)?;
    let has_namespace = check_nesting(template, included, &syntax)?;
    environment.set_fuel(Some(if has_namespace { MAX_NAMESPACE_STEPS } else { MAX_STEPS }));
    environment.set_syntax(syntax);
    // It prints all values, secrets included.
    environment.remove_global("debug");
    register_filters(&mut environment);
    environment.set_formatter(format_value);
    let included = Arc::clone(included);
    environment.set_loader(move |name| {
        let include_error = |why: String| minijinja::Error::new(ErrorKind::InvalidOperation, why);
        match included.get(name) {
            Some(Ok(text)) => Ok(text.clone()),
            Some(Err(why)) => Err(include_error(why.clone())),
            // The name may be a value, and a secret one.
            None => Err(include_error("the name of an included template must be a string literal".into())),
        }
    });
    Ok(environment)
}

/// Formats `{{ value }}`: text and numbers unchanged, booleans as `true` and `false`. Fails for
/// other values, whose notation depends on the format.
fn format_value(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &minijinja::Value,
) -> Result<(), minijinja::Error> {
    let type_name = match value.kind() {
        ValueKind::Bool => return Ok(out.write_str(if value.is_true() { "true" } else { "false" })?),
        ValueKind::None => "null",
        ValueKind::Map => "a table",
        ValueKind::Seq | ValueKind::Iterable => "a list",
        _ => return escape_formatter(out, state, value),
    };
    let why = format!("cannot print {type_name}: use `|json`, `|toml` or `|yaml`");
    Err(minijinja::Error::new(ErrorKind::InvalidOperation, why))
}

/// Fails if the template or an include is nested too deeply for the engine. Returns whether one has a
/// namespace.
fn check_nesting(
    template: &TemplateSource,
    included: &Includes,
    syntax: &SyntaxConfig,
) -> Result<bool, TemplateError> {
    let included =
        included.iter().filter_map(|(name, text)| Some((name.as_str(), text.as_ref().ok()?.as_deref()?)));
    let name = template.file_name();
    let mut has_namespace = false;
    for (name, text) in std::iter::once((name.as_str(), template.text.as_str())).chain(included) {
        let nesting = measure_nesting(text, syntax.clone());
        if let Some((message, line)) = nesting.exceeded {
            return Err(TemplateError::Other { message, file: template.path_of(name), line });
        }
        has_namespace |= nesting.has_namespace;
    }
    Ok(has_namespace)
}

fn engine_syntax(template: &TemplateSource) -> Result<SyntaxConfig, TemplateError> {
    let delimiters = &template.delimiters;
    let pair = |(start, end): &(String, String)| (start.clone(), end.clone());
    let ((vs, ve), (bs, be), (cs, ce)) =
        (pair(&delimiters.variable), pair(&delimiters.block), pair(&delimiters.comment));
    let syntax = SyntaxConfig::builder()
        .variable_delimiters(vs, ve)
        .block_delimiters(bs, be)
        .comment_delimiters(cs, ce)
        .keep_trailing_newline(true)
        .build();
    syntax.map_err(|error| TemplateError::Delimiters {
        path: template.path.clone(),
        message: error.to_string(),
    })
}

/// The output of a template.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RenderedText {
    /// The rendered text.
    pub text: String,
    /// The keys whose values may be in the text.
    pub used_keys: UsedKeys,
    spans: Vec<SpanOrigin>,
}

/// A part of the output and the part of a template that it comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
struct SpanOrigin {
    output: Range<usize>,
    file: String,
    source: Range<usize>,
    line: usize,
}

fn from_spans(template: &TemplateSource, text: String, spans: &[OutputSpan], uses: UsedKeys) -> RenderedText {
    let span_origin = |span: &OutputSpan| SpanOrigin {
        output: span.output_range(),
        file: template.path_of(span.name()),
        source: span.source_range(),
        line: span.line(),
    };
    RenderedText { text, used_keys: uses, spans: spans.iter().map(span_origin).collect() }
}

impl RenderedText {
    /// Returns the template and line that the byte at `offset` comes from; `None` for an empty
    /// template.
    pub fn template_line(&self, offset: usize) -> Option<(&str, usize)> {
        let span = self.spans.iter().rev().find(|origin| origin.output.start <= offset)?;
        // Literal text may span several lines.
        let is_literal = span.output.len() == span.source.len();
        let before = self.text.get(span.output.start..offset.min(span.output.end)).unwrap_or_default();
        Some((&span.file, span.line + if is_literal { before.matches('\n').count() } else { 0 }))
    }
}

/// Adds filters that print a value in the syntax of a language, with quotes and escapes.
fn register_filters(environment: &mut Environment<'_>) {
    environment.add_filter("json", to_json);
    environment.add_filter("toml", to_toml);
    environment.add_filter("yaml", to_yaml);
    environment.add_filter("sh", to_shell_word);
}

/// Prints JSON on one line with minimal escapes.
fn to_json(value: &minijinja::Value) -> Result<String, minijinja::Error> {
    require_defined(value)?;
    let value = serde_json::to_value(value).map_err(|error| filter_error("JSON", &error.to_string()))?;
    let bytes =
        coracle_core::json::to_bytes(&value).map_err(|error| filter_error("JSON", &error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| filter_error("JSON", &error.to_string()))
}

/// Prints TOML on one line. Fails for null, which TOML does not have.
fn to_toml(value: &minijinja::Value) -> Result<String, minijinja::Error> {
    require_defined(value)?;
    let value = toml::Value::try_from(value).map_err(|error| filter_error("TOML", &error.to_string()))?;
    Ok(value.to_string())
}

/// Prints YAML on one line, as JSON: it is a subset of YAML, and its quotes make types explicit.
fn to_yaml(value: &minijinja::Value) -> Result<String, minijinja::Error> {
    // YAML 1.1 treats these as line breaks or a byte order mark.
    let ends =
        [('\u{85}', "\\u0085"), ('\u{2028}', "\\u2028"), ('\u{2029}', "\\u2029"), ('\u{feff}', "\\ufeff")];
    Ok(ends.iter().fold(to_json(value)?, |text, (end, escaped)| text.replace(*end, escaped)))
}

/// Prints one word for a POSIX shell.
fn to_shell_word(value: &minijinja::Value) -> Result<String, minijinja::Error> {
    require_defined(value)?;
    match value.as_str() {
        Some(text) if text.contains('\0') => Err(filter_error("a shell word", "it contains a NUL byte")),
        Some(text) => Ok(format!("'{}'", text.replace('\'', r"'\''"))),
        None if value.is_number() || value.kind() == ValueKind::Bool => Ok(value.to_string()),
        None => Err(filter_error("a shell word", "it is not a string, number or boolean")),
    }
}

/// Fails for an undefined value, which the engine passes on to filters.
fn require_defined(value: &minijinja::Value) -> Result<(), minijinja::Error> {
    if value.is_undefined() { Err(ErrorKind::UndefinedError.into()) } else { Ok(()) }
}

fn filter_error(language: &str, why: &str) -> minijinja::Error {
    minijinja::Error::new(ErrorKind::InvalidOperation, format!("cannot write the value as {language}: {why}"))
}
