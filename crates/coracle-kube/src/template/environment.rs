//! The template engine's settings: strict, bounded, and without access to anything but templates
//! and values.

use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, ValueKind};
use minijinja::{AutoEscape, Environment, ErrorKind, Output, State, UndefinedBehavior, escape_formatter};
use serde_json::Value;

use super::includes::Includes;
use super::{Error, Rendered, Template, Uses, filters, rendered};

/// The most steps of one rendering; a loop over 10,000 values takes about a tenth.
const FUEL: u64 = 10_000_000;
/// The deepest nesting of includes and macros.
const MAX_RECURSION: usize = 64;

pub(super) fn render(template: &Template, included: Includes, values: &Value) -> Result<Rendered, Error> {
    let included = Arc::new(included);
    let environment = environment(template, &included)?;
    let wrong = |error| Error::of(&error, template, values);
    let name = template.name();
    let main = environment.template_from_named_str(&name, &template.text).map_err(wrong)?;
    let (text, spans) = main.render_with_spans(Serde(values)).map_err(wrong)?;
    Ok(rendered::of(template, text, &spans, all_uses(&environment, &main, &included)))
}

pub(super) fn uses(template: &Template, included: Includes) -> Result<Uses, Error> {
    let included = Arc::new(included);
    let environment = environment(template, &included)?;
    let name = template.name();
    let main = environment
        .template_from_named_str(&name, &template.text)
        .map_err(|error| Error::of(&error, template, &Value::Null))?;
    Ok(all_uses(&environment, &main, &included))
}

/// Returns the keys that a template and its includes use.
fn all_uses(environment: &Environment<'_>, main: &minijinja::Template<'_, '_>, included: &Includes) -> Uses {
    let mut uses = keys(main);
    for name in included.keys() {
        // An invalid include is reported when it is rendered.
        uses.extend(environment.get_template(name).map(|template| keys(&template)).unwrap_or_default());
    }
    uses
}

fn keys(template: &minijinja::Template<'_, '_>) -> Uses {
    template.undeclared_variables(true).into_iter().filter_map(|name| name.parse().ok()).collect()
}

fn environment<'a>(template: &'a Template, included: &Arc<Includes>) -> Result<Environment<'a>, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_debug(true);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(MAX_RECURSION);
    environment.set_syntax(syntax(template)?);
    // It prints all values, secrets included.
    environment.remove_global("debug");
    filters::add(&mut environment);
    environment.set_formatter(plain);
    let included = Arc::clone(included);
    environment.set_loader(move |name| {
        let refused = |why: String| minijinja::Error::new(ErrorKind::InvalidOperation, why);
        match included.get(name) {
            Some(Ok(text)) => Ok(text.clone()),
            Some(Err(why)) => Err(refused(why.clone())),
            // The name may be a value, and a secret one.
            None => Err(refused("the name of an included template must be a string literal".into())),
        }
    });
    Ok(environment)
}

/// Formats `{{ value }}`: text and numbers unchanged, booleans as `true` and `false`. Fails for
/// other values, whose notation depends on the format.
fn plain(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &minijinja::Value,
) -> Result<(), minijinja::Error> {
    let what = match value.kind() {
        ValueKind::Bool => return Ok(out.write_str(if value.is_true() { "true" } else { "false" })?),
        ValueKind::None => "null",
        ValueKind::Map => "a table",
        ValueKind::Seq | ValueKind::Iterable => "a list",
        _ => return escape_formatter(out, state, value),
    };
    let why = format!("cannot print {what}: use `|json`, `|toml` or `|yaml`");
    Err(minijinja::Error::new(ErrorKind::InvalidOperation, why))
}

fn syntax(template: &Template) -> Result<SyntaxConfig, Error> {
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
    syntax.map_err(|error| Error::Delimiters { path: template.path.clone(), message: error.to_string() })
}
