//! The template engine's settings: strict, bounded, and without access to anything but templates
//! and values.

use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, ValueKind};
use minijinja::{AutoEscape, Environment, ErrorKind, Output, State, UndefinedBehavior, escape_formatter};
use serde_json::Value;

use super::error::TemplateError;
use super::includes::Includes;
use super::rendered::RenderedText;
use super::source::{Template, UsedKeys};
use super::{filters, rendered};

/// The most steps of one rendering; a loop over 10,000 values takes about a tenth.
const MAX_STEPS: u64 = 10_000_000;
/// The deepest nesting of includes and macros.
const MAX_NESTING: usize = 64;

pub(super) fn render_template(
    template: &Template,
    included: Includes,
    values: &Value,
) -> Result<RenderedText, TemplateError> {
    let included = Arc::new(included);
    let environment = new_engine(template, &included)?;
    let template_error = |error| TemplateError::from_engine(&error, template, values);
    let name = template.file_name();
    let main = environment.template_from_named_str(&name, &template.text).map_err(template_error)?;
    let (text, spans) = main.render_with_spans(Serde(values)).map_err(template_error)?;
    Ok(rendered::from_spans(template, text, &spans, used_keys_with_includes(&environment, &main, &included)))
}

pub(super) fn find_used_keys(template: &Template, included: Includes) -> Result<UsedKeys, TemplateError> {
    let included = Arc::new(included);
    let environment = new_engine(template, &included)?;
    let name = template.file_name();
    let main = environment
        .template_from_named_str(&name, &template.text)
        .map_err(|error| TemplateError::from_engine(&error, template, &Value::Null))?;
    Ok(used_keys_with_includes(&environment, &main, &included))
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
    template: &'a Template,
    included: &Arc<Includes>,
) -> Result<Environment<'a>, TemplateError> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_debug(true);
    environment.set_fuel(Some(MAX_STEPS));
    environment.set_recursion_limit(MAX_NESTING);
    environment.set_syntax(engine_syntax(template)?);
    // It prints all values, secrets included.
    environment.remove_global("debug");
    filters::register_filters(&mut environment);
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

fn engine_syntax(template: &Template) -> Result<SyntaxConfig, TemplateError> {
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
