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
use super::filters::register_filters;
use super::key_expression::{ALL_VALUES, has_slice, keys_of_all_values};
use super::nesting::measure_nesting;
use super::template_source::{Delimiters, IncludedTemplates, TemplateSource, UsedKeys};
use crate::values::KeyPath;

/// The most steps of one rendering; a loop over 10,000 values takes about a tenth.
const MAX_STEPS: u64 = 10_000_000;
/// Like [`MAX_STEPS`], for templates with a namespace, in which each step of a loop can nest a value once more. So
/// few steps cannot nest a value too deeply for [`STACK_SIZE`].
const MAX_NAMESPACE_STEPS: u64 = 500_000;
/// The start of a key that is reached by [`ALL_VALUES`].
const VALUES_PREFIX: &str = "values.";
/// The deepest nesting of includes and macros.
const MAX_NESTING: usize = 64;
/// The size of the engine's stack, in bytes. It prints and drops values recursively. The kernel provides only
/// the part that is used.
const STACK_SIZE: usize = 256 << 20;

pub(super) fn render_template(
    template: &TemplateSource,
    included: IncludedTemplates,
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
            advice: None,
        })?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn render_on_this_stack(
    template: &TemplateSource,
    included: Arc<IncludedTemplates>,
    values: &Value,
) -> Result<RenderedText, TemplateError> {
    let environment = new_engine(template, &included)?;
    let template_error = |error| TemplateError::from_engine(&error, template, values);
    let name = template.file_name();
    let main = environment.template_from_named_str(&name, &template.text).map_err(template_error)?;
    let context = with_all_values(template, values)?;
    let (text, spans) = main.render_with_spans(Serde(&context)).map_err(template_error)?;
    let used_keys = used_keys_with_includes(&environment, &main, template, &included);
    Ok(from_spans(template, text, &spans, used_keys))
}

/// Returns the values with one more key, `values`: a table of all values, through which templates reach keys that are
/// not identifiers. Fails if the values have this key already.
fn with_all_values(template: &TemplateSource, values: &Value) -> Result<Value, TemplateError> {
    let mut context = values.clone();
    if let Value::Object(table) = &mut context
        && table.insert(ALL_VALUES.to_owned(), values.clone()).is_some()
    {
        return Err(TemplateError::ReservedKey { path: template.path.clone() });
    }
    Ok(context)
}

pub(super) fn find_used_keys(
    template: &TemplateSource,
    included: IncludedTemplates,
) -> Result<UsedKeys, TemplateError> {
    let included = Arc::new(included);
    with_large_stack(template, || {
        let environment = new_engine(template, &included)?;
        let name = template.file_name();
        let main = environment
            .template_from_named_str(&name, &template.text)
            .map_err(|error| TemplateError::from_engine(&error, template, &Value::Null))?;
        Ok(used_keys_with_includes(&environment, &main, template, &included))
    })
}

/// Returns the keys that a template and its includes use.
fn used_keys_with_includes(
    environment: &Environment<'_>,
    main: &minijinja::Template<'_, '_>,
    template: &TemplateSource,
    included: &IncludedTemplates,
) -> UsedKeys {
    let delimiters = &template.syntax.delimiters;
    let mut uses = used_keys_of(main, &template.text, delimiters);
    for (name, text) in included {
        // An invalid include is reported when it is rendered.
        if let (Ok(template), Ok(Some(text))) = (environment.get_template(name), text) {
            uses.extend(used_keys_of(&template, text, delimiters));
        }
    }
    uses
}

fn used_keys_of(template: &minijinja::Template<'_, '_>, text: &str, delimiters: &Delimiters) -> UsedKeys {
    let names = template.undeclared_variables(true);
    let uses_all = has_slice(text, delimiters).then(KeyPath::default);
    let mut uses: UsedKeys = uses_all.into_iter().collect();
    for name in names {
        if name == ALL_VALUES {
            let keys = keys_of_all_values(text, delimiters);
            uses.extend(keys.unwrap_or_else(|| vec![KeyPath::default()]));
        } else {
            uses.extend(name.strip_prefix(VALUES_PREFIX).unwrap_or(&name).parse::<KeyPath>());
        }
    }
    uses
}

fn new_engine<'a>(
    template: &'a TemplateSource,
    included: &Arc<IncludedTemplates>,
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
    included: &IncludedTemplates,
    syntax: &SyntaxConfig,
) -> Result<bool, TemplateError> {
    let included =
        included.iter().filter_map(|(name, text)| Some((name.as_str(), text.as_ref().ok()?.as_deref()?)));
    let name = template.file_name();
    let mut has_namespace = false;
    for (name, text) in std::iter::once((name.as_str(), template.text.as_str())).chain(included) {
        let nesting = measure_nesting(text, syntax.clone());
        if let Some((message, line)) = nesting.exceeded {
            return Err(TemplateError::Other { message, file: template.path_of(name), line, advice: None });
        }
        has_namespace |= nesting.has_namespace;
    }
    Ok(has_namespace)
}

fn engine_syntax(template: &TemplateSource) -> Result<SyntaxConfig, TemplateError> {
    let delimiters = &template.syntax.delimiters;
    let pair = |(start, end): &(String, String)| (start.clone(), end.clone());
    let ((vs, ve), (bs, be), (cs, ce)) =
        (pair(&delimiters.variable), pair(&delimiters.block), pair(&delimiters.comment));
    let syntax = SyntaxConfig::builder()
        .variable_delimiters(vs, ve)
        .block_delimiters(bs, be)
        .comment_delimiters(cs, ce)
        .keep_trailing_newline(true)
        .trim_blocks(template.syntax.trim_blocks)
        .lstrip_blocks(template.syntax.lstrip_blocks)
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
